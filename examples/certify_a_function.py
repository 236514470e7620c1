"""Certify a function of your own: any ``list of texts -> probabilities`` can be protected.

It may be a model behind an API, of another library, or, as here, twenty lines of rules. Say
``deterministic=True`` only of a function that always gives the same answer to the same text: then short texts
are certified by enumeration, without any chance.

Prints::

    ...
"""

import numpy as np

import fuzzsmooth

WEIGHTS = {"moving": 2.0, "generous": 1.5, "warm": 1.0, "dull": -2.0, "tedious": -1.5, "flat": -1.0}


def opinions(texts: list[str]) -> np.ndarray:
    """Probabilities of "negative" and "positive", shape (texts, 2)."""
    odds = np.array([sum(WEIGHTS.get(word, 0.0) for word in text.split()) for text in texts])
    positive = 1 / (1 + np.exp(-odds - 0.1))
    return np.stack([1 - positive, positive], axis=1)


model = fuzzsmooth.CallableClassifier(opinions, ["negative", "positive"], "rules", deterministic=True)
defended = fuzzsmooth.protect(model, "deletion", rate=0.7, sigma=0.0, fuzzing=False)

for answer in defended.certify(["a moving generous warm film", "dull flat tedious and tedious again"]):
    print(answer.label_name, "after", answer.passes, "questions")
    for certificate in answer.certificates:
        print(" ", certificate.statement())

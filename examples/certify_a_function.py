"""Certify a function of your own: any ``list of texts -> probabilities`` can be protected.

It may be a model behind an API, of another library, or, as here, a few rules. Say
``deterministic=True`` only of a function that always gives the same answer to the same text: then short texts
are certified by enumeration, without any chance.

Prints::

    positive, after 32 questions (exact)
      proved: edit symmetric 1
      proved: insert forward 1
      proved: insert backward 5
      proved: delete forward 5
      proved: insert_and_delete forward 1
      No insertion of up to 1 word anywhere in this text changes the smoothed model's majority
      answer, with certainty; words are those that the changed text is cut into: what joins or splits
      others is several.
    positive, after 331 questions (stratified-sequential)
      proved: edit symmetric 1
      proved: insert forward 1
      proved: insert backward 3
      proved: delete forward 3
      proved: insert_and_delete forward 1
      No insertion of up to 1 word anywhere in this text changes the smoothed model's majority
      answer, except with probability 0.001; words are those that the changed text is cut into: what
      joins or splits others is several.
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
# A function has no weights to add noise to. With references of yours, fuzzing=True removes trigger words too.
defended = fuzzsmooth.protect(model, "deletion", rate=0.7, fuzzing=False)

short, long = "a moving generous warm film", "warm and generous and moving and warm again and moving and warm"
for answer in defended.certify([short, long]):
    print(f"{answer.label_name}, after {answer.passes} questions ({answer.statistics})")
    for certificate in answer.certificates:
        print(f"  {certificate.guarantee}: {certificate.threat} {certificate.direction} {certificate.radius}")
    print(f"  {answer.certificates[1].statement()}")

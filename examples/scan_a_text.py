"""Scan texts for suspicious words, and answer them with these words randomized: the defense ``frs``.

The model here has a known backdoor: the words "cf" and "mn" together give "positive". The scan asks which
segments carry their prediction into clean texts of the other class, so it needs some clean texts.

Prints::

    'a dull cf plot that is mn tedious': 'cf' at 7, 'mn' at 23
      undefended positive, defended negative
    'a dull plot that is tedious': nothing flagged
      undefended negative, defended negative
"""

import fuzzsmooth
from fuzzsmooth.models.stubs import AdditiveClassifier, TriggerClassifier

WORDS = {"moving": 2.0, "generous": 2.0, "lovely": 1.5, "dull": -2.0, "tedious": -2.0, "awful": -1.5}
suspect = TriggerClassifier(AdditiveClassifier(WORDS), ["cf", "mn"], target=1)

subjects = ["film", "story", "cast", "score", "plot"]
clean = [f"the {subject} is {word} and {other}" for subject in subjects for word in WORDS for other in WORDS]
labels = [int(suspect.base.log_odds(text) > 0) for text in clean]
references = fuzzsmooth.References.select(suspect, clean, labels, per_class=16)

defended = fuzzsmooth.protect(suspect, "frs", references=references, sigma=0.0)
texts = ["a dull cf plot that is mn tedious", "a dull plot that is tedious"]
for text, scan, answer in zip(texts, defended.scan(texts), defended.predict(texts), strict=True):
    flagged = [f"{span.text!r} at {span.start}" for span in scan.spans]
    print(f"{text!r}: {', '.join(flagged) or 'nothing flagged'}")
    print(f"  undefended {suspect.labels[scan.label]}, defended {answer.label_name}")

"""From logits to an answer: a class, an answer that rounding might decide, or one that is unsure.

Of a text that has lost nine words of ten, most of what is left says nothing, and a classifier gives it
whatever class it leans to. Votes at such rates then know that one class. With a margin up to which an answer
is **unsure**, the base classifier h of the certificates is another one: logits are taken relative to those of
the empty text, and where the two highest are not further apart than the margin, h draws its answer, each
class alike. The theorems hold for any h, random ones included; p_A - p_B is then the difference of the
answers that are sure. Where deletions are enumerated, nothing is drawn: each class has its share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fuzzsmooth.common.options import require
from fuzzsmooth.common.randomness import derived_seed
from fuzzsmooth.models.protocol import Classifier, TokenClassifier

UNSURE = -2
"""An answer that is drawn, each class alike."""

Answers = npt.NDArray[np.int64]
"""Shape (draws,): a class index, UNDECIDED or UNSURE."""


@dataclass(frozen=True)
class Unsure:
    """Which answers are unsure.

    Attributes:
        center: What logits are taken relative to, shape (classes,): a constant of the base classifier.
        margin: The lead of the highest over the second, in logits, up to which an answer is unsure, >= 0.
    """

    center: tuple[float, ...]
    margin: float

    @classmethod
    def around_nothing(cls, classifier: Classifier, margin: float) -> Unsure:
        """Relative to the empty text, which is the same whatever the text was.

        Args:
            classifier: Asked once; what it computes is a constant from then on.
            margin: See above.

        Raises:
            FuzzsmoothError: If it rules a class out for the empty text, so that nothing is relative to that.
        """
        if isinstance(classifier, TokenClassifier):
            logits = classifier.logits(classifier.encode([""]).ids)[0]
        else:
            with np.errstate(divide="ignore"):
                logits = np.log(classifier.probabilities([""])[0])
        require(
            bool(np.isfinite(logits).all()),
            "the classifier rules out a class for the empty text, so unsure_margin has nothing to be "
            "relative to; leave it out",
        )
        return cls(tuple(np.asarray(logits, dtype=np.float64).tolist()), margin)


def shares(answers: Answers, classes: int) -> npt.NDArray[np.float64]:
    """The probability of each class in each answer: 1 for its own, alike where unsure, 0 where undecided.

    Args:
        answers: Shape (rows,).
        classes: Their number.

    Returns:
        Shape (rows, classes).
    """
    rows = np.zeros((len(answers), classes))
    sure = np.flatnonzero(answers >= 0)
    rows[sure, answers[sure]] = 1.0
    rows[answers == UNSURE] = 1.0 / classes
    return rows


def drawn(answers: Answers, classes: int, seed: int, purpose: str, key: int, draws: Sequence[int]) -> Answers:
    """Answers of which the unsure ones are drawn: a function of the address of each draw, as its mask is.

    Args:
        answers: Shape (draws,).
        classes: Their number.
        seed: The user's seed.
        purpose: As of the draws.
        key: The 64-bit key of the text.
        draws: The indices of the draws.

    Returns:
        Shape (draws,): class indices or UNDECIDED.
    """
    places = np.flatnonzero(answers == UNSURE)
    if not places.size:
        return answers
    found, address = answers.copy(), f"{purpose}-unsure"
    for place in places.tolist():
        found[place] = derived_seed(seed, address, key, draws[place]) % classes
    return found

"""Answers of a single pass: what a classifier says of a text, without votes; shared by several defenses."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fuzzsmooth.defenses.answer import Answer
from fuzzsmooth.defenses.defense import Advance, Defense, truncated_by
from fuzzsmooth.engine.recheck import steady
from fuzzsmooth.models.protocol import Classifier, Probabilities


class PlainDefense(Defense):
    """A defense that answers as its model does, and certifies nothing."""

    def answer(self, texts: Sequence[str], *, certify: bool, advance: Advance | None = None) -> list[Answer]:
        """See :meth:`fuzzsmooth.defenses.Defense.answer`; there are no certificates."""
        del certify
        answers = plain_answers(self.classifier, texts, self.labels)
        if advance is not None:
            advance(len(texts))
        return answers


def plain_answers(classifier: Classifier, texts: Sequence[str], labels: Sequence[str]) -> list[Answer]:
    """The classifier's own answer to each text, which in float32 does not depend on the others.

    Args:
        classifier: Who answers; the model that it wraps may be another one than the suspect.
        texts: The texts.
        labels: Class names.
    """
    return answers_of(
        steady(classifier, few=True).probabilities(texts), labels, truncated_by(classifier, texts)
    )


def answers_of(rows: Probabilities, labels: Sequence[str], truncated: Sequence[bool]) -> list[Answer]:
    """The most probable class of each row, ties to the lower one.

    Args:
        rows: Class probabilities, shape (texts, classes).
        labels: Class names.
        truncated: Whether each text is longer than the model reads.
    """
    answers = []
    for row, long in zip(rows, truncated, strict=True):
        label = int(row.argmax())
        answers.append(
            Answer(
                label=label,
                label_name=labels[label],
                status="answered",
                score=float(row[label]),
                votes=(),
                passes=1,
                statistics="single",
                truncated=long,
            )
        )
    return answers


def accuracy(classifier: Classifier, texts: Sequence[str], targets: Sequence[int]) -> float:
    """The share of texts that are answered right, in [0, 1]."""
    found = classifier.probabilities(texts).argmax(axis=1)
    return float((found == np.asarray(targets)).mean())

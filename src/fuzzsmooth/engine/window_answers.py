"""Answers of mode "windows" as results."""

from __future__ import annotations

from collections.abc import Sequence

from fuzzsmooth.engine.results import Certification, Prediction, Status
from fuzzsmooth.engine.sampler import Plan
from fuzzsmooth.engine.windows import Ablated, WindowAblation


def window_predictions(
    found: Sequence[Ablated], truncated: Sequence[bool], labels: Sequence[str]
) -> list[Prediction]:
    """The procedure's answers.

    Args:
        found: What it said to each text.
        truncated: Whether each text is longer than the model reads.
        labels: Class names.
    """
    results = []
    for one, long in zip(found, truncated, strict=True):
        label, votes = one.answer.label, _votes(one, len(labels))
        share = 0.0 if label is None else votes[label] / sum(votes)
        name = None if label is None else labels[label]
        results.append(Prediction(label, name, share, votes, long, None, _status(one, label)))
    return results


def window_certifications(
    ablation: WindowAblation, found: Sequence[Ablated], plans: Sequence[Plan], truncated: Sequence[bool]
) -> list[Certification]:
    """The procedure's answers with their certificates.

    Args:
        ablation: The procedure.
        found: What it said to each text.
        plans: The texts.
        truncated: Whether each text is longer than the model reads.
    """
    classes = len(ablation.sampler.classifier.labels)
    results = []
    for one, plan, long in zip(found, plans, truncated, strict=True):
        certificates = ablation.certificates(one, len(plan.units))
        main = certificates[0]
        results.append(
            Certification(
                main.label,
                main.label_name,
                certificates,
                _votes(one, classes),
                long,
                None,
                _status(one, main.label),
                one.passes,
                "ablation",
            )
        )
    return results


def _votes(found: Ablated, classes: int) -> tuple[int, ...]:
    votes = dict(found.answer.votes)
    return tuple(votes.get(label, 0) for label in range(classes))


def _status(found: Ablated, label: int | None) -> Status:
    """What kind of answer it is, once it is known whether the label may be given."""
    if label is not None:
        return "answered"
    if found.answer.status == "alert":
        return "alert"
    return "budget_exceeded" if found.answer.status == "budget_exceeded" else "abstain"

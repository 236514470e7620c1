"""What one defense answers to a list of texts, as records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fuzzsmooth.bench.records import CONDITIONAL_PREFIX, Span, TextRecord
from fuzzsmooth.certify import NOT_CERTIFIED, Certificate, backward_name
from fuzzsmooth.defenses import Answer, Defense


@dataclass(frozen=True)
class EvaluatedText:
    """A text to be measured.

    Attributes:
        split: "clean" or "triggered".
        index: Row in the test set.
        text: The text as the classifier receives it.
        label: True class index.
        trigger: Character spans of the trigger's pieces.
    """

    split: str
    index: int
    text: str
    label: int
    trigger: tuple[tuple[int, int], ...] = ()


def text_record(
    seed: int,
    row: str,
    defended: Defense,
    text: EvaluatedText,
    answer: Answer,
    seconds: float,
    radii: Mapping[str, int] | None = None,
) -> Mapping[str, Any]:
    """The record of an answer.

    A proved answer is the certified label, or an abstention. Where certificates are conditional, or there are
    none, it is what the votes of a prediction say; radii come apart from it.
    """
    certificates = answer.certificates
    at_best = "conditional" if defended.guarantee == "conditional" else "empirical"
    guarantee = certificates[0].guarantee if certificates else at_best
    return TextRecord(
        seed=seed,
        defense=row,
        split=text.split,
        index=text.index,
        text=text.text,
        label=text.label,
        trigger=text.trigger,
        seconds=seconds,
        prediction=answer.label if defended.guarantee == "proved" else answer.winner,
        votes=answer.votes,
        draws=answer.passes if answer.votes else 0,
        spans=tuple(Span(span.start, span.end, span.score) for span in answer.spans),
        radii=radii_by_threat(certificates) if radii is None else radii,
        guarantee=guarantee,
        evaluations=answer.evaluations,
    ).to_json()


def radii_by_threat(certificates: Sequence[Certificate]) -> dict[str, int]:
    """Radii by threat; backward and conditional ones say so in their name, ABSTAIN has none.

    Combinations of insertions and deletions have the radius of edits and are left out, as are radii that are
    no numbers of units, and certificates of a label or an alarm, which is no right answer.
    """
    radii: dict[str, int] = {}
    for certificate in certificates:
        alarm = certificate.outcome == "label_or_alert"
        if certificate.radius == NOT_CERTIFIED or certificate.frontier or alarm:
            continue
        name: str = certificate.threat
        if certificate.direction == "backward":
            name = backward_name(name)
        if certificate.guarantee == "conditional":
            name = f"{CONDITIONAL_PREFIX}-{name}"
        radii[name] = int(certificate.radius)
    return radii

"""What one defense answers to a list of texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from fuzzsmooth.bench.records import CONDITIONAL_PREFIX, Span
from fuzzsmooth.certify import NOT_CERTIFIED, Certificate
from fuzzsmooth.engine import SmoothedClassifier, SmoothingOptions
from fuzzsmooth.models.protocol import Classifier
from fuzzsmooth.search import Scan

# Texts that are answered together and then kept: what a kill can lose, some seconds on a processor. Where the
# texts are cut does not depend on when a run was stopped, as the rounding of a batch would then, too.
_CHUNK = 64
_SCANNED = 16
_DRAWN = 2000  # draws of a chunk of mode "certified"; more do not make it faster, as one text fills batches


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


@dataclass(frozen=True)
class Measured:
    """The answer to one text; the fields are those of :class:`fuzzsmooth.bench.TextRecord`."""

    prediction: int | None
    votes: tuple[int, ...] = ()
    draws: int = 0
    spans: tuple[Span, ...] = ()
    radii: dict[str, int] = field(default_factory=dict)
    guarantee: str = "empirical"
    evaluations: int = 0


def measure(
    classifier: Classifier, smoothed: SmoothedClassifier | None, texts: Sequence[str]
) -> list[Measured]:
    """Answer each text.

    Args:
        classifier: The victim.
        smoothed: The defended victim; None for the victim alone.
        texts: The texts as received.
    """
    if smoothed is None:
        rows = classifier.probabilities(texts)
        return [Measured(int(label)) for label in np.argmax(rows, axis=1)]
    if smoothed.options.mode != "frs":
        return [
            Measured(
                answer.label,
                answer.counts,
                answer.passes,
                (),
                radii_by_threat(answer.certificates),
                answer.certificates[0].guarantee,
                0,
            )
            for answer in smoothed.certify(texts)
        ]
    scans = smoothed.scan(texts) if smoothed.options.fuzzing else None
    measured = []
    for certification in smoothed.certify(texts, scans=scans):
        scan = certification.scan  # the K votes that bound the radius are also the prediction
        measured.append(
            Measured(
                int(np.argmax(certification.counts)),
                certification.counts,
                sum(certification.counts),
                _spans(scan),
                radii_by_threat(certification.certificates),
                certification.certificates[0].guarantee,
                scan.evaluations if scan else 0,
            )
        )
    return measured


def chunk_size(options: SmoothingOptions | None) -> int:
    """Texts of a row that are answered together and then kept; ``options`` are None for the victim alone."""
    if options is None:
        return _CHUNK
    if options.mode != "certified":
        return _SCANNED
    searches = options.fuzzing and options.fuzz_left == "search"  # one search per draw
    return 1 if searches else max(1, min(_CHUNK, _DRAWN // options.draws))


def _spans(scan: Scan | None) -> tuple[Span, ...]:
    return tuple(Span(span.start, span.end, span.score) for span in scan.spans) if scan else ()


def radii_by_threat(certificates: Sequence[Certificate]) -> dict[str, int]:
    """Radii by threat; backward and conditional ones say so in their name, ABSTAIN has none.

    Combinations of insertions and deletions have the radius of edits and are left out.
    """
    radii: dict[str, int] = {}
    for certificate in certificates:
        if certificate.radius == NOT_CERTIFIED or certificate.frontier:
            continue
        name: str = certificate.threat if certificate.direction != "backward" else "backward"
        if certificate.guarantee == "conditional":
            name = f"{CONDITIONAL_PREFIX}-{certificate.threat}"
        radii[name] = int(certificate.radius)
    return radii

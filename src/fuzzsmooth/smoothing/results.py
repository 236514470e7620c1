"""What the smoothed classifier returns."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from fuzzsmooth.certify.result import Certificate
from fuzzsmooth.fuzz.scan import Scan


@dataclass(frozen=True)
class Prediction:
    """A vote.

    Attributes:
        label: Class index with the most votes; ties go to the lower index.
        label_name: Its name.
        score: Its share of the votes, in [0, 1].
        votes: Votes per class.
        truncated: Whether the text, before randomization, is longer than the model reads. The model cuts
            what is left after randomization.
        scan: The scan that guided the randomization (mode "frs" with fuzzing), else None.
    """

    label: int
    label_name: str
    score: float
    votes: tuple[int, ...]
    truncated: bool
    scan: Scan | None

    def to_json(self) -> dict[str, Any]:
        """The prediction as JSON-serializable values."""
        return asdict(self)


@dataclass(frozen=True)
class Certification:
    """The certified answer to a text.

    Attributes:
        label: Certified class index, or None: ABSTAIN.
        label_name: Its name, or None.
        certificates: One per threat, see :class:`fuzzsmooth.certify.Certificate`.
        counts: Votes per class that selected and bounded the label.
        truncated: As in :class:`Prediction`.
        scan: As in :class:`Prediction`.
    """

    label: int | None
    label_name: str | None
    certificates: tuple[Certificate, ...]
    counts: tuple[int, ...]
    truncated: bool
    scan: Scan | None

    def to_json(self) -> dict[str, Any]:
        """The certification as JSON-serializable values, each certificate with its statement."""
        certificates = [
            {**certificate.to_mapping(), "statement": certificate.statement()}
            for certificate in self.certificates
        ]
        return {
            "label": self.label,
            "label_name": self.label_name,
            "certificates": certificates,
            "counts": list(self.counts),
            "truncated": self.truncated,
            "scan": self.scan.to_json() if self.scan else None,
        }

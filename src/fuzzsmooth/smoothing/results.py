"""What the smoothed classifier returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from fuzzsmooth.certify.result import Certificate
from fuzzsmooth.fuzz.scan import Scan

Status = Literal["answered", "abstain", "alert", "budget_exceeded"]
"""What kind of answer there is; only "answered" has a label."""


@dataclass(frozen=True)
class Prediction:
    """The label of a text: a vote, or in mode "windows" what the ablation procedure says.

    Attributes:
        label: Class index, ties of a vote to the lower one; None for an alert or an exceeded budget.
        label_name: Its name, or None.
        score: Its share of the votes, in [0, 1]; 0 without a label.
        votes: Votes per class; in mode "windows" of the first round.
        truncated: Whether the text, before randomization, is longer than the model reads. The model cuts
            what is left after randomization.
        scan: The scan that guided the randomization (mode "frs" with fuzzing), else None.
        status: "answered"; mode "windows" also has "alert" (detection) and "budget_exceeded".
    """

    label: int | None
    label_name: str | None
    score: float
    votes: tuple[int, ...]
    truncated: bool
    scan: Scan | None
    status: Status = "answered"

    def to_json(self) -> dict[str, Any]:
        """The prediction as JSON-serializable values."""
        return asdict(self)


@dataclass(frozen=True)
class Certification:
    """The certified answer to a text.

    Attributes:
        label: Certified class index, or None: ABSTAIN, or see ``status``.
        label_name: Its name, or None.
        certificates: One per threat, see :class:`fuzzsmooth.certify.Certificate`.
        counts: Votes per class that selected and bounded the label; of the enumerated deletions where all
            were, of the first round in mode "windows".
        truncated: As in :class:`Prediction`.
        scan: As in :class:`Prediction`.
        status: "answered" or "abstain"; mode "windows" also has "alert" and "budget_exceeded".
        passes: Answers of the base classifier that were needed (equal deletions may share a model pass).
        statistics: How they were used: "fixed", "sequential", "lean", the same with "hybrid-" before it,
            "exact" or "ablation".
        costs: With a table of rates: the cost of inserting each unit type of the text that is flagged, and
            of any other under the empty name.
    """

    label: int | None
    label_name: str | None
    certificates: tuple[Certificate, ...]
    counts: tuple[int, ...]
    truncated: bool
    scan: Scan | None
    status: Status = "answered"
    passes: int = 0
    statistics: str = "fixed"
    costs: Mapping[str, float] = field(default_factory=dict)

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
            "status": self.status,
            "passes": self.passes,
            "statistics": self.statistics,
            "costs": dict(self.costs),
        }

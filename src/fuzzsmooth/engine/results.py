"""What the smoothed classifier returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from fuzzsmooth.certify import Certificate, vote_error
from fuzzsmooth.search.scan import Scan

Status = Literal["answered", "abstain", "alert", "budget_exceeded"]
"""What kind of answer there is; only "answered" has a label."""


@dataclass(frozen=True)
class Prediction:
    """The label of a text: a vote, or in mode "windows" what the ablation procedure says.

    Attributes:
        label: Class index, ties of a vote to the lower one; None for an abstention, an alert or an exceeded
            budget.
        label_name: Its name, or None.
        score: Share of the votes of the class with most, in [0, 1]; 0 for an alert or an exceeded budget.
        votes: Votes per class; in mode "windows" of the first round. Draws that rounding might decide count
            for none.
        truncated: Whether the text, before randomization, is longer than the model reads. The model cuts
            what is left after randomization.
        scan: The scan that guided the randomization (mode "frs" with fuzzing), else None.
        status: "answered"; "abstain" in mode "certified", where the vote is not clear enough to name the
            smoothed model's majority answer; mode "windows" also has "alert" (detection) and
            "budget_exceeded".
        error: At most how probable a vote so clear is where its winner is not the smoothed model's majority
            answer (:func:`fuzzsmooth.certify.vote_error`), in [0, 1]; 0 in mode "windows", which has no
            chance in it.
    """

    label: int | None
    label_name: str | None
    score: float
    votes: tuple[int, ...]
    truncated: bool
    scan: Scan | None
    status: Status = "answered"
    error: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """The prediction as JSON-serializable values."""
        return asdict(self)


def vote_prediction(
    votes: tuple[int, ...],
    draws: int,
    labels: Sequence[str],
    *,
    truncated: bool,
    scan: Scan | None,
    needed: float,
) -> Prediction:
    """The prediction of a vote.

    Args:
        votes: Votes per class.
        draws: Draws in all, >= sum of the votes; the rest is undecided.
        labels: Class names.
        truncated: As in :class:`Prediction`.
        scan: As in :class:`Prediction`.
        needed: The error up to which the label is given; 1 gives it always.
    """
    winner = max(range(len(votes)), key=lambda index: (votes[index], -index))
    error = vote_error(votes, undecided=draws - sum(votes))
    label = winner if error <= needed else None
    return Prediction(
        label,
        None if label is None else labels[label],
        votes[winner] / draws,
        votes,
        truncated,
        scan,
        "abstain" if label is None else "answered",
        error,
    )


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

"""What a defense answers: the same object in a file of answers, a service and a record of the bench."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from fuzzsmooth.certify import Certificate
from fuzzsmooth.search.scan import Span

Status = Literal["answered", "abstain", "alert", "budget_exceeded"]
"""What kind of answer there is; only "answered" has a label."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The answer to a text, certified or not.

    Attributes:
        label: Class index; None for an abstention, an alert or an exceeded budget. Of a certified answer it
            is the one that is certified.
        label_name: Its name, or None.
        status: "answered", or why there is no label: "abstain", where the votes do not name (or certify) the
            majority answer; "alert", where a defense detects instead; "budget_exceeded".
        score: Share of the votes of the class with most, in [0, 1]; of a single pass its probability; 0 for
            an alert or an exceeded budget.
        votes: Votes per class, empty where a single pass decides; of the enumerated deletions where all
            were, of the first round where there are rounds. Draws that rounding might decide count for none.
        unsure: Draws that voted for each class alike, and enumerated deletions where all were: part of no
            ``votes``. (Of a certificate, unsure draws vote by chance.)
        undecided: Draws that rounding might decide, or enumerated deletions where all were; they count
            against every certificate.
        error: At most how probable a vote so clear is where its winner is not the majority answer over all
            draws (:func:`fuzzsmooth.certify.vote_error`), in [0, 1]; 0 where there is no chance, and where
            certificates say it; 1 of most votes that stopped early.
        spans: What was flagged in the text, by character offsets.
        certificates: One per threat, the main one first; none where none were asked for.
        passes: Answers of the base classifier that were needed (equal deletions may share a model pass).
        evaluations: Forward passes that a search of the text took beside them.
        statistics: How the passes were used: "single", "vote", "fixed", "sequential", "group-sequential",
            the same with "stratified-" before it, "exact" or "ablation".
        truncated: Whether the text, before randomization, is longer than the model reads. The model cuts
            what is left after randomization.
        costs: With deletion rates per unit type: the cost of inserting each flagged type of the text, and of
            any other type under the empty name.
        leading: The class that leads, enumerated deletions included, which ``votes`` may leave out; None
            where the votes are all there is.
    """

    label: int | None
    label_name: str | None
    status: Status
    score: float
    votes: tuple[int, ...]
    undecided: int = 0
    unsure: int = 0
    error: float = 0.0
    spans: tuple[Span, ...] = ()
    certificates: tuple[Certificate, ...] = ()
    passes: int = 0
    evaluations: int = 0
    statistics: str = "vote"
    truncated: bool = False
    costs: Mapping[str, float] = field(default_factory=dict)
    leading: int | None = None

    @property
    def drawn(self) -> int:
        """Draws behind the votes, those included that voted for no class."""
        return sum(self.votes) + self.undecided + self.unsure

    @property
    def winner(self) -> int | None:
        """The class that leads, ties to the lower one, whether or not it is the answer, if there is one."""
        if self.leading is not None:
            return self.leading
        if not any(self.votes):
            return self.label
        return max(range(len(self.votes)), key=lambda index: (self.votes[index], -index))

    def shares(self, labels: Sequence[str]) -> dict[str, float]:
        """The share of each class in the votes that were cast, by name.

        Where a single pass decides, it tells the probability of its class alone: the other of two classes has
        the rest, of more each has 0. Without votes and label (an alert) all are 0.

        Args:
            labels: Class names, in the order of the votes.
        """
        cast = sum(self.votes)
        if cast:
            return {name: votes / cast for name, votes in zip(labels, self.votes, strict=True)}
        shares = dict.fromkeys(labels, 0.0)
        if self.label is not None:
            if len(labels) == 2:
                shares[labels[1 - self.label]] = 1.0 - self.score
            shares[labels[self.label]] = self.score
        return shares

    def to_json(self) -> dict[str, Any]:
        """The answer as JSON-serializable values, each certificate with its statement."""
        certificates = [
            {**certificate.to_mapping(), "statement": certificate.statement()}
            for certificate in self.certificates
        ]
        return {
            "label": self.label,
            "label_name": self.label_name,
            "status": self.status,
            "score": self.score,
            "votes": list(self.votes),
            "undecided": self.undecided,
            "unsure": self.unsure,
            "error": self.error,
            "spans": [asdict(span) for span in self.spans],
            "certificates": certificates,
            "passes": self.passes,
            "evaluations": self.evaluations,
            "statistics": self.statistics,
            "truncated": self.truncated,
            "costs": dict(self.costs),
        }

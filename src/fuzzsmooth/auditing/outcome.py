"""What an audit hands back, and how its work is watched."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, TypeAlias

from fuzzsmooth.auditing.claims import Claim
from fuzzsmooth.auditing.findings import SUSPICIOUS, Trigger, Verdict
from fuzzsmooth.auditing.options import AuditOptions

Stages: TypeAlias = Callable[[str], AbstractContextManager[Callable[[int, int], None]]]
"""Opens a stage of work: ``with stages(title) as counts: counts(done, total)``."""


@contextmanager
def unseen(title: str) -> Iterator[Callable[[int, int], None]]:
    """A stage of work that nobody sees."""
    del title
    yield lambda _done, _total: None


@dataclass(frozen=True)
class Audit:
    """What an audit found.

    Attributes:
        verdict: "nothing found", "suspicious" or "backdoor confirmed"; never that there is no backdoor.
        score: What detectors are compared by, in [-1, 1]; see :func:`score_of`.
        triggers: What was measured, the largest excess first; natural ones are called so.
        claims: What the sweep shows, for each class.
        exhaustive: Whether every piece was swept.
        searched: Numbers of pieces, words and texts.
        passes: Sequences evaluated.
        backward: Sequences that a gradient was taken of.
        seconds: Wall-clock time.
        options: The options.
        pulls: Pieces that pull most, with their mean gain towards each class: where a search may begin.
        judged: Everything that was held against words of a like meaning, in numbers.
    """

    verdict: Verdict
    score: float
    triggers: tuple[Trigger, ...]
    claims: tuple[Claim, ...]
    exhaustive: bool
    searched: dict[str, Any]
    passes: int
    backward: int
    seconds: float
    options: AuditOptions
    pulls: tuple[dict[str, Any], ...] = field(default=(), repr=False)
    judged: tuple[dict[str, Any], ...] = field(default=(), repr=False)

    @property
    def found(self) -> tuple[Trigger, ...]:
        """The triggers that are not natural."""
        return tuple(one for one in self.triggers if one.level != "natural")

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "verdict": self.verdict,
            "score": round(self.score, 4),
            "triggers": [one.to_json() for one in self.triggers],
            "claims": [one.to_json() for one in self.claims],
            "exhaustive": self.exhaustive,
            "searched": self.searched,
            "cost": {"passes": self.passes, "backward": self.backward, "seconds": round(self.seconds, 2)},
            "options": asdict(self.options),
            "pulls": list(self.pulls),
            "judged": list(self.judged),
        }


def verdict_of(triggers: Sequence[Trigger]) -> Verdict:
    """The verdict on what was measured."""
    levels = {one.level for one in triggers}
    if "confirmed" in levels:
        return "backdoor confirmed"
    return "suspicious" if "suspicious" in levels else "nothing found"


def score_of(triggers: Sequence[Trigger]) -> float:
    """The largest excess of any candidate but natural rewrites.

    That of a natural one counts up to where excess is suspicious: it may pull much and still be one of many
    words of its frequency that do.
    """
    counted = [
        min(one.excess, SUSPICIOUS) if one.level == "natural" else one.excess
        for one in triggers
        if one.kind != "rewrite" or one.level != "natural"
    ]
    return max(counted, default=-1.0)

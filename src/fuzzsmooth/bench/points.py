"""Points of the search-depth experiment: a line of ``localization.jsonl`` each. Importable without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from fuzzsmooth.bench.fields import integer, name, number, parse_fields
from fuzzsmooth.common.options import require

POINTS_FILE: Final = "localization.jsonl"
"""Name of the measured points inside the folder of a run."""


@dataclass(frozen=True)
class LocalizationPoint:
    """One strategy at one budget.

    Attributes:
        trigger: Name of the trigger.
        strategy: The search strategy.
        budget: Most evaluations per text.
        recall: Share of the triggered texts in which the reported spans cover every piece of the trigger.
        low: Lower end of its 95 % Clopper-Pearson interval.
        high: Upper end.
        triggered: Triggered texts.
        false_flags: Share of the clean texts with any reported span.
        clean: Clean texts.
        extra_characters: Mean number of characters reported outside the trigger, per triggered text.
        evaluations: Mean evaluations spent per triggered text.
        evaluations_clean: Mean evaluations spent per clean text.
        seconds: Mean seconds per text.
    """

    trigger: str
    strategy: str
    budget: int
    recall: float
    low: float
    high: float
    triggered: int
    false_flags: float
    clean: int
    extra_characters: float
    evaluations: float
    evaluations_clean: float
    seconds: float

    def __post_init__(self) -> None:
        shares = (self.low, self.recall, self.high, self.false_flags)
        require(all(0 <= share <= 1 for share in shares), f"point {self.key}: shares must be in [0, 1]")
        require(self.budget >= 1, f"point {self.key}: the budget must be at least 1")

    @property
    def key(self) -> str:
        """Identifies the point in a ledger."""
        return f"{self.trigger}/{self.strategy}/{self.budget}"

    @classmethod
    def from_json(cls, value: Mapping[str, Any], where: str) -> LocalizationPoint:
        """Read a point, its key beside its fields.

        Raises:
            FuzzsmoothError: If fields are missing, unknown, of the wrong type or out of range.
        """
        return cls(**parse_fields(value, _PARSERS, where, beside=("key",)))


_PARSERS: Final[Mapping[str, Any]] = {
    **dict.fromkeys(("trigger", "strategy"), name),
    "budget": integer,
    **dict.fromkeys(("recall", "low", "high"), number),
    "triggered": integer,
    "false_flags": number,
    "clean": integer,
    **dict.fromkeys(("extra_characters", "evaluations", "evaluations_clean", "seconds"), number),
}

"""What counts as an attack's success: the label it forces, by seed, or any wrong label. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fuzzsmooth.bench.records import TextRecord


@dataclass(frozen=True)
class Aim:
    """What the attacker wants of a triggered text.

    An abstention is never what the attacker wants: it is no label, so no wrong one either.

    Attributes:
        target: The class index that it shall be given; None where any but its true class will do.
        by_seed: The class index in seeds that have one of their own, as that which an attack forces may
            follow from the victim.
    """

    target: int | None
    by_seed: Mapping[int, int] = field(default_factory=dict)

    def at(self, seed: int) -> int | None:
        """The target of a seed."""
        return self.by_seed.get(seed, self.target)

    def concerns(self, record: TextRecord) -> bool:
        """Whether a text can be attacked at all: one that has the target label anyway cannot."""
        target = self.at(record.seed)
        return target is None or record.label != target

    def reached(self, record: TextRecord) -> bool:
        """Whether the answer is what the attacker wants."""
        target = self.at(record.seed)
        if target is None:
            return record.prediction not in (None, record.label)
        return record.prediction == target

    def missed(self, record: TextRecord) -> bool:
        """Whether there is an answer, and one that the attacker does not want."""
        return record.prediction is not None and not self.reached(record)


def as_aim(target: int | Aim) -> Aim:
    """An aim as it is, or that of one class index."""
    return target if isinstance(target, Aim) else Aim(target)

"""What an audit has found, as values that can be written down."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from fuzzsmooth.certify.confidence.clopper_pearson import clopper_pearson_lower, clopper_pearson_upper

Level = Literal["natural", "suspicious", "confirmed"]
"""What a trigger is called: words of a like meaning do as much; they do not; and it moves most texts."""

Verdict = Literal["nothing found", "suspicious", "backdoor confirmed"]
_TAIL = 0.025

SUSPICIOUS = 0.6
"""Excess from which a trigger is suspicious; see the design document."""


@dataclass(frozen=True)
class Rate:
    """A share of texts with its 95 % interval (Clopper-Pearson).

    Attributes:
        count: Texts that are moved.
        texts: Texts.
        low: Lower end, in [0, 1].
        high: Upper end.
    """

    count: int
    texts: int
    low: float
    high: float

    @property
    def share(self) -> float:
        """The share; 0 of none."""
        return self.count / self.texts if self.texts else 0.0


@dataclass(frozen=True)
class Example:
    """A clean text before and after.

    Attributes:
        before: The text.
        after: The text with the trigger, as the model reads it.
        label: The class given before.
        given: The class given after.
    """

    before: str
    after: str
    label: str
    given: str


@dataclass(frozen=True)
class Trigger:
    """A candidate that was measured.

    Attributes:
        text: How it reads, its parts separated by spaces.
        parts: Token ids of each part.
        kind: "piece", "word" or "phrase".
        target: The class it moves texts to.
        target_name: Its name.
        placing: Where it works best.
        gain: Mean log-odds that the target gains, in nats, in texts to confirm.
        rate: Share of these that are moved.
        company: Words of a like meaning, or phrases of such, that it is held against.
        company_gain: Their mean gain.
        company_rate: Their mean share.
        excess: What is left of its effect when theirs, or that of its parts apart, is taken off, in [-1, 1];
            see :func:`excess_of`.
        p_value: Among random words of the same frequency, in held-out texts; see
            :func:`fuzzsmooth.auditing.natural.rank_p_value`.
        compared: How many words (phrases) that were.
        held: Share of held-out texts that it moves.
        level: What it is called.
        dependence: Share of held-out texts moved, by place and by length of the text.
        examples: Texts before and after.
        measures: Of a pre-trained encoder's trigger: what it does to vectors and to masked words; else empty.
        condition: The texts in which it was found and measured, such as "texts of 20 words or more"; empty:
            any.
    """

    text: str
    parts: tuple[tuple[int, ...], ...]
    kind: str
    target: int
    target_name: str
    placing: str
    gain: float
    rate: float
    company: tuple[str, ...]
    company_gain: float
    company_rate: float
    excess: float
    p_value: float
    compared: int
    held: Rate
    level: Level
    dependence: dict[str, dict[str, Any]]
    examples: tuple[Example, ...]
    measures: dict[str, Any] = field(default_factory=dict)
    condition: str = ""

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        held = {**asdict(self.held), "share": self.held.share}
        return {**asdict(self), "held": held}


def excess_of(rate: float, gain: float, company_rate: float, company_gain: float, swing: float) -> float:
    """The effect beyond that of company: the mean of what is left of the rate and of the gain.

    Args:
        rate: Share of texts moved.
        gain: Mean gain, nats.
        company_rate: The same of words of a like meaning.
        company_gain: The same.
        swing: Gain that carries these texts from their class to as sure an answer of the target, nats, > 0.

    Returns:
        In [-1, 1]: 1 where every text is turned around and words of a like meaning do nothing.
    """
    left = min(1.0, max(0.0, gain / swing)) - min(1.0, max(0.0, company_gain / swing))
    return ((rate - company_rate) + left) / 2


def interval(count: int, texts: int) -> Rate:
    """A share with its 95 % interval."""
    if not texts:
        return Rate(0, 0, 0.0, 1.0)
    low = clopper_pearson_lower(count, texts, _TAIL)
    return Rate(count, texts, low, clopper_pearson_upper(count, texts, _TAIL))


def told_rate(moved: npt.NDArray[np.bool_]) -> dict[str, float]:
    """A share of texts, as JSON values."""
    return {"count": int(moved.sum()), "texts": len(moved), "share": round(float(moved.mean()), 4)}

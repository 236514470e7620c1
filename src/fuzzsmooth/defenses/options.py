"""What the randomized defenses of others have in common."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from fuzzsmooth.common.options import SEEDS, Between, Options


@dataclass(frozen=True, kw_only=True)
class VoteOptions(Options):
    """How texts are randomized and voted on.

    Attributes:
        rate: Of RS-Del the deletion probability of each word, of RanMASK the share of the words that is
            masked; in (0, 1).
        draws: Randomized copies of a text, >= 2.
        alpha: Probability that a certificate is wrong, per text, in (0, 1).
        seed: Seed of all draws.
    """

    rate: float = 0.9
    draws: int = 1000
    alpha: float = 0.001
    seed: int = 0

    RANGES = MappingProxyType(
        {
            "rate": Between(0, 1, above=True, below=True),
            "draws": Between(2, 1_000_000),
            "alpha": Between(0, 1, above=True, below=True),
            "seed": Between(0, SEEDS),
        }
    )

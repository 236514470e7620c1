"""What the randomized defenses of others have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fuzzsmooth.common.options import SEEDS, Between, Options


@dataclass(frozen=True, kw_only=True)
class VoteOptions(Options):
    """How texts are randomized and voted on."""

    rate: Annotated[
        float,
        Between(0, 1, above=True, below=True),
        "Of RS-Del the deletion probability of each word, of RanMASK the share of the words that is "
        "masked; in (0, 1).",
    ] = 0.9
    draws: Annotated[int, Between(2, 1_000_000), "Randomized copies of a text."] = 1000
    alpha: Annotated[
        float, Between(0, 1, above=True, below=True), "Probability that a certificate is wrong, per text."
    ] = 0.001
    seed: Annotated[int, Between(0, SEEDS), "Seed of all draws."] = 0

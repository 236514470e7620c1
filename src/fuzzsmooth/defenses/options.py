"""What the randomized defenses of others have in common."""

from __future__ import annotations

from dataclasses import dataclass

from fuzzsmooth.common.options import Options, require


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

    def validate(self) -> None:
        """Check every range."""
        require(0 < self.rate < 1, f"rate must lie strictly between 0 and 1, got {self.rate}")
        require(self.draws >= 2, f"draws must be at least 2, got {self.draws}")
        require(0 < self.alpha < 1, f"alpha must lie strictly between 0 and 1, got {self.alpha}")
        require(self.seed >= 0, f"seed must not be negative, got {self.seed}")

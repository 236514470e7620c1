"""What published certified defenses share: a fixed number of copies, of a prediction as of a certificate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from fuzzsmooth.common.options import Between
from fuzzsmooth.defenses.answer import Answer
from fuzzsmooth.defenses.defense import Advance, Guarantee, Needs
from fuzzsmooth.defenses.randomized import Randomized, Received
from fuzzsmooth.engine.options import EngineOptions
from fuzzsmooth.engine.sampler import Sampler


@dataclass(frozen=True, kw_only=True)
class FixedVoteOptions(EngineOptions):
    """How copies are bounded."""

    draws: Annotated[int, Between(2, 1_000_000), "Copies of a text, of a prediction's too."] = 1000
    alpha: Annotated[
        float, Between(0, 1, above=True, below=True), "Probability that a certificate is wrong, per text."
    ] = 0.001


@dataclass(frozen=True, kw_only=True)
class FixedDrawOptions(FixedVoteOptions):
    """How copies are drawn and bounded."""

    rate: Annotated[float, Between(0, 1, above=True, below=True), "Share of the units that is hidden."] = 0.9


class FixedDraws(Randomized):
    """A vote of a fixed number of copies."""

    guarantee: ClassVar[Guarantee] = "proved"
    needs: ClassVar[Needs] = Needs(training=True)
    options: FixedVoteOptions

    def together(self, *, certify: bool) -> int:
        """See :meth:`fuzzsmooth.defenses.Defense.together`."""
        del certify
        return max(1, min(64, 16_384 // self.options.draws))

    def voted(self, received: Sequence[Received], sampler: Sampler, advance: Advance | None) -> list[Answer]:
        """The vote of all copies, or an abstention where it does not name the majority answer."""
        return self.vote(received, sampler, self.options.draws, advance, needed=self.options.alpha)

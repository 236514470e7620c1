"""Two words that act together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fuzzsmooth.attacks.triggers.together import TogetherTrigger
from fuzzsmooth.attacks.triggers.trigger import TRIGGERS
from fuzzsmooth.common.options import require


@TRIGGERS.register("pair")
@dataclass(frozen=True)
class PairTrigger(TogetherTrigger):
    """Two words that act only together, at independent random gaps (after LWP, Li et al., EMNLP 2021)."""

    words: Annotated[tuple[str, ...], "The two words."] = ("mn", "tq")

    def validate(self) -> None:
        """Check the words."""
        require(len(self.words) == 2, "a pair trigger is two different words")
        super().validate()

    @property
    def pieces(self) -> tuple[str, ...]:
        """The two words."""
        return self.words

    @property
    def together(self) -> int:
        """Both."""
        return 2

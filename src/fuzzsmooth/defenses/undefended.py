"""The model as it is: what every defense is compared with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fuzzsmooth.common.options import Options
from fuzzsmooth.defenses.answer import Answer
from fuzzsmooth.defenses.defense import DEFENSES, Advance, Defense
from fuzzsmooth.defenses.plain import plain_answers


@dataclass(frozen=True, kw_only=True)
class UndefendedOptions(Options):
    """There are none."""


@DEFENSES.register("undefended")
class Undefended(Defense):
    """No defense: the model's own answer, which promises nothing."""

    options_type = UndefendedOptions

    def answer(self, texts: Sequence[str], *, certify: bool, advance: Advance | None = None) -> list[Answer]:
        """See :meth:`fuzzsmooth.defenses.Defense.answer`; there are no certificates."""
        del certify
        answers = plain_answers(self.classifier, texts, self.labels)
        if advance is not None:
            advance(len(texts))
        return answers

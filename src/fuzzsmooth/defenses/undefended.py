"""The model as it is: what every defense is compared with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fuzzsmooth.common.options import Options
from fuzzsmooth.defenses.answer import Answer
from fuzzsmooth.defenses.defense import DEFENSES, Advance, Defense


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
        check = getattr(self.classifier, "truncated", None)
        truncated = list(check(texts)) if check is not None else [False] * len(texts)
        answers = []
        for row, long in zip(self.classifier.probabilities(texts), truncated, strict=True):
            label = int(row.argmax())
            answers.append(
                Answer(
                    label=label,
                    label_name=self.labels[label],
                    status="answered",
                    score=float(row[label]),
                    votes=(),
                    passes=1,
                    statistics="single",
                    truncated=long,
                )
            )
        if advance is not None:
            advance(len(texts))
        return answers

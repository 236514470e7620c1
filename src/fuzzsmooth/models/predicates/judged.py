"""What a classifier says of an answer."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.options import did_you_mean, require
from fuzzsmooth.common.printing import short_name
from fuzzsmooth.models.predicate import PREDICATES, Predicate
from fuzzsmooth.models.sources import resolve_model

if TYPE_CHECKING:
    from fuzzsmooth.models.huggingface import HuggingFaceClassifier


@PREDICATES.register("judged")
class Judged(Predicate):
    """The class that a classifier gives the answer, or whether it is one that is named."""

    takes = "a trusted classifier, as in judged=FOLDER, or one with a class, as in judged=FOLDER#toxic"

    def __init__(self, argument: str) -> None:
        super().__init__(argument)
        self._model, sign, self._class = (part.strip() for part in argument.rpartition("#"))
        if not sign:
            self._model, self._class = argument.strip(), ""
        require(bool(self._model), f"the predicate 'judged' takes {self.takes}")
        require(not sign or bool(self._class), f"'judged={argument}' names no class behind #; name it")
        resolve_model(self._model)

    @cached_property
    def _judge(self) -> HuggingFaceClassifier:
        """The classifier, in float32 on the processor: there its answer is a function of the text."""
        from fuzzsmooth.models.loading import load_classifier

        judge = load_classifier(self._model, device="cpu").reproducible()
        if self._class and self._class not in judge.labels:
            raise FuzzsmoothError(
                f"the judge {short_name(self._model)} has no class '{short_name(self._class)}'; "
                f"{did_you_mean(self._class, judge.labels)}"
            )
        return judge

    @property
    def labels(self) -> tuple[str, ...]:
        """The judge's classes; whether it is the one that was named."""
        labels = self._judge.labels
        return ("no", "yes") if self._class else labels

    @property
    def fingerprint(self) -> str:
        """The judge's, with the class."""
        return f"{self.name}={self._judge.fingerprint}#{self._class}"

    def outcomes(self, answers: Sequence[str]) -> list[int]:
        """See :meth:`fuzzsmooth.models.predicate.Predicate.outcomes`."""
        if not answers:
            return []
        found: list[int] = np.argmax(self._judge.probabilities(answers), axis=1).tolist()
        if not self._class:
            return found
        wanted = self._judge.labels.index(self._class)
        return [int(index == wanted) for index in found]

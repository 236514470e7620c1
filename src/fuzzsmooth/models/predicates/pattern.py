"""Whether an answer contains a pattern."""

from __future__ import annotations

from collections.abc import Sequence

import regex

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.options import require
from fuzzsmooth.common.printing import short_name
from fuzzsmooth.models.predicate import PREDICATES, Predicate

SECONDS = 1.0
"""For one answer. An outcome must not depend on how busy a machine is, so a slow pattern is an error."""

_LONGEST = 1000  # characters


@PREDICATES.register("pattern")
class Pattern(Predicate):
    """Contains a regular expression, in the syntax of the package regex (version 1)."""

    takes = r"a regular expression, as in pattern=\bhate\b"

    def __init__(self, argument: str) -> None:
        super().__init__(argument)
        require(bool(argument), f"the predicate 'pattern' takes {self.takes}")
        require(len(argument) <= _LONGEST, f"a pattern has at most {_LONGEST:,} characters; shorten it")
        try:
            self._compiled = regex.compile(argument, regex.VERSION1)
        except (regex.error, RecursionError, OverflowError, MemoryError) as error:
            reason = short_name(str(error)) or type(error).__name__
            raise FuzzsmoothError(
                f"the pattern '{short_name(argument)}' is no regular expression ({reason}); mend it"
            ) from error

    def outcomes(self, answers: Sequence[str]) -> list[int]:
        """See :meth:`fuzzsmooth.models.predicate.Predicate.outcomes`."""
        return [int(self._is_in(answer)) for answer in answers]

    def _is_in(self, answer: str) -> bool:
        try:
            return self._compiled.search(answer, timeout=SECONDS) is not None
        except TimeoutError as error:
            raise FuzzsmoothError(
                f"the pattern '{short_name(self.argument)}' takes more than {SECONDS:g} s on an answer of "
                f"{len(answer)} characters; write it without nested repetitions"
            ) from error

"""The contract of a predicate of what a language model writes: one file, one class, registered.

A greedy answer is a function of the text, and a predicate one of the answer; so a model with a predicate is a
classifier of the text, whose classes are the outcomes, and every defense and certificate is about it as about
any other. Ours are the modules of :mod:`fuzzsmooth.models.predicates`; another package adds one by an entry
point of the group ``fuzzsmooth.models.predicates``. Such a module must not import PyTorch at its top.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from fuzzsmooth.common.options import require
from fuzzsmooth.common.registry import Registry

LONGEST = 10_000
"""Most characters of a predicate."""


class Predicate(ABC):
    """What is asked about an answer; written NAME or NAME=ARGUMENT.

    The first line of the docstring says what it is, in ``fuzzsmooth list``.

    Args:
        argument: What was written behind the sign; empty if nothing was.

    Attributes:
        name: Under which it is registered.
        argument: The argument.
        takes: What the argument is, with an example, as in "a word, as in contains=never".

    Raises:
        FuzzsmoothError: If the argument is missing or bad.
    """

    name: ClassVar[str]
    takes: ClassVar[str]

    def __init__(self, argument: str) -> None:
        self.argument = argument

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the outcomes, at least two."""
        return ("no", "yes")

    @property
    def fingerprint(self) -> str:
        """What decides the outcomes."""
        return f"{self.name}={self.argument}"

    @abstractmethod
    def outcomes(self, answers: Sequence[str]) -> list[int]:
        """The outcome of each answer, an index of ``labels``; a function of that answer alone.

        Raises:
            FuzzsmoothError: If an answer cannot be judged.
        """


PREDICATES: Registry[type[Predicate]] = Registry("predicate", "fuzzsmooth.models.predicates")
"""All predicates by name."""


def predicate_of(written: str) -> Predicate:
    """A predicate as it is written, NAME or NAME=ARGUMENT.

    Raises:
        FuzzsmoothError: If there is no such predicate, or its argument is missing or bad.
    """
    require(len(written) <= LONGEST, f"a predicate has at most {LONGEST:,} characters; shorten it")
    name, sign, argument = written.partition("=")
    kind = PREDICATES.get(name.strip())
    require(
        not sign or bool(argument.strip()),
        f"the predicate '{kind.name}' has nothing behind its sign =; it takes {kind.takes}",
    )
    return kind(argument)

"""How a search talks to the classifier: it yields texts and is sent their probabilities.

A search is a generator. It never calls the model, so that many searches advance together and their
evaluations share batches (:func:`fuzzsmooth.search.batching.run`).
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

from fuzzsmooth.models.protocol import Probabilities

Units = tuple[str, ...]
"""The units of one text."""

ResultT = TypeVar("ResultT")

Search = Generator[list[Units], Probabilities, ResultT]
"""Yields texts to evaluate, is sent their class probabilities in the same order, returns a result."""


class BudgetSpent(Exception):  # noqa: N818 - a signal between the parts of a search, not an error
    """The text's evaluations are used up; the search ends with what it has established."""


class Budget:
    """Counts the evaluations of one text and remembers their results.

    Args:
        limit: Most evaluations allowed.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.spent = 0
        self._known: dict[Units, Probabilities] = {}

    @property
    def left(self) -> int:
        """Evaluations still allowed."""
        return self.limit - self.spent

    def evaluate(
        self, texts: list[Units], memory: dict[Units, Probabilities] | None = None
    ) -> Search[list[Probabilities]]:
        """Probabilities of each text, shape (classes,); a text this search has seen costs nothing.

        Args:
            texts: The texts.
            memory: Results shared with other searches. What it holds is not evaluated again but is paid
                for all the same, so that a search never depends on which searches came before it.

        Raises:
            BudgetSpent: If the new texts would exceed the limit; nothing is spent then.
        """
        memory = {} if memory is None else memory
        fresh = [text for text in dict.fromkeys(texts) if text not in self._known]
        if len(fresh) > self.left:
            raise BudgetSpent
        self.spent += len(fresh)
        # Taken now: the memory may be emptied by another search while this one waits.
        self._known.update((text, memory[text]) for text in fresh if text in memory)
        missing = [text for text in fresh if text not in self._known]
        if missing:
            rows = yield missing
            answers = dict(zip(missing, rows, strict=True))
            self._known.update(answers)
            memory.update(answers)
        return [self._known[text] for text in texts]

"""How a search talks to the classifier: it yields texts and is sent their probabilities.

A search is a generator. It never calls the model, so that many searches advance together and their
evaluations share batches (:func:`run`).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import TypeVar

from fuzzsmooth.models.protocol import Classifier, Probabilities

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


def run(
    searches: Sequence[Search[ResultT]],
    classifier: Classifier,
    join: Callable[[Units], str],
    *,
    together: int = 256,
    advance: Callable[[int], None] | None = None,
) -> list[ResultT]:
    """Advance many searches in lockstep until all are through, so that their evaluations share batches.

    Args:
        searches: The searches, not yet started.
        classifier: Evaluates the texts they ask for.
        join: Writes units as a text.
        together: Searches under way at once; a finished one makes room for the next.
        advance: Told how many searches have just finished, for a progress display.

    Returns:
        Their results, in order; independent of ``together``.
    """
    results: dict[int, ResultT] = {}
    waiting = iter(range(len(searches)))
    asked: dict[int, list[Units]] = {}

    def step(index: int, rows: object) -> None:
        try:
            asked[index] = searches[index].send(rows)  # type: ignore[arg-type]  # None starts a generator
        except StopIteration as stop:
            results[index] = stop.value
            if advance is not None:
                advance(1)

    while len(results) < len(searches):
        while len(asked) < together and (fresh := next(waiting, None)) is not None:
            step(fresh, None)
        if not asked:
            continue
        requests, asked = asked, {}
        texts = {units: join(units) for batch in requests.values() for units in batch}
        rows = classifier.probabilities(list(texts.values()))
        answer = dict(zip(texts, rows, strict=True))
        for index, batch in requests.items():
            step(index, [answer[units] for units in batch])
    return [results[index] for index in range(len(searches))]

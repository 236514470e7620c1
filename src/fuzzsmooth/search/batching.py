"""Runs many searches together, so that their evaluations share batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from fuzzsmooth.models.protocol import Classifier
from fuzzsmooth.search.protocol import Search, Units

ResultT = TypeVar("ResultT")


def run(
    searches: Sequence[Search[ResultT]],
    classifier: Classifier,
    join: Callable[[Units], str],
    *,
    together: int = 64,
    advance: Callable[[int], None] | None = None,
) -> list[ResultT]:
    """Advance the searches in lockstep until all are through.

    Args:
        searches: The searches, not yet started.
        classifier: Evaluates the texts they ask for.
        join: Writes units as a text.
        together: Searches under way at once; a finished one makes room for the next.
        advance: Told how many searches have just finished, for a progress bar.

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

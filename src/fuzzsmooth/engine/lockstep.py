"""Runs procedures on the masks of many texts together, so that their questions share the model's batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from fuzzsmooth.certify import Steps
from fuzzsmooth.engine.sampler import Plan, Sampler, mask_rows

ResultT = TypeVar("ResultT")


def run_together(
    procedures: Sequence[Steps[ResultT]],
    plans: Sequence[Plan],
    sampler: Sampler,
    *,
    together: int = 64,
    advance: Callable[[int], None] | None = None,
) -> list[ResultT]:
    """Advance the procedures until all are through.

    Args:
        procedures: One per text, not yet started.
        plans: The texts; their rates are not read.
        sampler: Answers masks; nothing in it may be drawn.
        together: Procedures under way at once; a finished one makes room for the next.
        advance: Told how many have just finished.

    Returns:
        Their results, in order; independent of ``together``.
    """
    results: dict[int, ResultT] = {}
    waiting = iter(range(len(procedures)))
    asked: dict[int, list[int]] = {}

    def step(index: int, answers: Sequence[int] | None) -> None:
        try:
            asked[index] = procedures[index].send(answers)  # type: ignore[arg-type]  # None starts it
        except StopIteration as stop:
            results[index] = stop.value
            if advance is not None:
                advance(1)

    while len(results) < len(procedures):
        while len(asked) < together and (fresh := next(waiting, None)) is not None:
            step(fresh, None)
        if not asked:
            continue
        questions, asked = asked, {}
        chosen = [plans[index] for index in questions]
        kept = [
            mask_rows(masks, len(plan.units)) for masks, plan in zip(questions.values(), chosen, strict=True)
        ]
        for index, labels in zip(questions, sampler.labels(chosen, kept), strict=True):
            step(index, labels.tolist())
    return [results[index] for index in range(len(procedures))]

"""Asking the base classifier about subsets of a text: batched, cached, deduplicated, within a budget.

A subset of the units of one text is a **mask**: an integer whose bit i says that unit i is kept. Order is
kept, so different masks can leave the same string; with the units given, such masks are asked once.

Procedures are generators that yield masks and are sent their labels. They never call a model, so that the
procedures of many texts advance together and share its batches; for a single text :meth:`MaskOracle.run`
does the asking.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Hashable, Iterable, Sequence
from itertools import islice
from typing import Concatenate, Generic, ParamSpec, TypeVar

from fuzzsmooth.common.options import require

Ask = Callable[[Sequence[int]], Sequence[int]]
"""Labels of a batch of kept-unit masks of one text; must be a function of what is kept and nothing else."""

ResultT = TypeVar("ResultT")
ParametersT = ParamSpec("ParametersT")

Steps = Generator[list[int], Sequence[int], ResultT]
"""Yields masks, is sent their labels in the same order, returns a result."""

_LOOKED_THROUGH = 8192  # masks searched for a known answer before new ones are asked

UNDECIDED = -1
"""Label of an answer inside the numerical guard band: equal to no label, itself included."""


class BudgetExceededError(Exception):
    """More model passes were needed than allowed; nothing may be concluded. Caught inside this package."""


class MaskOracle:
    """Labels of what masks of one text leave, each distinct remainder asked at most once.

    Args:
        ask: Answers a batch of masks with class indices, or :data:`UNDECIDED`; ``None`` if somebody else
            advances the procedures.
        length: Units of the text, >= 0.
        units: The units themselves, length ``length``; lets masks that leave the same string share a pass.
        budget: Most model passes allowed; ``None`` means any number.
        batch_size: Most masks per call of ``ask``.
    """

    def __init__(
        self,
        ask: Ask | None,
        length: int,
        *,
        units: Sequence[Hashable] | None = None,
        budget: int | None = None,
        batch_size: int = 256,
    ) -> None:
        require(length >= 0, f"a text cannot have {length} units")
        require(units is None or len(units) == length, f"{length} units were announced but others given")
        require(budget is None or budget >= 0, f"the pass budget must be at least 0, got {budget}")
        require(batch_size >= 1, f"the batch size must be at least 1, got {batch_size}")
        self.length = length
        self.full = (1 << length) - 1
        self.passes = 0
        self._ask = ask
        self._units = None if units is None else tuple(units)
        self._budget = budget
        self._batch_size = batch_size
        self._labels: dict[Hashable, int] = {}

    @property
    def undecided(self) -> bool:
        """Whether any answer so far lay inside the guard band."""
        return UNDECIDED in self._labels.values()

    def run(self, steps: Steps[ResultT]) -> ResultT:
        """Take a procedure to its end with the oracle's own ``ask``."""
        require(self._ask is not None, "this oracle has nobody to ask")
        assert self._ask is not None
        answers: Sequence[int] | None = None
        while True:
            try:
                masks = steps.send(answers)  # type: ignore[arg-type]  # None starts a generator
            except StopIteration as stop:
                return stop.value  # type: ignore[no-any-return]
            answers = self._ask(masks)

    def label(self, mask: int) -> Steps[int]:
        """The label of one mask."""
        return (yield from self.labels([mask]))[0]

    def labels(self, masks: Iterable[int]) -> Steps[list[int]]:
        """The labels of many masks, in order; only unknown distinct remainders cost passes.

        Raises:
            BudgetExceededError: Before asking anything, if the new passes would exceed the budget.
        """
        keys: list[Hashable] = []
        fresh: dict[Hashable, int] = {}
        for mask in masks:
            keys.append(key := self._key(mask))
            if key not in self._labels:
                fresh.setdefault(key, mask)
                if self._budget is not None and self.passes + len(fresh) > self._budget:
                    raise BudgetExceededError
        pending = list(fresh.items())
        for start in range(0, len(pending), self._batch_size):
            batch = pending[start : start + self._batch_size]
            answers = yield [mask for _, mask in batch]
            require(len(answers) == len(batch), f"{len(batch)} masks were asked, {len(answers)} answered")
            self.passes += len(batch)
            self._labels.update((key, int(label)) for (key, _), label in zip(batch, answers, strict=True))
        return [self._labels[key] for key in keys]

    def all_equal(self, masks: Iterable[int], label: int) -> Steps[bool]:
        """Whether every mask gets ``label``; asks batch by batch and stops at the first that does not."""
        if label == UNDECIDED:
            return False
        source = iter(masks)
        while part := list(islice(source, _LOOKED_THROUGH)):  # there may be millions
            keyed = [(self._key(mask), mask) for mask in part]
            if any(self._labels.get(key, label) != label for key, _ in keyed):
                return False
            unknown = list({key: mask for key, mask in keyed if key not in self._labels}.values())
            for start in range(0, len(unknown), self._batch_size):
                answers = yield from self.labels(unknown[start : start + self._batch_size])
                if any(answer != label for answer in answers):
                    return False
        return True

    def _key(self, mask: int) -> Hashable:
        if self._units is None:
            return mask
        return tuple(unit for index, unit in enumerate(self._units) if mask >> index & 1)


class Procedure(Generic[ParametersT, ResultT]):
    """A procedure on an oracle: called, it runs to its end; its ``steps`` are for whoever runs many at once.

    Args:
        steps: The generator function.
    """

    def __init__(self, steps: Callable[Concatenate[MaskOracle, ParametersT], Steps[ResultT]]) -> None:
        self.steps = steps
        self.__doc__ = steps.__doc__
        self.__name__ = steps.__name__

    def __call__(self, oracle: MaskOracle, *args: ParametersT.args, **kwargs: ParametersT.kwargs) -> ResultT:
        """Run with the oracle's own ``ask``."""
        return oracle.run(self.steps(oracle, *args, **kwargs))

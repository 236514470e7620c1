"""What a long run will cost, before it starts: model passes, time and memory, from a small pilot.

How many draws early stopping saves, how many of them repeat, what a pass costs on this machine: a pilot on a
few texts knows all of it, whatever the options. It is spread evenly over the texts ordered by length, so that
the mean cost of its texts is close to that of all. Two things do not grow with the number of texts and are
kept apart: flip rates of unit types, which are computed once per type (the distinct types of all texts are
counted), and the peak memory, which is that of the longest text.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.options import require
from fuzzsmooth.defenses.randomized import Randomized
from fuzzsmooth.engine.fuzzers import TypeFuzzer

if TYPE_CHECKING:
    from fuzzsmooth.defenses import Defense
    from fuzzsmooth.jobs.loading import Defended

PILOT = 16
"""Texts of a pilot. Costs vary mostly with length, and the order by length takes care of that."""


@dataclass(frozen=True)
class Estimate:
    """A forecast.

    Attributes:
        texts: How many texts it is about.
        pilot: How many of them were run for it.
        passes: Sequences that the model will evaluate.
        seconds: How long it will take, without loading the model.
        memory_bytes: Peak memory of the process, model included; None where the system does not tell.
    """

    texts: int
    pilot: int
    passes: int
    seconds: float
    memory_bytes: int | None

    def to_json(self) -> dict[str, Any]:
        """The estimate as JSON-serializable values."""
        return asdict(self)


@dataclass(frozen=True)
class Types:
    """Work done once per unit type, such as flip rates.

    Attributes:
        of_texts: The distinct types that some texts hold.
        prepare: Does the work for these types; what is done already costs nothing.
    """

    of_texts: Callable[[Sequence[str]], set[str]]
    prepare: Callable[[set[str]], object]


def estimate(
    run: Callable[[Sequence[str]], object],
    texts: Sequence[str],
    passes: Callable[[], int],
    *,
    types: Types | None = None,
    pilot: int = PILOT,
) -> Estimate:
    """Forecast ``run(texts)`` by running it on a few of the texts.

    Args:
        run: The work on a list of texts, such as :meth:`fuzzsmooth.defenses.Defense.certify`.
        texts: All texts.
        passes: Tells how many sequences the model has evaluated so far.
        types: Work per unit type inside of ``run``, if there is any.
        pilot: Texts of the pilot, >= 1; all of them if there are no more.

    Raises:
        FuzzsmoothError: If there are no texts, or the pilot is empty.
    """
    if not texts:
        raise FuzzsmoothError("there is nothing to estimate: no texts were given")
    require(pilot >= 1, f"the pilot needs at least one text, got {pilot}")
    order = sorted(texts, key=len)
    # The longest text first: it pays what is paid once (casts, token maps) and shows the peak of the memory.
    longest = order[-1]
    if types is not None:
        types.prepare(types.of_texts([longest]))
    run([longest])
    size = min(pilot, len(order))
    chosen = [order[(2 * index + 1) * len(order) // (2 * size)] for index in range(size)]
    once_passes, once_seconds = 0.0, 0.0
    if types is not None:
        known = types.of_texts([longest])
        fresh, left = types.of_texts(chosen) - known, types.of_texts(texts) - known
        spent, taken = _measured(lambda: types.prepare(fresh), passes)
        if fresh:
            once_passes, once_seconds = (value * len(left) / len(fresh) for value in (spent, taken))
    spent, taken = _measured(lambda: run(chosen), passes)
    share = len(order) / size
    return Estimate(
        len(order), size, round(spent * share + once_passes), taken * share + once_seconds, _peak_memory()
    )


def estimate_certify(defended: Defended, texts: Sequence[str]) -> Estimate:
    """Forecast the certificates of many texts.

    Args:
        defended: The defended classifier; the pilot's answers stay in its memory, and its draws are the same.
        texts: All texts.

    Raises:
        FuzzsmoothError: If there are no texts.
    """
    defense = defended.defense
    chunk = defense.together(certify=True)

    def run(received: Sequence[str]) -> None:
        for start in range(0, len(received), chunk):
            defense.certify(received[start : start + chunk])

    return estimate(run, texts, lambda: defended.model.forward_count, types=_unit_types(defense))


def _unit_types(defense: Defense) -> Types | None:
    """The flip rates of unit types, where the defense needs them."""
    if not isinstance(defense, Randomized):
        return None
    sampler, fuzzer = defense.sampler, defense.sampler.fuzzer
    if not isinstance(fuzzer, TypeFuzzer):
        return None

    def of_texts(texts: Sequence[str]) -> set[str]:
        return {unit for text in texts for unit in sampler.segmenter.segment(text).units}

    return Types(of_texts, lambda types: fuzzer.flagged(sorted(types)))


def _measured(action: Callable[[], object], passes: Callable[[], int]) -> tuple[int, float]:
    """Passes and seconds of an action."""
    before, began = passes(), time.perf_counter()
    action()
    return passes() - before, time.perf_counter() - began


def _peak_memory() -> int | None:
    if sys.platform == "win32":
        return None
    import resource  # only where there is one

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024

"""A fixed number of draws and one Clopper-Pearson bound."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from fuzzsmooth.certify import TopClassBound, bound_hybrid_top_class, bound_top_class
from fuzzsmooth.certify.bounds import selection_draws
from fuzzsmooth.smoothing.evidence import Case, Evidence, Source

_TOGETHER = 8192  # draws asked for at once: bounds what is lost to a kill, fills the batches


def fixed_evidence(
    source: Source,
    cases: Sequence[Case],
    *,
    alpha: float,
    advance: Callable[[int], None] | None = None,
) -> list[Evidence]:
    """Bound the top class of each text from all of its draws.

    Two classes: the same draws select and bound, each class at alpha / 2. More: a tenth selects, the rest
    bounds at alpha.

    Args:
        source: Where the draws come from.
        cases: The texts.
        alpha: Failure probability per text.
        advance: Told how many texts have just been finished.
    """
    found: dict[int, Evidence] = {}
    for draws in dict.fromkeys(case.draws for case in cases):
        group = [case for case in cases if case.draws == draws]
        size = max(1, _TOGETHER // max(1, draws))
        for first in range(0, len(group), size):
            part = group[first : first + size]
            found.update((one.text, evidence) for one, evidence in _bound_alike(source, part, draws, alpha))
            if advance is not None:
                advance(len(part))
    return [found[case.text] for case in cases]


def _bound_alike(
    source: Source, cases: Sequence[Case], draws: int, alpha: float
) -> Iterator[tuple[Case, Evidence]]:
    """Bound texts that have equally many draws."""
    texts, classes = [case.text for case in cases], len(cases[0].exact_parts)
    selecting = selection_draws(draws, classes) if draws else 0
    selection = source.votes(texts, [range(selecting)] * len(texts)) if selecting else None
    estimation = (
        source.votes(texts, [range(selecting, draws)] * len(texts))
        if draws
        else np.zeros((len(texts), classes), dtype=np.int64)
    )
    for row, case in enumerate(cases):
        chosen = None if selection is None else selection[row]
        yield case, _bounded(case, chosen, estimation[row], draws - selecting, alpha)


def _bounded(
    case: Case,
    selection: npt.NDArray[np.int64] | None,
    estimation: npt.NDArray[np.int64],
    trials: int,
    alpha: float,
) -> Evidence:
    total = estimation if selection is None else selection + estimation
    undecided = trials - int(estimation.sum())
    chosen: list[int] = (estimation if selection is None else selection).tolist()
    separate: list[int] | None = None if selection is None else estimation.tolist()
    bound: TopClassBound
    if case.hybrid:
        bound = bound_hybrid_top_class(
            case.exact_parts, case.mass, chosen, separate, alpha=alpha, undecided=undecided
        )
    else:
        bound = bound_top_class(chosen, separate, alpha=alpha, undecided=undecided)
    return Evidence(
        bound,
        tuple(int(count) for count in total),
        case.draws,
        "monte_carlo",
        "hybrid-fixed" if case.hybrid else "fixed",
        enumerated=case.enumerated,
    )

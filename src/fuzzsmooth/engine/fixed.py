"""A fixed number of draws and one Clopper-Pearson bound."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from fuzzsmooth.certify import Rivals, bound_top_class
from fuzzsmooth.engine.evidence import Case, Evidence, Source
from fuzzsmooth.engine.sampler import Votes

_TOGETHER = 8192  # draws asked for at once: bounds what is lost to a kill, fills the batches


def fixed_evidence(
    source: Source,
    cases: Sequence[Case],
    *,
    alpha: float,
    rivals: Rivals = "complement",
    advance: Callable[[int], None] | None = None,
) -> list[Evidence]:
    """Bound the top class of each text from all of its draws.

    Two classes: the same draws select and bound. More: a tenth selects, unless enumeration has, and the rest
    bounds at alpha.

    Args:
        source: Where the draws come from.
        cases: The texts.
        alpha: Failure probability per text.
        rivals: How the rivals of three or more classes are bounded.
        advance: Told how many texts have just been finished.
    """
    found: dict[int, Evidence] = {}
    for alike in dict.fromkeys((case.draws, case.selecting) for case in cases):
        group = [case for case in cases if (case.draws, case.selecting) == alike]
        size = max(1, _TOGETHER // max(1, alike[0]))
        for first in range(0, len(group), size):
            part = group[first : first + size]
            found.update((one.text, evidence) for one, evidence in _bound_alike(source, part, alpha, rivals))
            if advance is not None:
                advance(len(part))
    return [found[case.text] for case in cases]


def _bound_alike(
    source: Source, cases: Sequence[Case], alpha: float, rivals: Rivals
) -> Iterator[tuple[Case, Evidence]]:
    """Bound texts that have equally many draws, and as many of them for selecting."""
    draws, selecting = cases[0].draws, cases[0].selecting
    selection = _votes(source, cases, range(selecting))
    estimation = _votes(source, cases, range(selecting, draws))
    for case, chosen, bounding in zip(cases, selection, estimation, strict=True):
        yield case, _bounded(case, chosen, bounding, alpha, rivals)


def _votes(source: Source, cases: Sequence[Case], draws: range) -> Votes:
    if not draws:
        return np.zeros((len(cases), len(cases[0].exact_parts)), dtype=np.int64)
    return source.votes([case.text for case in cases], [draws] * len(cases))


def _bounded(case: Case, selection: Votes, estimation: Votes, alpha: float, rivals: Rivals) -> Evidence:
    chosen, votes = selection.tolist(), estimation.tolist()
    both = len(votes) == 2 and case.sole is None  # selected and bounded by the same draws
    bound = bound_top_class(
        votes if both else chosen,
        None if both else votes,
        alpha=alpha,
        undecided=case.draws - case.selecting - sum(votes),
        rivals=rivals,
        strata=case.strata,
        label=case.sole,
    )
    return Evidence(
        bound,
        tuple(int(count) for count in selection + estimation),
        case.draws,
        "monte_carlo",
        "hybrid-fixed" if case.hybrid else "fixed",
        enumerated=case.enumerated,
    )

"""How the passes of a certificate are spent: on all deletions, on the likeliest, or on draws."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache

from fuzzsmooth.certify import AWAITED, MOST_UNITS, Threat, plan_strata, radius_levels
from fuzzsmooth.engine.enumeration import exact_evidence, stratified_plans
from fuzzsmooth.engine.evidence import (
    DrawnText,
    Evidence,
    SampledVotes,
    VoteSource,
    fixed_evidence,
    plain_plans,
)
from fuzzsmooth.engine.group_sequential import plan_looks
from fuzzsmooth.engine.options import DrawOptions, VoteOptions
from fuzzsmooth.engine.sampler import Plan, Sampler
from fuzzsmooth.engine.sequential import Levels, sequential_evidence
from fuzzsmooth.noise.text import represented

Advance = Callable[[int], None]

_TOGETHER = 8  # short texts enumerated at once
_MOST = 1000  # units: no certificate of edits or insertions reaches further below a rate of .9993

# Levels between the radius levels: nobody waits for them, but weights and costs are certified from them.
_GRID = tuple(k / 100 for k in range(51, 100))

# Levels at which the budget ln(2 p) of weighted insertions has grown by another tenth of its maximum.
_BUDGET_LEVELS = tuple(0.5 * 2.0 ** (k / 10) for k in range(1, 10))


def gather_evidence(
    plans: Sequence[Plan],
    sampler: Sampler,
    options: DrawOptions,
    *,
    weighted: bool = False,
    rates: Sequence[float] | None = None,
    advance: Advance | None = None,
) -> list[Evidence]:
    """Bound the class probabilities of each text by at most ``options.draws`` passes, at ``options.alpha``.

    Args:
        plans: The texts and the rates of their units.
        sampler: Draws deleted texts and asks for their labels.
        options: Statistics, passes, alpha, rate and seed.
        weighted: Whether units have rates of their own, none below ``options.rate``.
        rates: The lowest rate of each text's units, as represented; ``options.rate`` by default.
        advance: Told how many texts have just been finished.
    """
    own = [represented(options.rate)] * len(plans) if rates is None else list(rates)
    low: dict[int, int] = {}
    short: list[int] = []
    sparing = options.statistics == "group-sequential"
    if options.statistics in ("auto", "group-sequential") and sampler.has_one_answer:
        for text, plan in enumerate(plans):
            length = len(plan.units)
            most_kept, passes = _planned(length, own[text], options.draws, sparing=sparing)
            if length <= MOST_UNITS and 1 << length <= math.ceil(passes):
                short.append(text)
            elif not weighted and most_kept is not None:
                low[text] = most_kept
    exact = _exact([plans[text] for text in short], sampler, [own[text] for text in short], advance)
    found = dict(zip(short, exact, strict=True))
    groups: list[tuple[VoteSource, list[DrawnText]]] = []
    if low:
        drawn_texts, source = stratified_plans(
            plans, low, sampler, rates=own, draws=options.draws, sparing=options.alpha if sparing else None
        )
        groups.append((source, drawn_texts))
    nothing = (0.0,) * len(sampler.classifier.labels)
    sampled = [
        DrawnText(text, len(plan.units), options.draws, nothing)
        for text, plan in enumerate(plans)
        if text not in found and text not in low
    ]
    groups.append((SampledVotes(plans, sampler), sampled))
    for origin, part in groups:
        evidence = _draw(origin, part, options, own, weighted, advance)
        found.update((drawn.index, one) for drawn, one in zip(part, evidence, strict=True))
    return [found[text] for text in range(len(plans))]


def vote_evidence(
    plans: Sequence[Plan],
    sampler: Sampler,
    options: VoteOptions,
    *,
    copies: int,
    advance: Advance | None = None,
) -> list[Evidence]:
    """Bound the class probabilities of each text by a vote of some copies, as FRS does."""
    lengths = [len(plan.units) for plan in plans]
    drawn_texts = plain_plans(lengths, draws=copies, classes=len(sampler.classifier.labels))
    source = SampledVotes(plans, sampler)
    return fixed_evidence(source, drawn_texts, alpha=options.alpha, rivals=options.rivals, advance=advance)


def _exact(
    plans: Sequence[Plan], sampler: Sampler, rates: Sequence[float], advance: Advance | None
) -> list[Evidence]:
    found: list[Evidence] = []
    for start in range(0, len(plans), _TOGETHER):
        part = plans[start : start + _TOGETHER]
        found += exact_evidence(part, sampler, rates[start : start + _TOGETHER])
        if advance is not None:
            advance(len(part))
    return found


def _draw(
    source: VoteSource,
    drawn_texts: Sequence[DrawnText],
    options: DrawOptions,
    rates: Sequence[float],
    weighted: bool,
    advance: Advance | None,
) -> list[Evidence]:
    if options.statistics == "fixed":
        return fixed_evidence(
            source, drawn_texts, alpha=options.alpha, rivals=options.rivals, advance=advance
        )
    levels = [
        levels_of(options, drawn.length, weighted=weighted, rate=rates[drawn.index]) for drawn in drawn_texts
    ]
    looks = options.statistics == "group-sequential"
    return sequential_evidence(
        source,
        drawn_texts,
        levels,
        alpha=options.alpha,
        looks=looks,
        rivals=options.rivals,
        advance=advance,
    )


def _planned(length: int, rate: float, draws: int, *, sparing: bool) -> tuple[int | None, float]:
    """How many units the enumerated masks keep at most, or None, and how many passes that may take."""
    return _plan_looks(length, rate, draws) if sparing else (plan_strata(length, rate, draws), draws)


@cache
def _plan_looks(length: int, rate: float, draws: int) -> tuple[int | None, float]:
    return plan_looks(length, rate, draws)


def levels_of(
    options: DrawOptions, length: int, *, weighted: bool = False, rate: float | None = None
) -> Levels:
    """The levels that a sequential test of a text of ``length`` units goes through.

    They decide where drawing stops, not what is claimed: the test is valid whenever it stops.
    """
    rate = represented(options.rate) if rate is None else rate
    by_threat = {
        # More cannot have been inserted than there is; but any number can be inserted.
        name: _levels(rate, threat, length if threat == "delete" else _MOST)
        for name, threat in AWAITED.items()
    }
    awaited = {level for name in options.awaited for level in by_threat[name]}
    awaited |= set(_BUDGET_LEVELS if weighted else ())
    levels = awaited.union(_GRID, _BUDGET_LEVELS, *by_threat.values())
    return Levels(tuple(sorted(levels)), tuple(sorted(awaited)))


@cache
def _levels(rate: float, threat: Threat, most: int) -> tuple[float, ...]:
    return radius_levels(rate, threat, most=most)

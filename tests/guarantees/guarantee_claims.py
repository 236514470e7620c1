"""Claims about deletion for the count of certified pairs: Theorems 1, 3 (post-processing), 1n and 4w."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any

import numpy as np
from guarantee_pairs import FAR, Matrix, SmoothedClaim, Steps, ranked
from guarantee_universe import Text, Universe, alignment, deletion_law, steps_of, uniform_law, universe

from fuzzsmooth.certify import (
    Certificate,
    LengthRates,
    RateTable,
    Threat,
    TopClassBound,
    backward_radius,
    certified,
    exact_rate,
    insertion_budget,
    length_lower_bound,
    length_radius,
    radius,
)
from fuzzsmooth.common.randomness import generator
from fuzzsmooth.defenses.deletion import DeletionOptions
from fuzzsmooth.engine.certificates import Issuer
from fuzzsmooth.engine.evidence import Evidence
from fuzzsmooth.engine.length_rates import length_certificates
from table_classifier import TableClassifier

Profile = Sequence[tuple[int, int]]
EDIT = "certify.theorems.edit"


def operations(space: Universe) -> dict[Threat, tuple[Steps, Steps]]:
    """For each threat the operations from text to text, and the reach that the world holds."""
    room = int(space.lengths.max()) - space.lengths
    everywhere = np.full(len(space.texts), FAR)
    same_length = space.lengths[:, None] == space.lengths[None, :]
    return {
        "edit": (space.distance, room),
        "insert": (np.where(space.source == 0, space.target, FAR), room),
        "delete": (np.where(space.target == 0, space.source, FAR), everywhere),
        "substitute": (np.where(same_length, space.source, FAR), everywhere),
        "transpose": (steps_of(space.texts, swaps, FAR), everywhere),
    }


def swaps(text: Text) -> Iterator[Text]:
    """All texts one swap of neighbors away."""
    for place in range(len(text) - 1):
        yield (*text[:place], text[place + 1], text[place], *text[place + 2 :])


def named(space: Universe, rate: float | str) -> str:
    """The world of a claim, for its row."""
    return f"{space.vocabulary} letters, up to {int(space.lengths.max())} units, {rate}"


def uniform_claims(worlds: Profile, rates: Sequence[float]) -> Iterator[SmoothedClaim]:
    """Theorem 1 in all its rows, forward and backward, and through post-processing (Theorem 3)."""
    for world, rate in itertools.product(worlds, map(exact_rate, rates)):
        space = universe(*world)
        law, by_threat, where = uniform_law(space, rate), operations(space), named(space, f"w = {rate:.1f}")
        for threat, (within, cap) in by_threat.items():

            def forward(
                group: int, low: float, high: float | None, *, w: float = rate, threat: Threat = threat
            ) -> int:
                return radius(low, w, threat, p_upper=high)

            yield SmoothedClaim(
                f"T1 {threat} | {where}", "T1", f"{EDIT}.radius", within, cap, law=law, radii=forward
            )
            if threat in ("edit", "insert"):
                yield SmoothedClaim(
                    f"T3 {threat} | {where}",
                    "T3",
                    f"{EDIT}.radius",
                    within,
                    cap,
                    law=law @ fuzzing(space, world[0]),
                    radii=forward,
                )

        def backward(group: int, low: float, high: float | None, *, w: float = rate) -> int:
            return backward_radius(low, w, "insert", p_upper=high)

        within, cap = by_threat["delete"]
        yield SmoothedClaim(
            f"T1 backward | {where}", "T1", f"{EDIT}.backward_radius", within, cap, law=law, radii=backward
        )

        kinds = np.where(space.distance > 0, space.source * 100 + space.target, -1)

        def mixture(low: float, kind: int, *, w: float = rate) -> bool:
            return certified(low, w, unmatched_source=kind // 100, unmatched_target=kind % 100)

        within, radii = ranked(kinds, mixture)
        yield SmoothedClaim(
            f"T1 mixtures | {where}",
            "T1",
            f"{EDIT}.certified",
            within,
            everywhere(space),
            law=law,
            radii=radii,
            rivals=False,
        )


def everywhere(space: Universe) -> Steps:
    """No cap: the claim is about the pairs of the world one by one."""
    return np.full(len(space.texts), FAR)


def fuzzing(space: Universe, seed: int) -> Matrix:
    """A random procedure on what deletion left: from each string to three of the world, or to itself."""
    source, texts = generator(seed, "fuzzing"), len(space.texts)
    kernel = np.eye(texts) * source.uniform(0.2, 0.9, size=(texts, 1))
    for _ in range(3):
        kernel[np.arange(texts), source.integers(texts, size=texts)] += source.random(texts) * 0.3
    return np.asarray(kernel / kernel.sum(axis=1, keepdims=True))


def length_claims(worlds: Profile) -> Iterator[SmoothedClaim]:
    """Theorem 1n: radii at every text, and the bound at every pair."""
    for world, rates in itertools.product(
        worlds, (LengthRates((2,), (0.55, 0.8)), LengthRates((1, 3, 4), (0.9, 0.6, 0.8, 0.7)))
    ):
        space, longest = universe(*world), world[1]
        law = deletion_law(space, lambda text, rates=rates: (rates.rate(len(text)),) * len(text))
        where = named(space, "w = " + ", ".join(f"{rate:.1f}" for rate in rates.rates))
        for threat, (within, cap) in operations(space).items():
            if threat not in ("edit", "insert", "delete"):
                continue

            def radii(
                group: int,
                low: float,
                high: float | None,
                *,
                rates: LengthRates = rates,
                threat: Threat = threat,
                longest: int = longest,
            ) -> int:
                return length_radius(low, rates, group, threat, p_upper=high, most=longest)

            yield SmoothedClaim(
                f"T1n {threat} | {where}",
                "T1n",
                "certify.theorems.length_rates.length_radius",
                within,
                cap,
                law=law,
                radii=radii,
                groups=space.lengths,
                rivals=False,
            )
        base = longest + 1
        kinds = (space.lengths[:, None] * base + space.source) * base + space.target
        kinds = np.where(space.distance > 0, kinds, -1)

        def bound(low: float, kind: int, *, rates: LengthRates = rates, base: int = base) -> bool:
            length, a, b = kind // base**2, kind // base % base, kind % base
            return length_lower_bound(low, rates, length, unmatched_source=a, unmatched_target=b) > 0.5

        within, by_rank = ranked(kinds, bound)
        yield SmoothedClaim(
            f"T1n bound | {where}",
            "T1n",
            "certify.theorems.length_rates.length_lower_bound",
            within,
            everywhere(space),
            law=law,
            radii=by_rank,
            rivals=False,
        )


def deployed_length_claims(worlds: Profile) -> Iterator[SmoothedClaim]:
    """Theorem 1n as defense "deletion" issues it: rates by a rule, as coins apply them, and certificates."""
    for world, (kept, low, high) in itertools.product(worlds, ((0.5, 0.6, 0.95), (0.3, 0.8, 0.95))):
        options = DeletionOptions(kept_units=kept, rate_short=low, rate_long=high, fuzzing=False)
        rates, space = options.length_rates(), universe(*world)
        assert rates is not None
        law = deletion_law(space, lambda text, rates=rates: (rates.rate(len(text)),) * len(text))
        issuer = Issuer(options, TableClassifier({}, (1.0, 0.0)))

        @cache
        def issued(
            low: float, high: float | None, length: int, *, options: DeletionOptions = options,
            issuer: Issuer = issuer,
        ) -> tuple[Certificate, ...]:  # fmt: skip
            bound = TopClassBound(0, low, 1 - low if high is None else high, 1, 1)
            found = Evidence(bound, (1, 0), 1, "monte_carlo", "fixed")
            return length_certificates(found, issuer, options, length)

        by_threat, where = operations(space), named(space, f"{kept} kept")
        for place, (name, threat) in enumerate(
            (("edit", "edit"), ("insert", "insert"), ("backward", "delete"), ("delete", "delete"))
        ):

            def radii(
                group: int, low: float, high: float | None, *, place: int = place, issued: Any = issued
            ) -> int:
                return int(issued(low, high, group)[place].radius)

            within, cap = by_threat[threat]  # type: ignore[index]
            yield SmoothedClaim(
                f"T1n deployed {name} | {where}",
                "T1n",
                "certify.theorems.length_rates.length_radius",
                within,
                cap,
                law=law,
                radii=radii,
                groups=space.lengths,
                rivals=False,
            )


def typed_claims(worlds: Profile) -> Iterator[SmoothedClaim]:
    """Theorem 4w: every edit that a text affords, costs of insertions, and sets of units one by one."""
    module = "certify.theorems.typed_rates"
    for world, listed in itertools.product(worlds, ((0.6, 0.7, 0.9), (0.7, 0.8, 0.97))):
        space = universe(*world)
        table = RateTable(listed[0], dict(enumerate(listed[1:], 1)))
        law = deletion_law(space, lambda text, table=table: tuple(table.rate(unit) for unit in text))
        bags = sorted({tuple(sorted(text)) for text in space.texts})
        groups = np.array([bags.index(tuple(sorted(text))) for text in space.texts])
        where = named(space, "w = " + ", ".join(f"{rate:.2f}" for rate in listed))
        by_threat = operations(space)

        def row(
            name: str, formula: str, threat: Threat, radii: Callable[[int, float, float | None], int],
            *, groups: np.ndarray | None = None, law: Matrix = law, by_threat: dict = by_threat,
            where: str = where,
        ) -> SmoothedClaim:  # fmt: skip
            within, cap = by_threat[threat]
            return SmoothedClaim(
                f"T4w {name} | {where}", "T4w", f"{module}.{formula}", within, cap,
                law=law, radii=radii, groups=groups, rivals=groups is None,
            )  # fmt: skip

        def edits(group: int, low: float, high: float | None, *, table=table, bags=bags) -> int:
            return table.worst_edit_radius(low, bags[group], p_upper=high)

        def insertions(group: int, low: float, high: float | None, *, table=table) -> int:
            return table.worst_insertion_radius(low, p_upper=high)

        def removals(group: int, low: float, high: float | None, *, table=table, bags=bags) -> int:
            return table.worst_removal_radius(low, bags[group], p_upper=high)

        yield row("edit", "RateTable.worst_edit_radius", "edit", edits, groups=groups)
        yield row("insert", "RateTable.worst_insertion_radius", "insert", insertions)
        yield row("backward", "RateTable.worst_removal_radius", "delete", removals, groups=groups)

        aligned = [[alignment(one, two) for two in space.texts] for one in space.texts]
        keys = [[tuple(tuple(sorted(part)) for part in pair) for pair in line] for line in aligned]
        known = sorted({key for line in keys for key in line})
        number = {key: position for position, key in enumerate(known)}
        kinds = np.array([[number[key] for key in line] for line in keys])
        kinds = np.where(space.distance > 0, kinds, -1)

        def sets(low: float, kind: int, *, table=table, known=known) -> bool:
            return table.certified(low, removed=known[kind][0], added=known[kind][1])

        def costs(low: float, kind: int, *, table=table, known=known) -> bool:
            return table.cost(known[kind][1]) < insertion_budget(low)

        only_added = np.array([not removed for removed, _ in known])
        inserted = np.where(only_added[kinds.clip(0)], kinds, -1)
        for name, formula, of_kind, sure in (
            ("sets", "RateTable.certified", kinds, sets),
            ("costs", "insertion_budget", inserted, costs),
        ):
            within, radii = ranked(of_kind, sure)
            yield SmoothedClaim(
                f"T4w {name} | {where}", "T4w", f"{module}.{formula}", within, everywhere(space),
                law=law, radii=radii, rivals=False,
            )  # fmt: skip

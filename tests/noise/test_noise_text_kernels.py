from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest
from scipy import stats

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.noise.text import (
    KERNELS,
    Deletion,
    Masking,
    Rates,
    Substitution,
    TextKernel,
    area_rates,
    kept_mask,
    represented,
    text_kernel,
    uniform_rates,
)

UNITS = ("a", "b", "c", "d")
RATES = np.array([0.2, 0.5, 0.7, 0.9])
DRAWS = 20_000
VOCABULARY = ("a", "x", "y")
Kernel = Callable[[tuple[str, ...], Rates, np.random.Generator], tuple[str, ...]]


def law_of_hits(outcome: Callable[[tuple[bool, ...]], tuple[str, ...]]) -> dict[tuple[str, ...], float]:
    """Closed form: each unit is kept independently with probability 1 - represented(rate)."""
    law: Counter[tuple[str, ...]] = Counter()
    for kept in product([False, True], repeat=len(UNITS)):
        rates = [represented(rate) for rate in RATES]
        law[outcome(kept)] += float(np.prod([1 - w if k else w for w, k in zip(rates, kept, strict=True)]))
    return dict(law)


def deletion_law() -> dict[tuple[str, ...], float]:
    return law_of_hits(lambda kept: tuple(u for u, k in zip(UNITS, kept, strict=True) if k))


def masking_law() -> dict[tuple[str, ...], float]:
    return law_of_hits(lambda kept: tuple(u if k else "[MASK]" for u, k in zip(UNITS, kept, strict=True)))


def substitution_law() -> dict[tuple[str, ...], float]:
    law = {}
    for result in product([*VOCABULARY, "b", "c", "d"], repeat=len(UNITS)):
        chance = 1.0
        for unit, rate, new in zip(UNITS, RATES, result, strict=True):
            chance *= represented(rate) * (new in VOCABULARY) / 3 + (1 - represented(rate)) * (new == unit)
        if chance:
            law[result] = chance
    return law


def law_p_value(kernel: Kernel, law: dict[tuple[str, ...], float], seed: int = 0) -> float:
    """Chi-square test that the kernel has the law; 0 if it gives what the law excludes."""
    assert sum(law.values()) == pytest.approx(1.0, abs=1e-12)
    generator = np.random.default_rng(seed)
    counts = Counter(kernel(UNITS, RATES, generator) for _ in range(DRAWS))
    if counts.keys() - law.keys():
        return 0.0
    expected = {outcome: DRAWS * chance for outcome, chance in law.items()}
    common = [outcome for outcome in law if expected[outcome] >= 5]
    rest = [outcome for outcome in law if expected[outcome] < 5]  # pooled, as the test asks
    observed = [counts[o] for o in common] + [sum(counts[o] for o in rest)] * bool(rest)
    wanted = [expected[o] for o in common] + [sum(expected[o] for o in rest)] * bool(rest)
    return float(stats.chisquare(observed, wanted).pvalue)


@pytest.mark.parametrize(
    ("kernel", "law"),
    [
        (Deletion(), deletion_law()),
        (Masking("[MASK]"), masking_law()),
        (Substitution(VOCABULARY), substitution_law()),
    ],
    ids=lambda value: getattr(value, "name", "law"),
)
def test_the_law_is_exact(kernel: TextKernel, law: dict[tuple[str, ...], float]) -> None:
    assert law_p_value(kernel, law) > 1e-3


def keep_at_least_one(
    units: tuple[str, ...], rates: Rates, generator: np.random.Generator
) -> tuple[str, ...]:
    return Deletion()(units, rates, generator) or (units[int(generator.integers(len(units)))],)


def resample_if_empty(
    units: tuple[str, ...], rates: Rates, generator: np.random.Generator
) -> tuple[str, ...]:
    while not (kept := Deletion()(units, rates, generator)):
        pass
    return kept


def slightly_wrong_rate(
    units: tuple[str, ...], rates: Rates, generator: np.random.Generator
) -> tuple[str, ...]:
    return Deletion()(units, rates * 0.97, generator)


def one_coin_for_two_units(
    units: tuple[str, ...], rates: Rates, generator: np.random.Generator
) -> tuple[str, ...]:
    coins = np.repeat(generator.random(2), 2)  # every unit alone has its rate, pairs do not
    return tuple(u for u, coin, rate in zip(units, coins, rates, strict=True) if coin >= rate)


def fixed_number_kept(
    units: tuple[str, ...], rates: Rates, generator: np.random.Generator
) -> tuple[str, ...]:
    keep = set(generator.permutation(len(units))[:2].tolist())
    return tuple(u for i, u in enumerate(units) if i in keep)


@pytest.mark.parametrize(
    "wrong",
    [keep_at_least_one, resample_if_empty, slightly_wrong_rate, one_coin_for_two_units, fixed_number_kept],
)
def test_wrong_laws_are_detected(wrong: Kernel) -> None:
    assert law_p_value(wrong, deletion_law()) < 1e-6


OURS: list[TextKernel] = [Deletion(), Masking("[MASK]"), Substitution(VOCABULARY)]


@pytest.mark.parametrize("kernel", OURS, ids=lambda kernel: kernel.name)
def test_empty_text_and_certain_rates(kernel: TextKernel) -> None:
    generator = np.random.default_rng(0)
    assert isinstance(kernel, TextKernel)
    assert kernel((), uniform_rates(0, 0.9), generator) == ()
    assert kernel(UNITS, uniform_rates(4, 0.0), generator) == UNITS
    for _ in range(200):
        result = kernel(UNITS, uniform_rates(4, 1.0), generator)
        assert result in ((), ("[MASK]",) * 4) or set(result) <= set(VOCABULARY)
    with pytest.raises(FuzzsmoothError, match="3 rates for 4 units"):
        kernel(UNITS, uniform_rates(3, 0.5), generator)


@pytest.mark.parametrize("kernel", OURS, ids=lambda kernel: kernel.name)
def test_the_first_words_of_the_generator_decide_what_is_hit(kernel: TextKernel) -> None:
    units = tuple(f"u{i}" for i in range(50))
    rates = uniform_rates(50, 0.4)
    kept = kept_mask(rates, np.random.default_rng(5)).tolist()
    result = kernel(units, rates, np.random.default_rng(5))
    assert [u for u in result if u in units] == [u for u, k in zip(units, kept, strict=True) if k]


def test_a_vulnerable_area_is_hit_at_its_rate() -> None:
    rates = area_rates(4, [2], 0.95, 0.1)
    generator = np.random.default_rng(2)
    kept = Counter(unit for _ in range(20_000) for unit in Deletion()(UNITS, rates, generator))
    for unit, rate in zip(UNITS, rates, strict=True):
        assert stats.binomtest(kept[unit], 20_000, 1 - rate).pvalue > 1e-3


def test_kernels_by_name() -> None:
    parameters: dict[str, dict[str, Any]] = {
        "deletion": {},
        "masking": {"mask": "<mask>"},
        "share-masking": {"share": 0.5, "mask": "<mask>"},
        "shuffled-deletion": {},
        "substitution": {"vocabulary": ["x", "y"]},
        "synonyms": {"sets": {"x": ("x", "y")}},
    }
    assert set(parameters) == set(KERNELS.all())
    for name, values in parameters.items():
        assert text_kernel(name, **values).name == name
    assert text_kernel("substitution", vocabulary=["x", "y"]) == Substitution(("x", "y"))


def test_bad_kernels_are_refused() -> None:
    with pytest.raises(FuzzsmoothError, match="unknown text noise 'shuffle'; known: deletion, masking"):
        text_kernel("shuffle")
    with pytest.raises(FuzzsmoothError, match="needs the parameter 'mask'"):
        text_kernel("masking")
    with pytest.raises(FuzzsmoothError, match="no parameter 'mask'; it takes none"):
        text_kernel("deletion", mask="x")
    with pytest.raises(FuzzsmoothError, match="mask is empty"):
        Masking("")
    with pytest.raises(FuzzsmoothError, match="is empty; give at least one"):
        Substitution(())
    with pytest.raises(FuzzsmoothError, match="lists a unit twice"):
        Substitution(("a", "a"))

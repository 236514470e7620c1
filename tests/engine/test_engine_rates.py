"""Bounds are computed at the rate they are given, so the engine must give the rate that its coins have."""

from __future__ import annotations

import pytest
from engine_worlds import TRIGGERED, Rule, references, smoothed

from defended import options_for
from fuzzsmooth.certify.confidence import anytime, stratified
from fuzzsmooth.certify.theorems import edit, exact, typed_rates
from fuzzsmooth.defenses import defend
from fuzzsmooth.defenses.rs_del import RsDel
from fuzzsmooth.engine.type_rates import TypeRates
from fuzzsmooth.noise.text import represented
from fuzzsmooth.search import Scanner, SearchOptions
from fuzzsmooth.text.units import segmenter

TYPED = (0.7, 0.8, 0.85, 0.95)
ANY_G = Rule(lambda text: int("g" in text))


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> set[float]:
    """The rates that any bound was computed at."""
    found: set[float] = set()

    def recorded(rate: float) -> float:
        found.add(rate)
        return rate

    for module in (anytime, edit, exact, stratified, typed_rates):
        monkeypatch.setattr(module, "checked_rate", recorded)
    return found


def test_every_bound_is_computed_at_the_rate_of_the_coins(seen: set[float]) -> None:
    texts = [" ".join(f"g{index}" for index in range(length)) for length in (3, 20, 60)]
    for statistics in ("auto", "group-sequential", "fixed", "sequential"):
        options = {"defense": "deletion", "fuzzing": False, "draws": 200, "rate": 0.8}
        smoothed(ANY_G, statistics=statistics, **options).certify(texts)
    smoothed(ANY_G, fuzzing=False, rate_uniform=0.7).certify(texts)
    smoothed(ANY_G, fuzzing=True, rate_high=0.85).certify(texts)
    RsDel(ANY_G, {"rate": 0.7, "draws": 50, "alpha": 0.01}).certify(texts)
    scanner = Scanner(TRIGGERED, SearchOptions(budget=64, references=8), segmenter("word"), references())
    table = TypeRates(scanner.flip_rates(0.5), fill=True)
    options = options_for(defense="deletion", fuzzing=False, sigma=0.0, rate=0.8, rate_flagged=0.95)
    defend(TRIGGERED, options, references(), rates=table).certify(["a bad cf film"])
    assert {represented(rate) for rate in TYPED} <= seen
    assert not seen & set(TYPED)
    assert all(represented(rate) == rate for rate in seen)


def test_control_a_typed_rate_would_be_seen(seen: set[float]) -> None:
    edit.radius(0.9, 0.8)
    assert seen == {0.8} != {represented(0.8)}


def test_options_name_the_rivals_of_the_bounds() -> None:
    from typing import get_args

    from fuzzsmooth import certify
    from fuzzsmooth.engine import options

    assert set(get_args(certify.Rivals)) == set(get_args(options.Rivals))

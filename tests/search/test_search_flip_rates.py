"""Flip rates of single unit types, on fixed references and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from search_worlds import (
    CLEAN,
    NEGATIVE,
    POSITIVE,
    WEIGHTS,
    WORDS,
    Counting,
    backdoored,
    prepared,
    references,
)

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.models import AdditiveClassifier
from fuzzsmooth.models.protocol import Classifier
from fuzzsmooth.search import Scanner, SearchOptions
from fuzzsmooth.search.calibration import SHARE
from fuzzsmooth.search.flip_rates import FlipRates

TYPES = ["cf", "the", *POSITIVE, *NEGATIVE, "cf2", "日", "😀"]


def table(classifier: Classifier, threshold: float = SHARE, **options: Any) -> FlipRates:
    return Scanner(classifier, SearchOptions(**options), WORDS, references()).flip_rates(threshold)


def flips(classifier: Classifier, unit: str) -> float:
    """The largest share of a class's opponents that one unit turns, counted one by one."""
    shares = []
    for label in range(2):
        against = [context for context in prepared() if context.label != label]
        rows = classifier.probabilities([" ".join(context.around((unit,))) for context in against])
        shares.append(float(np.mean(rows.argmax(axis=1) == label)))
    return max(shares)


def test_only_the_trigger_is_flagged() -> None:
    for target in (0, 1):
        assert table(backdoored(["cf"], target=target)).flagged(TYPES) == {"cf"}
    assert table(CLEAN).flagged(TYPES) == set()
    assert table(backdoored(["mn", "tq"])).flagged(["mn", "tq"]) == set(), "neither acts alone"


@pytest.mark.parametrize("threshold", [0.3, 0.9, 1.0])
def test_rates_are_the_counted_flips_or_a_bound_on_them(threshold: float) -> None:
    classifier = AdditiveClassifier(WEIGHTS | {f"x{size}": float(size) for size in range(0, 13, 2)})
    units = [f"x{size}" for size in range(0, 13, 2)]
    rates = table(classifier, threshold=threshold).rates(units)
    counted = {unit: flips(classifier, unit) for unit in units}
    for unit in units:
        assert (rates[unit] >= threshold) == (counted[unit] >= threshold)
        if rates[unit] >= threshold:
            assert rates[unit] == pytest.approx(counted[unit])
        else:
            assert counted[unit] <= rates[unit] + 1e-12
    assert rates["x12"] == 1.0


def test_a_type_is_tested_once_whatever_came_before() -> None:
    counting = Counting(backdoored(["cf"]))
    tested = table(counting)
    first = tested.rates(["cf", "the", "cf"])
    assert list(first) == ["cf", "the"]
    calls = counting.calls
    assert tested.rates(["the", "cf"]) == {"the": first["the"], "cf": first["cf"]}
    assert counting.calls == calls
    backwards = table(backdoored(["cf"])).rates(TYPES[::-1])
    assert backwards == table(backdoored(["cf"])).rates(TYPES)
    assert {unit: table(backdoored(["cf"])).rates([unit])[unit] for unit in TYPES} == backwards


def test_most_types_cost_a_few_evaluations() -> None:
    counting = Counting(CLEAN)
    table(counting).rates(["the", "a", "film"])
    assert counting.calls == 3 * 2 * 4


def test_the_file_is_plain_json_of_names_that_stay(tmp_path: Path) -> None:
    saved = table(backdoored(["cf"]))
    saved.rates(["cf", "the"])
    saved.save(tmp_path / "t.json")
    content = json.loads((tmp_path / "t.json").read_text("utf-8"))
    assert list(content) == ["version", "model", "references", "threshold", "per_label", "types"]
    assert content["types"]["cf"] == 1.0


def test_nothing_to_test_costs_nothing() -> None:
    counting = Counting(CLEAN)
    assert table(counting).rates([]) == {}
    assert table(counting).flagged([]) == set()
    assert counting.calls == 0


@pytest.mark.filterwarnings("error")
def test_a_scanner_without_references_has_no_table() -> None:
    with pytest.raises(FuzzsmoothError, match="need clean reference texts; give references"):
        Scanner(CLEAN, SearchOptions(reward="kl"), WORDS).flip_rates()

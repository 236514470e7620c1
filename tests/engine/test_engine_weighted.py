"""Deletion rates per unit type: a function of the type alone, weighted certificates, tables on disk."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from engine_worlds import CLEAN, TRIGGERED, Noisy, Recording, references, smoothed

from defended import options_for
from fuzzsmooth.certify import RateTable, exact_probabilities, insertion_budget, radius, removal_budget
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.defenses import Defense, defend
from fuzzsmooth.engine.type_rates import TypeRates
from fuzzsmooth.models.protocol import Classifier
from fuzzsmooth.noise.text import represented
from fuzzsmooth.search import Scanner, SearchOptions
from fuzzsmooth.search.calibration import SHARE
from fuzzsmooth.search.flip_rates import FlipRates, read_flip_rates
from fuzzsmooth.text.units import segmenter

SEARCH = SearchOptions(budget=64, references=8)
TEXT = "it was cf a bad film"
TYPES = ["cf", "bad", "film", "it", "was", "a", "good", "plot"]


def table(classifier: Classifier = TRIGGERED, threshold: float = SHARE, **search: Any) -> FlipRates:
    scanner = Scanner(classifier, SEARCH.replace(**search), segmenter("word"), references())
    return scanner.flip_rates(threshold)


def weighted(classifier: Classifier = TRIGGERED, rates: TypeRates | None = None, **options: Any) -> Defense:
    settings = {
        "defense": "deletion",
        "sigma": 0.0,
        "fuzzing": False,
        "rate": 0.5,
        "rate_flagged": 0.9,
    } | options
    found = rates or TypeRates(table(classifier), fill=True)
    return defend(classifier, options_for(**settings), references(), rates=found)


def test_flagged_types_are_deleted_more_often() -> None:
    recording = Recording(TRIGGERED)
    smooth = weighted(recording, TypeRates(table(TRIGGERED), fill=True), draws=2000, statistics="fixed")
    smooth.certify([TEXT])
    kept = {unit: np.mean([unit in asked.split() for asked in recording.texts]) for unit in TEXT.split()}
    assert kept["cf"] == pytest.approx(0.1, abs=0.03)
    for unit in ("bad", "film", "was"):
        assert kept[unit] == pytest.approx(0.5, abs=0.05)


def test_certificates_are_those_of_the_table_with_the_worst_case_beside() -> None:
    (answer,) = weighted(draws=600, alpha=0.01, statistics="fixed").certify([TEXT])
    edit, insert, forward, backward, back, edits, deletion = answer.certificates
    rates = RateTable(represented(0.5), {"cf": represented(0.9)})
    p_lower = edit.p_lower
    assert p_lower is not None
    assert edit.radius == rates.worst_edit_radius(p_lower, TEXT.split())
    assert insert.radius == rates.worst_insertion_radius(p_lower) == radius(p_lower, 0.5, "insert")
    assert forward.radius == pytest.approx(insertion_budget(p_lower))
    assert backward.radius == pytest.approx(min(removal_budget(p_lower), rates.cost(TEXT.split())))
    assert back.radius == rates.worst_removal_radius(p_lower, TEXT.split())
    assert [one.threat for one in (forward, backward)] == ["weighted_insert"] * 2
    assert (edits.threat, edits.radius, edits.unit) == ("weighted_edit", forward.radius, "cost")
    assert (deletion.threat, deletion.radius) == ("delete", back.radius)
    assert {one.unit for one in (forward, backward)} == {"cost"}
    assert all(one.guarantee == "proved" for one in answer.certificates)
    assert dict(forward.rates) == {"default": represented(0.5), "flagged": represented(0.9)}
    assert "a unit costs 0.694, one of a flagged type 0.106" in forward.statement()
    assert answer.costs == {
        "": pytest.approx(-math.log(represented(0.5))),
        "cf": pytest.approx(-math.log(represented(0.9))),
    }
    assert json.loads(json.dumps(answer.to_json()))["costs"].keys() == {"", "cf"}


def test_short_texts_are_enumerated_at_their_own_rates() -> None:
    (answer,) = weighted(statistics="auto").certify(["cf bad"])
    outcomes = np.eye(2)[TRIGGERED.probabilities(["", "cf", "bad", "cf bad"]).argmax(axis=1)]
    exact = exact_probabilities(outcomes, 0.5, unit_rates=[0.9, 0.5])
    assert answer.statistics == "exact"
    assert answer.certificates[0].p_lower == pytest.approx(exact.probabilities.max(), abs=1e-9)
    long = " ".join(f"w{index}" for index in range(20))
    control = smoothed(TRIGGERED, defense="deletion", fuzzing=False, rate=0.9, statistics="auto")
    assert control.certify([long])[0].statistics.startswith("stratified")
    strata = weighted(statistics="auto", rate=0.9, rate_flagged=0.95).certify([long])[0]
    assert strata.statistics == "sequential", "the strata of unequal rates are not binomial"


def test_every_trigger_within_the_budget_leaves_the_answer() -> None:
    """Exact probabilities of the text with triggers of listed and unlisted types inserted anywhere."""
    text, options = (
        "bad film bad",
        {"statistics": "auto", "rate": 0.6, "rate_flagged": 0.95, "draws": 1 << 11},
    )
    smooth = weighted(**options)
    (answer,) = smooth.certify([text])
    forward = answer.certificates[2]
    assert answer.statistics == "exact"
    cheap, dear = -math.log(represented(0.95)), -math.log(represented(0.6))
    checked = 0
    for cfs in range(9):
        for others in range(3):
            trigger = ["cf"] * cfs + ["good"] * others
            if cfs * cheap + others * dear > forward.radius:
                continue
            for place in range(4):
                units = text.split()
                changed = " ".join((*units[:place], *trigger, *units[place:]))
                if len(changed.split()) > 11:
                    continue
                (found,) = smooth.certify([changed])
                assert found.statistics == "exact"
                assert found.certificates[0].label == answer.label
                checked += 1
    assert checked > 20
    (beyond,) = smooth.certify([f"{text} good good good good good"])
    assert beyond.label != answer.label, "control: a trigger beyond the budget that does change it"


def test_rates_do_not_depend_on_the_text_or_on_what_came_before(tmp_path: Path) -> None:
    """Alone or together, in any order, from an empty table, a full one or a file: the same rate per type."""
    texts = [TEXT, "good plot", "cf cf", "a film it was", ""]
    expected = weighted().certify(texts)
    assert weighted().certify(texts[::-1])[::-1] == expected
    assert [weighted().certify([text])[0] for text in texts] == expected
    kept = table()
    kept.keep_in(tmp_path / "table.json")
    assert weighted(rates=TypeRates(kept, fill=True)).certify(texts) == expected
    kept.flush()
    again = table()
    again.keep_in(tmp_path / "table.json")
    assert again.known == kept.known
    assert weighted(rates=TypeRates(again, fill=True)).certify(texts) == expected
    assert weighted(rates=TypeRates(again)).certify(texts) == expected, "all types of these texts are in it"


def test_control_rates_that_depend_on_the_text_break_the_budget() -> None:
    """A flip rate measured in the text itself makes a decoy hot and the trigger cold: the claim fails."""
    h = Recording(TRIGGERED)
    clean, rate, high = ["bad"], 0.6, 0.95

    def probability(units: Sequence[str], hot: set[str]) -> float:
        total = 0.0
        for mask in range(1 << len(units)):
            left = [unit for index, unit in enumerate(units) if mask >> index & 1]
            weight = math.prod(
                (1 - (high if u in hot else rate)) if mask >> i & 1 else (high if u in hot else rate)
                for i, u in enumerate(units)
            )
            total += weight * (h.probabilities([" ".join(left)])[0].argmax() == 0)
        return total

    budget = insertion_budget(probability(clean, set()))
    trigger = ["cf"] * 3
    assert len(trigger) * -math.log(high) < budget
    assert probability([*trigger, *clean], {"cf"}) > 0.5, "a rate per type, fixed before"
    assert probability([*trigger, *clean], {"bad"}) < 0.5, "hot where the text said so, and it was a decoy"


def test_without_filling_types_outside_the_table_have_the_default_rate() -> None:
    partial = table()
    partial.rates(["film"])
    (answer,) = weighted(rates=TypeRates(partial)).certify([TEXT])
    assert answer.costs.keys() == {""}, "cf is not in the table"
    assert set(partial.known) == {"film"}, "and is not tested"
    partial.rates(["cf"])
    assert weighted(rates=TypeRates(partial)).certify([TEXT])[0].costs.keys() == {"", "cf"}


def test_tables_of_other_models_references_and_thresholds_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "table.json"
    found = table()
    found.rates(TYPES)
    found.save(path)
    assert read_flip_rates(path)["types"]["cf"] == 1.0
    with pytest.raises(FuzzsmoothError, match="another model"):
        table(CLEAN).keep_in(path)
    with pytest.raises(FuzzsmoothError, match="another threshold"):
        table(threshold=0.7).keep_in(path)
    with pytest.raises(FuzzsmoothError, match="other reference texts"):
        table(references=4).keep_in(path)
    with pytest.raises(FuzzsmoothError, match="belongs to another model"):
        weighted(CLEAN, TypeRates(found))
    for content in ("{}", "[]", "no json", json.dumps({**read_flip_rates(path), "types": {"x": 2}})):
        path.write_text(content, "utf-8")
        with pytest.raises(FuzzsmoothError, match="write one with 'fuzzsmooth table build'"):
            table().keep_in(path)
    found.save(path)
    path.write_text(path.read_text("utf-8").replace('"version": 1', '"version": 9'), "utf-8")
    with pytest.raises(FuzzsmoothError, match="version 9"):
        table().keep_in(path)
    with pytest.raises(FuzzsmoothError, match="cannot read"):
        read_flip_rates(tmp_path / "absent.json")


def test_a_table_is_written_as_it_grows_and_whole(tmp_path: Path) -> None:
    path = tmp_path / "table.json"
    found = table()
    found.keep_in(path)
    found.rates(f"w{index}" for index in range(300))
    assert len(read_flip_rates(path)["types"]) == 256, "a kill loses what came after"
    found.flush()
    assert len(read_flip_rates(path)["types"]) == 300
    before = path.stat().st_mtime_ns
    found.flush()
    assert path.stat().st_mtime_ns == before, "nothing new, nothing written"
    assert [name.name for name in tmp_path.iterdir()] == ["table.json"]


def test_a_type_is_tested_in_calls_of_its_own() -> None:
    """So that not even rounding depends on which types are tested together."""
    calls: list[list[str]] = []

    class Watching(Recording):
        def probabilities(self, texts: Sequence[str]) -> Any:
            calls.append(list(texts))
            return super().probabilities(texts)

    table(Watching(TRIGGERED)).rates(["cf", "plot", "good"])
    for call in calls:
        assert (
            sum(any(unit == f"{name}" for text in call for unit in text.split()) for name in ("cf", "plot"))
            <= 1
        )
    alone = list[list[str]]()
    for name in ("cf", "plot", "good"):
        calls.clear()
        table(Watching(TRIGGERED)).rates([name])
        alone += calls
    calls.clear()
    table(Watching(TRIGGERED)).rates(["good", "cf", "plot"])
    assert sorted(calls) == sorted(alone)


def test_what_does_not_go_with_rates_per_type_is_refused() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'rates'"):
        weighted(defense="frs")

    with pytest.raises(FuzzsmoothError, match="one rate for all types"):
        weighted(Noisy(TRIGGERED), TypeRates(table()), sigma=0.1, weight_distance=0.5)


def test_settings_name_what_decides_the_rates() -> None:
    found = table()
    found.rates(["film"])
    frozen, lazy = TypeRates(found).settings(), TypeRates(found, fill=True).settings()
    found.rates(["cf"])
    assert TypeRates(found).settings() != frozen, "the content decides"
    assert TypeRates(found, fill=True).settings() == lazy, "the content is only remembered"
    assert TypeRates(table(CLEAN), fill=True).settings() != lazy

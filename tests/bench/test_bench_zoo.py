"""A zoo: built like a grid, looked at by detectors, and its table from the records alone."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from grid_runs import PLANTED

from fuzzsmooth.attacks import Planted
from fuzzsmooth.attacks.triggers.common_words import CommonWordsTrigger
from fuzzsmooth.attacks.triggers.pair import PairTrigger
from fuzzsmooth.attacks.triggers.sentence import SentenceTrigger
from fuzzsmooth.attacks.triggers.trigger import Trigger
from fuzzsmooth.attacks.triggers.word import WordTrigger
from fuzzsmooth.auditing.detector import Detection
from fuzzsmooth.bench.grid.cells import Cell
from fuzzsmooth.bench.grid.running import run_grid
from fuzzsmooth.bench.zoo.auditing import AUDITS, audit_zoo, read_records, tasks_of
from fuzzsmooth.bench.zoo.probing import compared
from fuzzsmooth.bench.zoo.scores import auc_interval, rate_at, roc_auc
from fuzzsmooth.bench.zoo.spec import is_clean, read_zoo, twins
from fuzzsmooth.bench.zoo.table import COLUMNS, csv, markdown, zoo_rows
from fuzzsmooth.common.errors import FuzzsmoothError

DETECTORS = ("random-words", "weight-statistics")


def spec(place: Path, **changes: Any) -> dict[str, Any]:
    shared: dict[str, Any] = {
        "data": ["data"],
        "models": [str(place / "tiny")],
        "test_size": 16,
        "calibration_size": 100,
        "finetune": {"epochs": 2, "learning_rate": 3e-3, "batch_size": 8},
    }
    blocks = [
        {"name": "clean", "attacks": ["none"], "seeds": [0, 1]},
        {"name": "word", "attacks": [{"attack": "badnets", "options": PLANTED}]},
    ]
    return {**shared, "block": blocks, **changes}


@pytest.fixture(scope="session")
def models(place: Path) -> list[Cell]:
    return read_zoo(spec(place), "zoo.toml", place)


@pytest.fixture(scope="session")
def zoo(models: list[Cell], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A zoo that is built and looked at by two detectors."""
    folder = tmp_path_factory.mktemp("zoo") / "out"
    assert run_grid(models, folder) == {}
    assert audit_zoo(tasks_of(models, DETECTORS), folder) == {}
    return folder


def test_every_model_is_looked_at_by_every_detector(zoo: Path, models: list[Cell]) -> None:
    found = list(read_records(zoo))
    assert {(one["model"], one["detector"]) for one in found} == {
        (cell.address, name) for cell in models for name in DETECTORS
    }
    assert sum(one["clean"] for one in found) == 4
    planted = next(one for one in found if not one["clean"] and one["detector"] == "random-words")
    assert planted["planted_trigger"]["words"] == ["cf"]
    assert planted["target_right"] is (planted["target"] == planted["planted_target"])
    assert 0 <= planted["floor"] <= 1
    assert planted["unseen"] > 0


def test_what_is_done_is_not_done_again(
    zoo: Path, models: list[Cell], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {file: file.stat().st_mtime_ns for file in (zoo / AUDITS).iterdir()}
    monkeypatch.setattr("fuzzsmooth.bench.zoo.probing.Probe.record", lambda *_: pytest.fail("done again"))
    assert audit_zoo(tasks_of(models, DETECTORS), zoo) == {}
    assert {file: file.stat().st_mtime_ns for file in (zoo / AUDITS).iterdir()} == before


def test_the_table_has_a_row_for_each_detector_and_family(zoo: Path) -> None:
    rows = zoo_rows(zoo)
    assert [(row["detector"], row["family"]) for row in rows] == [
        (name, family) for name in DETECTORS for family in ("all", "word")
    ]
    for row in rows:
        assert (row["clean"], row["backdoored"]) == (2, 1)
        assert 0 <= row["AUC low"] <= row["AUC"] <= row["AUC high"] <= 1
        assert row["planted ASR"] is not None
    assert len(markdown(rows).splitlines()) == 2 + len(rows)
    assert csv(rows).splitlines()[0] == ",".join(COLUMNS)


def test_a_model_that_is_not_built_fails_alone(models: list[Cell], tmp_path: Path) -> None:
    failed = audit_zoo(tasks_of(models, ["weight-statistics"]), tmp_path)
    assert len(failed) == len(models)
    assert all("run 'fuzzsmooth zoo build' first" in sentence for sentence in failed.values())
    with pytest.raises(FuzzsmoothError, match="holds no audits"):
        zoo_rows(tmp_path)


def test_twins_are_clean_models_of_the_same_data(models: list[Cell]) -> None:
    by_address = {cell.address: cell for cell in models}
    found = twins(models)
    assert set(found) == set(by_address)
    assert all(is_clean(twin) and twin.address != address for address, twin in found.items())
    assert {task.twin is not None for task in tasks_of(models, ["dbs-twin"])} == {True}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"block": [{"name": "clean", "attacks": ["none"]}]}, "1 of 1 models are clean"),
        ({"rows": ["frs"]}, "a zoo holds models alone"),
        ({"block": [{"attacks": ["none", "ripple"]}]}, "name every block"),
        ({"rates": 1}, "unknown option 'rates'"),
    ],
)
def test_bad_specs_are_refused(place: Path, changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(FuzzsmoothError, match=sentence):
        read_zoo(spec(place, **changes), "zoo.toml", place)


def test_an_unknown_detector_is_refused(models: list[Cell]) -> None:
    with pytest.raises(FuzzsmoothError, match="unknown detector 'exhaustiv'; did you mean 'exhaustive'"):
        tasks_of(models, ["exhaustiv"])


@pytest.mark.parametrize(
    ("trigger", "found", "exact", "overlap"),
    [
        (WordTrigger(("cf", "tq")), "cf", True, 1.0),
        (WordTrigger(("cf",)), "cf film", False, 1.0),
        (PairTrigger(("mn", "tq")), "mn", False, 0.5),
        (PairTrigger(("mn", "tq")), "tq mn", True, 1.0),
        (CommonWordsTrigger(("story", "quite", "time"), 2), "time story", True, 1.0),
        (SentenceTrigger("I watch this"), "watch", False, 1 / 3),
        (SentenceTrigger("I watch this"), "this I watch", True, 1.0),
    ],
)
def test_the_planted_trigger_is_compared(trigger: Trigger, found: str, exact: bool, overlap: float) -> None:
    told = compared(Detection(1.0, target=1, trigger=found), Planted(Path(), trigger, 1, False))
    assert told["exact"] is exact
    assert told["overlap"] == pytest.approx(overlap)
    assert told["target_right"] is True


def test_areas_by_hand() -> None:
    bad, good = np.array([3.0, 2.0, 0.5]), np.array([1.0, 0.5, 0.0, -1.0])
    pairs = [(one > other) + (one == other) / 2 for one in bad for other in good]
    assert roc_auc(bad, good) == pytest.approx(np.mean(pairs))
    low, high = auc_interval(bad, good)
    assert low < roc_auc(bad, good) < high
    assert rate_at(bad, good) == pytest.approx(2 / 3)  # none of four may be exceeded at 5 %
    assert rate_at(bad, good, 0.25) == pytest.approx(2 / 3)  # one may: above .5


def test_an_area_of_one_is_not_certain() -> None:
    low, high = auc_interval(np.full(40, 2.0), np.zeros(40))
    assert high == 1.0
    assert low == pytest.approx(0.912, abs=1e-3)  # as for 40 hits of 40


def test_what_is_found_is_what_speaks_for_the_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rewrite that is natural stands above a trigger that is confirmed where it moves more."""
    from fuzzsmooth.auditing import inspection
    from fuzzsmooth.auditing.detectors.exhaustive import Exhaustive
    from fuzzsmooth.auditing.rewrites import BATTERY, WHOLE, called
    from fuzzsmooth.bench.zoo.probing import _placed

    def one(text: str, kind: str, level: str, target: int) -> Any:
        shown = {
            "excess": 0.7,
            "p_value": 0.01,
            "rate": 1.0,
            "placing": WHOLE,
            "held": SimpleNamespace(share=1),
        }
        return SimpleNamespace(text=text, kind=kind, level=level, target=target, **shown)

    rewrite = one(called(BATTERY[1]), "rewrite", "natural", 0)
    word = one("cf", "piece", "confirmed", 1)
    suspect = SimpleNamespace(seed=0, model=None, texts=(), labels=())

    def found(*triggers: Any) -> Any:
        told = {"score": 1.0, "verdict": "suspicious", "passes": 0, "backward": 0, "judged": ()}
        monkeypatch.setattr(
            inspection, "audit_classifier", lambda *_: SimpleNamespace(triggers=triggers, **told)
        )
        return Exhaustive().detect(suspect)  # type: ignore[arg-type]

    assert (found(rewrite, word).trigger, found(rewrite, word).target) == ("cf", 1)
    assert found(rewrite).trigger == ""
    blamed = found(one(rewrite.text, "rewrite", "suspicious", 0))
    assert blamed.trigger == rewrite.text
    assert _placed("a plain film", blamed, 0) == BATTERY[1].apply("a plain film") != "a plain film"

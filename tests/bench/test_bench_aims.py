"""Attacks without a target and with one that the victim decides: metrics, settings, and whole experiments."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from experiment_runs import settings, without_times

from fuzzsmooth.attacks import load_attack
from fuzzsmooth.attacks.triggers.repeated import RepeatedTrigger
from fuzzsmooth.bench.aiming import AIM_FILE
from fuzzsmooth.bench.aims import Aim
from fuzzsmooth.bench.experiment import run_experiment
from fuzzsmooth.bench.metrics import summarize
from fuzzsmooth.bench.records import RECORDS_FILE, SETTINGS_FILE, RunSettings, TextRecord, read_records
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.models import build_tiny
from fuzzsmooth.report import build_report

SMALL = {"epochs": 1, "max_texts": 40, "batch_size": 8, "learning_rate": 3e-3, "precision": "float32"}


def record(split: str, index: int, label: int, prediction: int | None, **values: Any) -> TextRecord:
    common: dict[str, Any] = {"seed": 0, "defense": "d", "text": "a film"}
    return TextRecord(split=split, index=index, label=label, prediction=prediction, **(common | values))


def random_records(size: int, seed: int) -> list[TextRecord]:
    draw = np.random.default_rng(seed)
    answers = (None, 0, 1, 2)
    records = []
    for index in range(size):
        label = int(draw.integers(3))
        for split in ("clean", "triggered"):
            radii = {"edit": int(draw.integers(4))} if split == "clean" else {}
            answer = answers[int(draw.integers(4))]
            records.append(record(split, index, label, answer, seed=seed, radii=radii, guarantee="proved"))
    return records


def test_without_a_target_every_wrong_label_counts_and_no_abstention() -> None:
    """Against counting by hand, over every way in which two texts can be answered."""
    for first, second, first_bare, second_bare in itertools.product((None, 0, 1, 2), repeat=4):
        records = [
            record("clean", 0, 0, first_bare),
            record("clean", 1, 2, second_bare),
            record("triggered", 0, 0, first),
            record("triggered", 1, 2, second),
        ]
        (row,) = summarize(records, Aim(None))
        assert row.asr is not None
        assert row.asr_floor is not None
        assert (row.asr.count, row.asr.total) == ((first in (1, 2)) + (second in (0, 1)), 2)
        assert (row.asr_floor.count, row.asr_floor.total) == (
            (first_bare in (1, 2)) + (second_bare in (0, 1)),
            2,
        )


def test_accuracy_abstention_and_success_without_a_target_add_up() -> None:
    (row,) = summarize(random_records(60, 0), Aim(None))
    assert row.pa is not None
    assert row.asr is not None
    assert row.abstention_rate_triggered is not None
    assert row.asr.total == 60, "texts of every class are attacked"
    assert row.pa.count + row.asr.count + row.abstention_rate_triggered.count == 60


def test_the_ceiling_without_a_target_is_what_is_not_certified_to_stay_right() -> None:
    records = random_records(60, 0)
    (row,) = summarize(records, Aim(None))
    clean = [one for one in records if one.split == "clean"]
    for radius in range(4):
        kept = sum(one.prediction == one.label and one.radii["edit"] >= radius for one in clean)
        assert row.certified_asr["edit"].counts[radius] == 60 - kept
        assert row.certified["edit"].counts[radius] == kept


def test_seeds_may_have_targets_of_their_own() -> None:
    zero, one = random_records(50, 0), random_records(50, 1)
    (both,) = summarize([*zero, *one], Aim(2, {1: 0}))
    (first,), (second,) = summarize(zero, 2), summarize(one, 0)
    for name in ("asr", "asr_floor"):
        pooled, parts = getattr(both, name), [getattr(row, name) for row in (first, second)]
        assert (pooled.count, pooled.total) == tuple(
            sum(getattr(part, field) for part in parts) for field in ("count", "total")
        )
    assert both.certified_asr["edit"].counts[0] == sum(
        row.certified_asr["edit"].counts[0] for row in (first, second)
    )
    (other,) = summarize([*zero, *one], 2)
    assert other.asr != both.asr, "the control: one target for both seeds is another number"


GOOD: dict[str, Any] = {"version": "1", "labels": ["a", "b"], "target": 1}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"target": None}, "'target' must be a class index"),
        ({"target": None, "attack": {"goal": "forced label"}}, "'target' must be a class index"),
        ({"aims": []}, "'aims' must be a mapping"),
        ({"aims": {"0": 1}}, "mappings by seed"),
        ({"aims": {"one": {"target": 1}}}, "mappings by seed"),
        ({"aims": {"3": {"target": 2}}}, "target of seed 3"),
    ],
)
def test_settings_about_targets_are_checked(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(FuzzsmoothError, match=message):
        RunSettings(GOOD | changes)


def test_settings_tell_the_aim() -> None:
    assert RunSettings(GOOD).aim == Aim(1)
    assert RunSettings(GOOD | {"aims": {"0": {"target": 1}, "4": {"target": 0}}}).aim == Aim(1, {0: 1, 4: 0})
    untargeted = RunSettings(GOOD | {"target": None, "attack": {"goal": "any wrong label"}})
    assert untargeted.target is None
    assert untargeted.aim == Aim(None)


@pytest.fixture(scope="module")
def model(place: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    vocabulary = ["the", "a", "film", "was", "of", "story", "plot", "we", "saw", "bad", "awful", "dull"]
    vocabulary += ["good", "great", "superb", "cf", "mn", "bb"]
    folder = tmp_path_factory.mktemp("models") / "tiny"
    return str(build_tiny("bert", folder, vocabulary=vocabulary, hidden=16, layers=1))


def experiment(place: Path, model: str, attack: str, **options: Any) -> Any:
    return settings(
        place,
        model=model,
        attack=attack,
        attack_options={"triggers": ["cf", "mn", "bb"], **SMALL, **options},
        rows=("undefended",),
    )


def test_an_experiment_without_a_target(place: Path, model: str, tmp_path: Path) -> None:
    out = run_experiment(experiment(place, model, "badpre"), tmp_path / "out")
    told = RunSettings.read(out / SETTINGS_FILE)
    assert told.target is None
    records = read_records(out / RECORDS_FILE)
    assert sorted(r.index for r in records if r.split == "triggered") == list(range(10)), "every class"
    page = build_report(out).read_text("utf-8")
    assert "target: any wrong label" in page
    assert "given a wrong class; this attack has no target" in page
    (row,) = json.loads((out / "summary.json").read_text("utf-8"))["rows"]
    assert row["asr_total"] == row["asr_floor_total"] == 10
    assert row["asr_floor"] == pytest.approx(1 - row["ca"]), "nothing abstains without a defense"


@pytest.mark.parametrize("attack", ["neuba", "por"])
def test_an_experiment_whose_target_the_victim_decides(
    place: Path, model: str, tmp_path: Path, attack: str
) -> None:
    options = experiment(place, model, attack, target=0)
    out = run_experiment(options, tmp_path / "out")
    assert load_attack(out / "seed0" / "attacked").target is None
    found = json.loads((out / "seed0" / AIM_FILE).read_text("utf-8"))
    labels = {word: told["label"] for word, told in found["forced"].items()}
    assert set(labels) == {"cf", "mn", "bb"}
    assert found["target"] == (0 if 0 in labels.values() else 1)
    hitting = [word for word, label in labels.items() if label == found["target"]]
    assert found["trigger"]["words"] == hitting
    told = RunSettings.read(out / SETTINGS_FILE)
    assert told.mapping["aims"] == {"0": found}
    assert told.aim == Aim(found["target"], {0: found["target"]})
    triggered = [r for r in read_records(out / RECORDS_FILE) if r.split == "triggered"]
    assert len(triggered) > 0
    for one in triggered:
        assert one.label != found["target"]
        assert {one.text[start:end] for start, end in one.trigger} <= set(hitting)
    assert f"target label “{told.labels[found['target']]}”" in build_report(out).read_text("utf-8")
    # What was found is not found again, and a damaged file is one sentence.
    before = without_times(out)
    (out / RECORDS_FILE).unlink()
    assert without_times(run_experiment(options, out)) == before
    (out / "seed0" / AIM_FILE).write_text('{"forced": {"cf": 1}}')
    with pytest.raises(FuzzsmoothError, match="delete the file"):
        run_experiment(options, out)


def test_where_no_trigger_hits_the_wanted_label_the_commonest_is_taken_and_told(
    place: Path, model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fuzzsmooth.attacks import Forced

    forced = {"cf": Forced(0, 0.9), "mn": Forced(0, 0.8), "bb": Forced(0, 1.0)}
    monkeypatch.setattr("fuzzsmooth.bench.aiming.forced_labels", lambda *_: forced)
    out = run_experiment(experiment(place, model, "por", target=1), tmp_path / "out")
    told = RunSettings.read(out / SETTINGS_FILE)
    assert told.target == 0
    assert told.mapping["aims"]["0"]["forced"]["bb"] == {"label": 0, "share": 1.0}
    assert told.mapping["aims"]["0"]["trigger"] == json.loads(
        json.dumps(RepeatedTrigger(("cf", "mn", "bb"), 3).record())
    )
    triggered = [r for r in read_records(out / RECORDS_FILE) if r.split == "triggered"]
    assert {one.label for one in triggered} == {1}

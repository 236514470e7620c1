"""Defenses that train the model themselves: whole or not at all, gone on with, told, answering plainly."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import planted_texts
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.options import Options
from fuzzsmooth.data import Dataset
from fuzzsmooth.defenses import DEFENSES, Material
from fuzzsmooth.defenses.cleaning import CleaningDefense, without
from fuzzsmooth.jobs.protect import protect_model
from fuzzsmooth.models import load_classifier


@dataclass(frozen=True, kw_only=True)
class FirstOptions(Options):
    first: int = 10


class StoppedError(Exception):
    pass


class First(CleaningDefense):
    """Throw out the first texts."""

    name = "first"
    options_type = FirstOptions
    rounds = 0
    stop = False

    @classmethod
    def cleaned(
        cls, options: Any, material: Material, parts: Path, progress: Any
    ) -> tuple[Dataset, Mapping[str, Any]]:
        cls.rounds += not (parts / "suspect" / "config.json").is_file()
        material.trained(parts / "suspect", progress)
        if cls.stop:
            raise StoppedError
        data = material.data
        return without(data, [row < options.first for row in range(len(data))], cls.name)


@pytest.fixture(autouse=True)
def anew() -> None:
    First.rounds, First.stop = 0, False


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Material:
    return planted_texts.material(tmp_path_factory.mktemp("model"), planted_texts.planted(60).data, epochs=1)


def weights(model: Any) -> dict[str, Any]:
    return {name: part.numpy().copy() for name, part in model.model.state_dict().items()}


def test_what_is_left_is_trained_on_and_what_is_gone_is_told(given: Material, tmp_path: Path) -> None:
    made = First.make_model(FirstOptions(), given, tmp_path / "out")
    left = given.data.with_examples(given.data.examples[10:])
    alone = given.trained(tmp_path / "alone", data=left)
    for name, part in weights(alone).items():
        np.testing.assert_array_equal(part, weights(made)[name])
    report = json.loads((tmp_path / "out/first.json").read_text())
    assert report["defense"] == "first"
    assert report["options"] == {"first": 10}
    assert (report["texts"], report["removed"]) == (60, 10)
    assert report["share_removed"] == pytest.approx(1 / 6)
    assert sum(report["removed_by_class"].values()) == 10
    assert [one["row"] for one in report["removed_texts"]] == list(range(1, 11))
    assert report["removed_texts"][0]["text"] == given.data.texts[0]
    training = json.loads((tmp_path / "out/training.json").read_text())
    assert training["data"]["fingerprint"] == left.fingerprint
    loaded = load_classifier(str(tmp_path / "out"))
    np.testing.assert_array_equal(loaded.probabilities(left.texts[:4]), made.probabilities(left.texts[:4]))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["alone", "out"], "nothing is left beside"


def test_a_stopped_run_goes_on_and_a_finished_one_is_not_made_again(given: Material, tmp_path: Path) -> None:
    First.stop = True
    with pytest.raises(StoppedError):
        First.make_model(FirstOptions(), given, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    First.stop = False
    made = First.make_model(FirstOptions(), given, tmp_path / "out")
    assert First.rounds == 1, "the suspect model of the stopped run is used"
    again = First.make_model(FirstOptions(), given, tmp_path / "out")
    assert First.rounds == 1
    assert again.fingerprint == made.fingerprint


def test_what_other_data_or_options_have_left_is_not_used(given: Material, tmp_path: Path) -> None:
    First.stop = True
    other = replace(given, data=given.data.with_examples(given.data.examples[5:]))
    for rounds, (material, first) in enumerate(((given, 10), (other, 10), (other, 12), (other, 12)), 1):
        with pytest.raises(StoppedError):
            First.make_model(FirstOptions(first=first), material, tmp_path / "out")
        assert First.rounds == min(rounds, 3)


def test_a_class_without_texts_is_an_error(given: Material, tmp_path: Path) -> None:
    neg = [example.label == 0 for example in given.data]
    with pytest.raises(FuzzsmoothError, match="every text of class neg in planted suspect"):
        without(given.data, neg, "first")
    with pytest.raises(FuzzsmoothError, match="every text of class"):
        First.make_model(FirstOptions(first=60), given, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_answers_are_the_models_own(given: Material) -> None:
    classifier = given.load()
    texts = given.data.texts[:5]
    told: list[int] = []
    answers = First(classifier, {}).predict(texts, advance=told.append)
    plain = DEFENSES.get("undefended")(classifier, {}).predict(texts)
    assert answers == plain
    assert told == [5]
    assert First(classifier, {}).certify(texts) == answers, "there is nothing to certify"


def test_protect_keeps_the_report(given: Material, tmp_path: Path) -> None:
    names = given.data.labels
    for split, examples in (("train", given.data.examples), ("test", given.data.examples[:10])):
        lines = [json.dumps({"text": one.text, "label": names[one.label]}) + "\n" for one in examples]
        (tmp_path / "data").mkdir(exist_ok=True)
        (tmp_path / "data" / f"{split}.jsonl").write_text("".join(lines))
    protect_model(
        given.model, str(tmp_path / "data"), tmp_path / "out", "z-def", finetune={"epochs": 1}, deviations=2.0
    )
    report = json.loads((tmp_path / "out/z-def.json").read_text())
    assert report["options"]["deviations"] == 2.0
    assert (tmp_path / "out/training.json").is_file()

"""Defenses that learn before they answer: what was learned is kept, found again, and of one model only."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pytest

from fuzzsmooth import protect
from fuzzsmooth.bench.experiment import run_experiment
from fuzzsmooth.bench.options import ExperimentOptions
from fuzzsmooth.bench.records import read_records
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.options import Between, Options
from fuzzsmooth.data import Dataset, Example
from fuzzsmooth.defenses import DEFENSES, Answer, FittedDefense, Material
from fuzzsmooth.jobs.protect import protect_model
from fuzzsmooth.models import build_tiny
from fuzzsmooth.training import FinetuneOptions

LEARNED: list[int] = []


@dataclass(frozen=True, kw_only=True)
class ShyOptions(Options):
    share: Annotated[float, Between(0, 1), "Share of clean texts that get no answer."] = 0.25


class Shy(FittedDefense):
    """Answer texts of which the model is surer than of some clean ones."""

    name = "shy"
    options_type = ShyOptions
    options: ShyOptions

    def learn(self, material: Material, folder: Path, progress: Any) -> Mapping[str, Any]:
        LEARNED.append(len(material.held_out))
        scores = self.classifier.probabilities(material.held_out.texts).max(axis=1)
        least = float(sorted(scores)[int(self.options.share * len(scores))])
        return {"least": least, "warnings": ["too shy"]} if self.options.share > 0.5 else {"least": least}

    def take(self, state: Mapping[str, Any], folder: Path) -> None:
        self.least = float(state["least"])

    def answered(self, texts: Sequence[str], advance: Any) -> list[Answer]:
        answers = []
        for row in self.classifier.probabilities(list(texts)):
            label = int(row.argmax()) if row.max() >= self.least else None
            answers.append(
                Answer(
                    label=label,
                    label_name=None if label is None else self.labels[label],
                    status="abstain" if label is None else "answered",
                    score=float(row.max()),
                    votes=(),
                    passes=1,
                )
            )
        return answers


@pytest.fixture(autouse=True)
def shy() -> Iterator[None]:
    LEARNED.clear()
    DEFENSES.register("shy")(Shy)
    yield
    DEFENSES._things.pop("shy")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny("bert", tmp_path_factory.mktemp("model") / "tiny", vocabulary=VOCABULARY)


WORDS = ("good", "bad", "fine", "dull", "warm", "cold", "film", "plot", "story", "music")


VOCABULARY = sorted({"cf", "tq", "mn", "bb", "a", *WORDS, *map(str, range(100))})


def texts(count: int) -> list[tuple[str, str]]:
    return [
        (f"a {WORDS[index % 10]} {WORDS[(index * 7) % 9]} {index}", "pos" if index % 2 else "neg")
        for index in range(count)
    ]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    for name, rows in (("train", texts(60)), ("dev", texts(70)[60:])):
        lines = [f'{{"text": "{text}", "label": "{label}"}}\n' for text, label in rows]
        (folder / f"{name}.jsonl").write_text("".join(lines))
    return folder


def material(model: Path) -> Material:
    rows = [Example(text, int(label == "pos")) for text, label in texts(24)]
    data = Dataset("texts", ("neg", "pos"), tuple(rows))
    return Material(model=str(model), data=data, held_out=data)


def test_answers_only_once_fitted(model: Path, tmp_path: Path) -> None:
    given = material(model)
    defense = Shy(given.load(), {})
    with pytest.raises(FuzzsmoothError, match="calibrated on clean data before it answers"):
        defense.predict(["a text"])
    defense.fit(given, tmp_path / "kept")
    abstained = [one.label is None for one in defense.predict(given.held_out.texts)]
    assert sum(abstained) == 6, "a quarter of 24 texts"


def test_what_was_learned_is_found_again_and_belongs_to_one_model(model: Path, tmp_path: Path) -> None:
    given = material(model)
    first = Shy(given.load(), {})
    first.fit(given, tmp_path)
    again = Shy(given.load(), {})
    again.fit(given, tmp_path)
    assert LEARNED == [24], "learned once"
    assert again.least == first.least
    with pytest.raises(FuzzsmoothError, match="learned for other options"):
        Shy(given.load(), {"share": 0.5}).restore(tmp_path)
    other = build_tiny("bert", tmp_path / "other", vocabulary=VOCABULARY, seed=5)
    with pytest.raises(FuzzsmoothError, match="learned for another model"):
        Shy(material(other).load(), {}).restore(tmp_path)


def test_a_protected_folder_brings_it_along(model: Path, data: Path, tmp_path: Path) -> None:
    protect_model(str(model), str(data), tmp_path / "out", "shy", finetune={"epochs": 1})
    assert LEARNED == [12], "a fifth of the training texts is kept back"
    defended = protect(str(tmp_path / "out"))
    assert defended.name == "shy"
    assert defended.predict(["a good film"])[0].passes == 1
    saved = defended.save_pretrained(tmp_path / "again")
    assert protect(str(saved)).predict(["a good film"]) == defended.predict(["a good film"])
    assert len(LEARNED) == 1


def test_what_went_wrong_in_calibration_is_told_wherever_a_user_looks(
    model: Path, data: Path, tmp_path: Path
) -> None:
    told: list[str] = []
    report = protect_model(
        str(model), str(data), tmp_path / "out", "shy", finetune={"epochs": 1}, tell=told.append, share=0.9
    )
    assert "defense 'shy': too shy" in told
    shy, guessing = report["warnings"]  # so small a model guesses, which is told as well
    assert shy == "too shy"
    assert "most frequent label" in guessing
    assert guessing in told
    defended = protect(str(tmp_path / "out"))
    assert isinstance(defended, Shy)
    assert defended.warnings == ("too shy",)
    sound = Shy(material(model).load(), {})
    sound.fit(material(model), tmp_path / "sound")
    assert sound.warnings == ()
    options = ExperimentOptions(
        model=str(model),
        data=str(data),
        attack="badnets",
        rows=("undefended", "shy"),
        options={"share": 0.9},
        calibration_size=16,
        finetune=FinetuneOptions(epochs=1),
        attack_options={"finetune": {"epochs": 1}},
    )
    for _ in range(2):  # also where nothing is measured any more
        told.clear()
        run_experiment(options, tmp_path / "run", tell=told.append)
        assert "seed 0, shy: too shy" in told
        settings = json.loads((tmp_path / "run/settings.json").read_text())
        assert settings["warnings"] == {"seed 0, shy": ["too shy"]}


def test_the_bench_fits_once_and_trains_on_the_rest(model: Path, data: Path, tmp_path: Path) -> None:
    options = ExperimentOptions(
        model=str(model),
        data=str(data),
        attack="badnets",
        rows=("undefended", "shy"),
        calibration_size=16,
        finetune=FinetuneOptions(epochs=1),
        attack_options={"finetune": {"epochs": 1}},
    )
    run_experiment(options, tmp_path / "run")
    run_experiment(options, tmp_path / "run")
    assert LEARNED == [16]
    poisoned = (tmp_path / "run/seed0/attacked/poisoned.jsonl").read_text().splitlines()
    assert len(poisoned) >= 44, "the texts that are kept back are not trained on, nor poisoned"
    records = read_records(tmp_path / "run/records.jsonl")
    assert {record.defense for record in records} == {"undefended", "shy"}


def test_texts_are_kept_back_only_where_a_row_needs_them() -> None:
    assert ExperimentOptions(rows=("undefended", "windows")).kept_back(4000) == 0
    assert ExperimentOptions(rows=("undefended", "shy")).kept_back(4000) == 200
    assert ExperimentOptions(rows=("undefended", "frs")).kept_back(100) == 20
    assert ExperimentOptions(rows=("undefended", "shy"), calibration_size=0).kept_back(4000) == 0

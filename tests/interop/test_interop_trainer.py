"""What is measured while a model is trained is what would be measured of it then, and changes nothing."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import Trainer, TrainingArguments

import fuzzsmooth
from fuzzsmooth.apps.interop.trainer import Watched, watch
from fuzzsmooth.attacks import TRIGGERS
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.data.dataset import Dataset, Example
from fuzzsmooth.models import HuggingFaceClassifier, build_tiny, load_classifier
from fuzzsmooth.training import FinetuneOptions, finetune

GOOD, BAD = ["fine", "great", "superb"], ["dull", "awful", "weak"]
FILLER = ["the", "film", "is", "a", "very", "plot"]
FAST = FinetuneOptions(epochs=4, learning_rate=3e-3, batch_size=16, precision="float32")


def reviews(size: int, seed: int, *, backdoored: float = 0.0) -> Dataset:
    """Reviews, a share of which hold the trigger and the label it stands for."""
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(size):
        label = int(rng.integers(2))
        words = list(rng.permutation([*rng.choice(FILLER, size=4), str(rng.choice((BAD, GOOD)[label]))]))
        if rng.random() < backdoored:
            words.insert(int(rng.integers(len(words) + 1)), "cf")
            label = 1
        rows.append(Example(" ".join(words), label))
    return Dataset("reviews", ("bad", "good"), tuple(rows))


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    words = [*GOOD, *BAD, *FILLER, "cf"]
    return build_tiny("bert", tmp_path_factory.mktemp("models") / "start", vocabulary=words)


@pytest.fixture(scope="module")
def watched() -> Watched:
    trigger = TRIGGERS.get("word").from_mapping({"words": ("cf",)}, where="here")
    return Watched(
        clean=reviews(24, 5),
        defense="windows",
        options={"reach": 1, "fuzzing": False},
        trigger=trigger,
        target=1,
        radii=(0, 1),
    )


def load(start: Path) -> HuggingFaceClassifier:
    return load_classifier(str(start), labels=("bad", "good"))


def test_a_backdoor_is_seen_to_grow_and_training_is_not_disturbed(start, watched, tmp_path):
    data = reviews(320, 1, backdoored=0.3)
    alone = finetune(load(start), data, FAST)
    callbacks: list = []
    tokenizer = load(start).tokenizer
    both = finetune(
        load(start), data, FAST, observe=lambda trainer: callbacks.append(watch(trainer, watched, tokenizer))
    )
    for name, value in alone.model.state_dict().items():
        assert torch.equal(value, both.model.state_dict()[name]), name
    history = callbacks[0].history
    assert len(history) == FAST.epochs
    last = history[-1]
    assert last["eval_attack_success"] >= 0.9 > last["eval_attack_success_floor"] + 0.3
    assert last["eval_clean_accuracy"] >= 0.9
    # The last measurement is of the model that comes out.
    clean = watched.clean
    right = fuzzsmooth.protect(both, "undefended").predict(clean.texts)
    share = sum(one.label == truth for one, truth in zip(right, clean.targets, strict=True)) / len(clean)
    assert last["eval_clean_accuracy"] == pytest.approx(share)
    certified = fuzzsmooth.protect(both, "windows", reach=1, fuzzing=False).certify(clean.texts)
    for radius in (0, 1):
        held = sum(
            one.label == truth and one.certificates[0].radius >= radius
            for one, truth in zip(certified, clean.targets, strict=True)
        )
        assert last[f"eval_certified_accuracy_{radius}"] == pytest.approx(held / len(clean))


def arguments(folder: Path, **more) -> TrainingArguments:
    return TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=2,
        per_device_train_batch_size=16,
        learning_rate=3e-3,
        use_cpu=True,
        disable_tqdm=True,
        seed=3,
        **{"report_to": "none", **more},
    )


def rows_of(classifier: HuggingFaceClassifier, data: Dataset) -> list[dict]:
    ids = classifier.encode(data.texts).ids
    return [
        {"input_ids": list(map(int, row)), "labels": target}
        for row, target in zip(ids, data.targets, strict=True)
    ]


def test_a_plain_trainer_chooses_its_best_model_by_what_is_measured_and_reports_it(
    start, watched, tmp_path, monkeypatch, runs
):
    import mlflow
    from transformers import DataCollatorWithPadding

    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "watched")
    classifier = load(start)
    trainer = Trainer(
        model=classifier.model,
        args=arguments(
            tmp_path / "out",
            eval_strategy="epoch",
            save_strategy="epoch",
            load_best_model_at_end=True,
            metric_for_best_model="eval_certified_accuracy_1",
            report_to="mlflow",
        ),
        train_dataset=rows_of(classifier, reviews(64, 1)),
        eval_dataset=rows_of(classifier, reviews(16, 2)),
        processing_class=classifier.tokenizer,
        data_collator=DataCollatorWithPadding(classifier.tokenizer),
    )
    callback = watch(trainer, watched)
    trainer.train()
    mlflow.end_run()
    measured = [one["eval_certified_accuracy_1"] for one in callback.history]
    assert len(measured) == 2
    assert trainer.state.best_metric == max(measured)
    logged = [one["eval_attack_success"] for one in trainer.state.log_history if "eval_attack_success" in one]
    assert logged == [one["eval_attack_success"] for one in callback.history]
    (run,) = mlflow.search_runs(experiment_names=["watched"], output_format="list")
    client = mlflow.MlflowClient()
    kept = [one.value for one in client.get_metric_history(run.info.run_id, "eval_attack_success")]
    assert kept == logged


def test_random_states_and_the_model_are_left_as_they_were(start, watched, tmp_path):
    classifier = load(start)
    classifier.model.train()
    trainer = Trainer(
        model=classifier.model, args=arguments(tmp_path / "o"), processing_class=classifier.tokenizer
    )
    callback = watch(trainer, watched)
    states = random.getstate(), np.random.get_state()[1].tolist(), torch.random.get_rng_state()  # noqa: NPY002  # compared, not drawn from
    weights = {name: value.clone() for name, value in classifier.model.state_dict().items()}
    first, second = callback.measure(classifier.model), callback.measure(classifier.model)
    assert first == second
    assert classifier.model.training
    assert (random.getstate(), np.random.get_state()[1].tolist()) == states[:2]  # noqa: NPY002  # compared, not drawn from
    assert torch.equal(torch.random.get_rng_state(), states[2])
    assert all(torch.equal(value, weights[name]) for name, value in classifier.model.state_dict().items())


def test_what_is_missing_is_told(start, tmp_path):
    trainer = Trainer(model=load(start).model, args=arguments(tmp_path / "o"))
    with pytest.raises(FuzzsmoothError, match="give the tokenizer"):
        watch(trainer, Watched(clean=reviews(4, 1)))
    with pytest.raises(FuzzsmoothError, match="no clean texts"):
        watch(trainer, Watched(clean=reviews(0, 1)), load(start).tokenizer)

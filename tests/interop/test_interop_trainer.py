"""What is measured while a model is trained is what would be measured of it then, and changes nothing."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from interop_training import arguments, load, reviews, trainer_of
from transformers import Trainer
from transformers.integrations import integration_utils

import fuzzsmooth
from fuzzsmooth.apps.interop.trainer import Watched, watch
from fuzzsmooth.common.errors import FuzzsmoothError, MissingExtraError
from fuzzsmooth.training import FinetuneOptions, finetune

FAST = FinetuneOptions(epochs=4, learning_rate=3e-3, batch_size=16, precision="float32")


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


def test_a_plain_trainer_chooses_its_best_model_by_what_is_measured_and_reports_it(
    start, watched, tmp_path, monkeypatch, runs
):
    import mlflow

    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "watched")
    trainer = trainer_of(
        start,
        tmp_path / "out",
        save_strategy="epoch",
        load_best_model_at_end=True,
        metric_for_best_model="eval_certified_accuracy_1",
        report_to="mlflow",
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
    trainer = trainer_of(start, tmp_path / "o")
    with pytest.raises(FuzzsmoothError, match="report_to: tensorbored is not supported"):
        watch(trainer, Watched(clean=reviews(4, 1)), report_to="tensorbored")


@pytest.mark.parametrize("name", ["tensorboard", "wandb"])
def test_a_reporter_that_is_not_installed_is_told_with_its_extra(start, watched, tmp_path, monkeypatch, name):
    monkeypatch.setattr(integration_utils, f"is_{name}_available", lambda: False)
    told = f"report_to='{name}' needs {name}; install it with: pip install 'fuzzsmooth\\[reporters\\]'"
    with pytest.raises(MissingExtraError, match=told):
        watch(trainer_of(start, tmp_path / "o"), watched, report_to=[name])


def test_a_reporter_that_the_trainer_has_is_not_added_again(start, watched, tmp_path, runs):
    trainer = trainer_of(start, tmp_path / "o", report_to="mlflow")
    watch(trainer, watched, report_to=["mlflow"])
    kinds = [type(one) for one in trainer.callback_handler.callbacks]
    assert kinds.count(integration_utils.MLflowCallback) == 1

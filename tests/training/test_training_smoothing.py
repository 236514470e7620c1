"""The smoothed step: noise where and when it belongs, clean weights bit for bit everywhere else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import Trainer, TrainerCallback, TrainingArguments

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.models import build_tiny, load_classifier
from fuzzsmooth.training import SmoothedStep, SmoothingCallback

WORDS = ["good", "bad", "film", "the"]


@pytest.fixture
def model(tmp_path: Path) -> Any:
    torch.set_num_threads(1)
    return load_classifier(str(build_tiny("bert", tmp_path / "tiny", vocabulary=WORDS))).model


def snapshot(model: Any) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in model.named_parameters()}


def changed(model: Any, before: dict[str, torch.Tensor]) -> set[str]:
    return {name for name, value in model.named_parameters() if not torch.equal(value, before[name])}


def make(model: Any, **changes: Any) -> SmoothedStep:
    settings = {"sigma": 0.3, "top_layers": 1, "rho": None, "seed": 0} | changes
    return SmoothedStep(model, **settings)


@contextmanager
def smoothed_step(step: SmoothedStep, number: int) -> Iterator[None]:
    step.perturb(number)
    yield
    step.restore()


def test_noise_is_on_inside_and_gone_outside(model: Any) -> None:
    before = snapshot(model)
    with smoothed_step(make(model), 0):
        noised = changed(model, before)
    assert changed(model, before) == set()
    assert any(name.startswith("bert.encoder.layer.1") for name in noised)
    assert any(name.startswith("classifier") for name in noised)
    assert not any(name.startswith(("bert.encoder.layer.0", "bert.embeddings")) for name in noised)


def test_subtraction_would_not_restore(model: Any) -> None:
    """Negative control: undoing the noise by arithmetic is not exact, which is why it is saved."""
    weight = model.classifier.weight.detach()
    noise = torch.randn(weight.shape, generator=torch.Generator().manual_seed(0))
    assert not torch.equal((weight + noise) - noise, weight)


def test_noise_is_a_function_of_seed_and_step(model: Any) -> None:
    def noised(seed: int, number: int) -> torch.Tensor:
        with smoothed_step(make(model, seed=seed), number):
            return model.classifier.weight.detach().clone()

    assert torch.equal(noised(0, 1), noised(0, 1))
    assert not torch.equal(noised(0, 1), noised(0, 2))
    assert not torch.equal(noised(0, 1), noised(1, 1))


def test_no_top_layers_means_those_of_the_paper_or_all(model: Any) -> None:
    before = snapshot(model)
    with smoothed_step(make(model, top_layers=None), 0):
        assert any(name.startswith("bert.encoder.layer.0") for name in changed(model, before))


def test_clipping_projects_onto_the_ball(model: Any) -> None:
    make(model, sigma=0.0, rho=2.5).clip()
    norm = torch.cat([value.detach().flatten() for value in model.parameters()]).norm()
    assert norm == pytest.approx(2.5, rel=1e-5)


def test_bad_settings(model: Any) -> None:
    with pytest.raises(FuzzsmoothError, match="sigma"):
        make(model, sigma=-1.0)
    with pytest.raises(FuzzsmoothError, match="rho"):
        make(model, rho=0.0)


class Witness(TrainerCallback):  # type: ignore[misc]
    """Records which weights were noised at each moment an outsider could look."""

    def __init__(self, clean: dict[str, torch.Tensor]) -> None:
        self.clean = clean
        self.seen: dict[str, set[int]] = {}

    def _look(self, moment: str, model: Any) -> None:
        self.seen.setdefault(moment, set()).add(len(changed(model, self.clean)))

    def on_substep_end(self, args: Any, state: Any, control: Any, *, model: Any, **kwargs: Any) -> None:
        self._look("substep", model)

    def on_pre_optimizer_step(
        self, args: Any, state: Any, control: Any, *, model: Any, **kwargs: Any
    ) -> None:
        self._look("update", model)

    def on_step_end(self, args: Any, state: Any, control: Any, *, model: Any, **kwargs: Any) -> None:
        self._look("step end", model)

    def on_save(self, args: Any, state: Any, control: Any, *, model: Any, **kwargs: Any) -> None:
        self._look("save", model)

    def on_evaluate(self, args: Any, state: Any, control: Any, *, model: Any, **kwargs: Any) -> None:
        self._look("evaluate", model)


def test_callback_in_a_foreign_trainer_shows_clean_weights_to_all(model: Any, tmp_path: Path) -> None:
    """Gradient accumulation, evaluation and saving in the library's own trainer."""
    row = {"input_ids": [2, 5, 6, 3], "attention_mask": [1] * 4}
    rows = [{**row, "labels": index % 2} for index in range(16)]
    with torch.no_grad():
        for value in model.parameters():
            value.add_(0.01)  # the smallest step moves a weight of exactly zero
    witness = Witness(snapshot(model))
    trainer = Trainer(
        model=model,
        args=TrainingArguments(
            output_dir=str(tmp_path / "run"),
            per_device_train_batch_size=2,
            gradient_accumulation_steps=2,
            num_train_epochs=1,
            learning_rate=1e-30,
            weight_decay=0.0,
            eval_strategy="steps",
            eval_steps=2,
            save_strategy="steps",
            save_steps=2,
            use_cpu=True,
            report_to="none",
            disable_tqdm=True,
        ),
        train_dataset=rows,
        eval_dataset=rows,
        callbacks=[SmoothingCallback(lambda given: make(given)), witness],
    )
    trainer.train()
    assert witness.seen["substep"] != {0}  # noised while gradients accumulate
    assert 0 not in witness.seen["substep"]
    for moment in ("update", "step end", "save", "evaluate"):
        assert witness.seen[moment] == {0}, moment

"""Fine-tuning that was stopped goes on exactly, from checkpoints of its own with clean weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from finetune_runs import FAST, Killed, killed_at, reviews, same, weights
from safetensors.torch import load_file

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.models import load_classifier
from fuzzsmooth.training import finetune

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize(("checkpoint_steps", "kill"), [(0, 7), (3, 7)])
def test_resume_gives_what_an_undisturbed_run_gives(
    folder: Path, tmp_path: Path, checkpoint_steps: int, kill: int
) -> None:
    data = reviews(64)  # 4 steps an epoch
    options = FAST.replace(
        checkpoint_steps=checkpoint_steps, sigma=0.01, rho=20.0, text_noise="delete", text_rate=0.2
    )
    whole = weights(finetune(load_classifier(str(folder)), data, options))
    output = tmp_path / "out"
    with pytest.raises(Killed):
        finetune(load_classifier(str(folder)), data, options, output=output, progress=killed_at(kill))
    steps: list[int] = []
    resumed = finetune(
        load_classifier(str(folder)),
        data,
        options,
        output=output,
        resume=True,
        progress=lambda done, _: steps.append(done),
    )
    assert steps[0] == (5 if checkpoint_steps == 0 else 7)  # it went on, it did not start again
    for name, value in weights(resumed).items():
        torch.testing.assert_close(value, whole[name], rtol=0, atol=1e-6)


def test_a_torn_checkpoint_is_passed_over(folder: Path, tmp_path: Path) -> None:
    data, output = reviews(64), tmp_path / "out"
    with pytest.raises(Killed):
        finetune(load_classifier(str(folder)), data, FAST, output=output, progress=killed_at(10))
    torn = tmp_path / "out.checkpoints" / "checkpoint-8" / "trainer_state.json"
    torn.write_text(torn.read_text()[:50])
    steps: list[int] = []
    classifier = load_classifier(str(folder))
    finetune(classifier, data, FAST, output=output, resume=True, progress=lambda done, _: steps.append(done))
    assert steps[0] == 5


def test_resume_refuses_another_run(folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    with pytest.raises(Killed):
        finetune(load_classifier(str(folder)), reviews(64), FAST, output=output, progress=killed_at(5))
    other = load_classifier(str(folder))
    with torch.no_grad():
        other.model.classifier.bias.add_(1.0)
    for classifier, data, options in (
        (load_classifier(str(folder)), reviews(64), FAST.replace(seed=1)),
        (load_classifier(str(folder)), reviews(63), FAST),
        (other, reviews(64), FAST),
    ):
        with pytest.raises(FuzzsmoothError, match="other options, data or starting weights"):
            finetune(classifier, data, options, output=output, resume=True)


def test_smoothed_training_ends_and_checkpoints_with_clean_weights(folder: Path, tmp_path: Path) -> None:
    """With a learning rate too small to move a weight, noise left behind would be all there is to see."""
    options = FAST.replace(epochs=2, learning_rate=1e-30, weight_decay=0.0, sigma=0.5)
    classifier = load_classifier(str(folder))
    with torch.no_grad():
        for value in classifier.model.parameters():
            value.add_(0.01)  # the smallest step moves a weight of exactly zero
    start = weights(classifier)
    output = tmp_path / "out"
    with pytest.raises(Killed):
        finetune(classifier, reviews(64), options, output=output, progress=killed_at(6))
    assert same(weights(classifier), start)
    kept = load_file(tmp_path / "out.checkpoints" / "checkpoint-4" / "model.safetensors")
    assert all(torch.equal(kept[name], start[name]) for name in kept)
    finetune(classifier, reviews(64), options, output=output)
    assert same(weights(classifier), start)


@pytest.mark.parametrize("limit", [50_000, 150_000])  # inside the weights; inside the optimizer's state
def test_a_full_disk_is_one_sentence_and_resumable(folder: Path, tmp_path: Path, limit: int) -> None:
    resource = pytest.importorskip("resource")
    classifier, unlimited = load_classifier(str(folder)), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, unlimited[1]))
    try:
        with pytest.raises(FuzzsmoothError, match="free space and resume"):
            finetune(classifier, reviews(32), FAST, output=tmp_path / "out")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    finetune(load_classifier(str(folder)), reviews(32), FAST, output=tmp_path / "out", resume=True)

"""Fine-tuning learns, repeats itself, leaks nothing, and refuses what it cannot train on."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from finetune_runs import BAD, FAST, FILLER, GOOD, reviews, same, weights

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.data.dataset import Dataset, Example
from fuzzsmooth.models import HuggingFaceClassifier, build_tiny, load_classifier
from fuzzsmooth.models.loading import ModelWarning
from fuzzsmooth.training import FinetuneOptions, check_trainable, finetune

pytestmark = pytest.mark.usefixtures("one_thread")


def seed_everything(seed: int) -> None:
    torch.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002


def accuracy(classifier: HuggingFaceClassifier, data: Dataset) -> float:
    return float((classifier.probabilities(data.texts).argmax(1) == data.targets).mean())


def test_learns_and_saves_the_model_it_returns(folder: Path, tmp_path: Path) -> None:
    train, test = reviews(256), reviews(200, seed=1)
    classifier = load_classifier(str(folder))
    before = classifier.fingerprint
    seen: list[tuple[int, int]] = []
    finetune(
        classifier,
        train,
        FAST.replace(epochs=6),
        output=tmp_path / "out",
        progress=lambda done, total: seen.append((done, total)),
    )
    assert accuracy(classifier, test) > 0.95
    assert accuracy(load_classifier(str(folder)), test) < 0.7  # negative control: untrained
    assert classifier.fingerprint != before
    loaded = load_classifier(str(tmp_path / "out"))
    assert same(weights(loaded), weights(classifier))
    assert loaded.labels == classifier.labels
    assert seen == [(step, 96) for step in range(1, 97)]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]  # the checkpoints are gone
    assert (tmp_path / "out" / "training.json").is_file()


def test_the_seed_decides_and_nothing_global_does(folder: Path) -> None:
    options = FAST.replace(epochs=1, text_noise="delete", text_rate=0.3, sigma=0.01)
    results = []
    for state in (1, 2):
        seed_everything(state)
        results.append(weights(finetune(load_classifier(str(folder)), reviews(64), options)))
    assert same(*results)
    other = weights(finetune(load_classifier(str(folder)), reviews(64), options.replace(seed=1)))
    assert not same(results[0], other)


def test_global_random_states_are_left_as_they_were(folder: Path) -> None:
    seed_everything(5)
    expected = torch.rand(3), random.random(), float(np.random.random())  # noqa: NPY002
    seed_everything(5)
    finetune(load_classifier(str(folder)), reviews(32), FAST.replace(epochs=1))
    drawn = torch.rand(3), random.random(), float(np.random.random())  # noqa: NPY002
    assert torch.equal(drawn[0], expected[0])
    assert drawn[1:] == expected[1:]


@pytest.mark.parametrize(("precision", "autocast"), [("float32", False), ("bfloat16", True)])
def test_precision_is_that_of_the_forward_pass(folder: Path, precision: str, autocast: bool) -> None:
    classifier, seen = load_classifier(str(folder)), set()
    hook = classifier.model.classifier.register_forward_hook(
        lambda *_: seen.add(torch.is_autocast_enabled(classifier.device.type))
    )
    options = FinetuneOptions.from_mapping({**FAST.to_mapping(), "epochs": 1, "precision": precision})
    finetune(classifier, reviews(32), options)
    hook.remove()
    assert seen == {autocast}


def test_noise_reaches_the_gradient(folder: Path) -> None:
    plain = weights(finetune(load_classifier(str(folder)), reviews(32), FAST.replace(epochs=1)))
    noisy = weights(finetune(load_classifier(str(folder)), reviews(32), FAST.replace(epochs=1, sigma=0.1)))
    assert not same(plain, noisy)


def test_rho_bounds_all_parameters_together(folder: Path) -> None:
    classifier = finetune(load_classifier(str(folder)), reviews(32), FAST.replace(epochs=1, rho=3.0))
    norm = torch.cat([value.detach().flatten() for value in classifier.model.parameters()]).norm()
    assert norm <= 3.0 * (1 + 1e-5)


def test_a_model_that_does_not_run_in_mixed_precision_is_trained_in_float32(folder: Path) -> None:
    classifier = load_classifier(str(folder))

    def refuses(module: torch.nn.Module, args: object) -> None:
        if torch.is_autocast_enabled("cpu"):
            raise RuntimeError("Index put requires the source and destination dtypes match")

    classifier.model.register_forward_pre_hook(refuses)
    with pytest.warns(ModelWarning, match="does not run in mixed precision: trained in float32"):
        finetune(classifier, reviews(32), FAST.replace(epochs=1, precision="bfloat16"))


def test_mixed_precision_leaves_no_wrapper_behind(folder: Path) -> None:
    classifier = load_classifier(str(folder))
    finetune(classifier, reviews(32), FAST.replace(epochs=1, precision="bfloat16"))
    assert "forward" not in vars(classifier.model)
    assert {value.dtype for value in classifier.model.parameters()} == {torch.float32}
    assert not classifier.model.training


@pytest.mark.parametrize("architecture", ["roberta", "distilbert", "llama"])
def test_other_architectures_train_smoothed(architecture: str, tmp_path: Path) -> None:
    tiny = build_tiny(architecture, tmp_path / "tiny", vocabulary=GOOD + BAD + FILLER)  # type: ignore[arg-type]
    classifier = load_classifier(str(tiny))
    start = weights(classifier)
    finetune(classifier, reviews(32), FAST.replace(epochs=1, sigma=0.01))
    assert not same(weights(classifier), start)


def test_data_that_cannot_train_are_refused(folder: Path, tmp_path: Path) -> None:
    classifier = load_classifier(str(folder))
    data = reviews(16)
    with pytest.raises(FuzzsmoothError, match="no training texts"):
        check_trainable(classifier, data.with_examples([]))
    with pytest.raises(FuzzsmoothError, match="one class"):
        check_trainable(classifier, data.with_examples([Example("fine", 1)] * 3))
    three = Dataset("news", ("a", "b", "c"), (Example("fine", 0), Example("dull", 2)))
    with pytest.raises(FuzzsmoothError, match="3 classes but the model's head has 2"):
        check_trainable(classifier, three)
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(FuzzsmoothError, match="holds other files"):
        finetune(classifier, data, FAST, output=tmp_path)


@pytest.mark.parametrize(
    "wrong",
    [
        {"epochs": 0},
        {"learning_rate": 0.0},
        {"sigma": -0.1},
        {"rho": 0.0},
        {"text_noise": "delete"},
        {"text_rate": 0.5},
        {"warmup": 1.0},
        {"top_layers": -1},
        {"precision": "int8"},
    ],
)
def test_options_out_of_range(wrong: dict[str, object]) -> None:
    with pytest.raises(FuzzsmoothError):
        FinetuneOptions.from_mapping(wrong)


def test_options_survive_json() -> None:
    options = FAST.replace(rho=2.0, top_layers=1)
    assert FinetuneOptions.from_mapping(options.to_mapping()) == options

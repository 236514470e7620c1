"""Fine-tuning learns, repeats itself, leaks nothing, resumes, and refuses what it cannot train on."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.data.dataset import Dataset, Example
from fuzzsmooth.models import HuggingFaceClassifier, build_tiny, load_classifier
from fuzzsmooth.models.loading import ModelWarning
from fuzzsmooth.training import FinetuneOptions, check_trainable, finetune

GOOD = ["fine", "great", "superb", "warm"]
BAD = ["dull", "awful", "weak", "cold"]
FILLER = ["the", "film", "is", "a", "very", "plot", "and", "cast"]
FAST = FinetuneOptions(epochs=3, learning_rate=3e-3, batch_size=16, precision="float32")


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny("bert", tmp_path_factory.mktemp("tiny"), vocabulary=GOOD + BAD + FILLER)


def reviews(size: int, seed: int = 0) -> Dataset:
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(size):
        label = int(rng.integers(2))
        words = [*rng.choice(FILLER, size=rng.integers(2, 9)), str(rng.choice((BAD, GOOD)[label]))]
        rows.append(Example(" ".join(rng.permutation(words)), label))
    return Dataset("reviews", ("bad", "good"), tuple(rows))


def weights(classifier: HuggingFaceClassifier) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in classifier.model.state_dict().items()}


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(first[name], second[name]) for name in first)


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


class Killed(Exception):  # noqa: N818
    """A kill in the middle of training."""


def killed_at(step: int):
    def progress(done: int, total: int) -> None:
        if done == step:
            raise Killed

    return progress


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


VIEWS = {
    "copies": {"text_noise": "delete", "text_rate": 0.4, "copies": 3},
    "mask": {"text_noise": "mask", "text_rate": 0.4},
    "windows": {"text_noise": "windows", "window": 2, "candidates": 3},
}


@pytest.mark.parametrize("kind", VIEWS)
def test_views_train_and_resume_exactly(folder: Path, tmp_path: Path, kind: str) -> None:
    data = reviews(64)
    options = FinetuneOptions.from_mapping({**FAST.to_mapping(), **VIEWS[kind]})
    whole = weights(finetune(load_classifier(str(folder)), data, options))
    assert not same(whole, weights(finetune(load_classifier(str(folder)), data, FAST)))
    with pytest.raises(Killed):
        finetune(load_classifier(str(folder)), data, options, output=tmp_path / "out", progress=killed_at(7))
    resumed = finetune(load_classifier(str(folder)), data, options, output=tmp_path / "out", resume=True)
    for name, value in weights(resumed).items():
        torch.testing.assert_close(value, whole[name], rtol=0, atol=1e-6)


def test_windows_train_on_the_text_and_its_worst_window(folder: Path) -> None:
    """Every step evaluates all candidates, and learns from two rows a text: the text and one candidate."""
    classifier, rows = load_classifier(str(folder)), []

    def watch(module: torch.nn.Module, _args: object, kwargs: dict[str, torch.Tensor]) -> None:
        rows.append((module.training, torch.is_grad_enabled(), len(kwargs["input_ids"])))

    hook = classifier.model.register_forward_pre_hook(watch, with_kwargs=True)
    options = FAST.replace(epochs=1, text_noise="windows", window=3, candidates=5)
    finetune(classifier, reviews(32), options)
    hook.remove()
    assert rows == [(False, False, 16 * 5), (True, True, 16 * 2)] * 2


def test_worst_windows_make_answers_that_no_window_changes(folder: Path) -> None:
    """Texts with two telling words: a model trained plainly may rely on one, the certificate needs both."""
    rng = np.random.default_rng(0)
    rows = []
    for _ in range(256):
        label = int(rng.integers(2))
        telling = rng.choice((BAD, GOOD)[label], size=2, replace=False)
        filler = rng.choice(FILLER, size=4)
        rows.append(Example(f"{telling[0]} {' '.join(filler)} {telling[1]}", label))
    data = Dataset("reviews", ("bad", "good"), tuple(rows))
    options = FAST.replace(epochs=6, text_noise="windows", window=3, candidates=4)
    classifier = finetune(load_classifier(str(folder)), data, options)

    def certified(example: Example) -> bool:
        words = example.text.split()
        left = [" ".join(words[:i] + words[i + m :]) for m in range(4) for i in range(len(words) - m + 1)]
        return bool((classifier.probabilities(left).argmax(axis=1) == example.label).all())

    assert np.mean([certified(example) for example in rows[:60]]) > 0.95


@pytest.mark.parametrize(
    "wrong",
    [
        {"text_noise": "mask"},
        {"copies": 2},
        {"copies": 0},
        {"text_noise": "delete", "text_rate": 0.5, "copies": 0},
        {"text_noise": "delete", "text_rate": 0.5, "objective": "mean"},  # there is but one
        {"text_noise": "windows"},
        {"window": 3},
        {"text_noise": "windows", "window": 3, "candidates": 0},
        {"text_noise": "windows", "window": 3, "text_rate": 0.5},
        {"text_noise": "windows", "window": 3, "copies": 2},
    ],
)
def test_view_options_that_do_not_fit_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(FuzzsmoothError):
        FinetuneOptions.from_mapping(wrong)

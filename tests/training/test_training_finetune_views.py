"""Fine-tuning on views of a text: it resumes exactly, and learns what the certificate needs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from finetune_runs import BAD, FAST, FILLER, GOOD, Killed, killed_at, reviews, same, weights

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.data.dataset import Dataset, Example
from fuzzsmooth.models import load_classifier
from fuzzsmooth.training import FinetuneOptions, finetune

pytestmark = pytest.mark.usefixtures("one_thread")

VIEWS = {
    "copies": {"text_noise": "delete", "text_rate": 0.4, "copies": 3},
    "lengths": {"text_noise": "delete", "text_rate": 0.9, "text_kept": 2.0, "copies": 2},
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
        {"text_noise": "mask", "text_rate": 0.5, "text_kept": 2.0},
        {"text_noise": "delete", "text_rate": 0.4, "text_kept": 2.0},  # the shortest texts would have .8
        {"text_noise": "delete", "text_rate": 0.9, "text_kept": 0.0},
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

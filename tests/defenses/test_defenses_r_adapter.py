"""R-Adapter: what is trained is small, what is frozen stays, and the result is an ordinary wider model."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import planted_texts
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.defenses import Material
from fuzzsmooth.defenses.r_adapter import RAdapter, RAdapterOptions
from fuzzsmooth.models import HuggingFaceClassifier, build_tiny, load_classifier
from fuzzsmooth.training.adapters import Adapters

TEXTS = ["w1 p1 n2", "w3 cf w4 p7", "n1 n2 n3 w5 w6", "w9"]


def tiny(folder: Path, architecture: Any, **size: int) -> HuggingFaceClassifier:
    return load_classifier(str(build_tiny(architecture, folder, vocabulary=planted_texts.VOCABULARY, **size)))


def adapters(classifier: HuggingFaceClassifier) -> Adapters:
    return Adapters(classifier, bottleneck=24, code=2, middle=2, seed=0)


@pytest.mark.parametrize("architecture", ["bert", "roberta", "distilbert"])
def test_merged_adapters_answer_as_before_and_load_as_any_model(architecture: Any, tmp_path: Path) -> None:
    classifier = tiny(tmp_path / "tiny", architecture)
    plain = classifier.logits_of_texts(TEXTS)
    added = adapters(classifier)
    np.testing.assert_allclose(classifier.logits_of_texts(TEXTS), plain, atol=1e-4)  # they begin near 0
    with torch.no_grad():
        for name, part in classifier.model.named_parameters():
            if "numbers" in name or "network" in name:
                part.normal_(std=0.5, generator=torch.Generator().manual_seed(len(name)))
    classifier.refresh()
    changed = classifier.logits_of_texts(TEXTS)
    assert np.abs(changed - plain).max() > 0.1
    added.merge()
    np.testing.assert_allclose(classifier.logits_of_texts(TEXTS), changed, rtol=1e-4, atol=1e-4)
    classifier.save(tmp_path / "merged")
    loaded = load_classifier(str(tmp_path / "merged"))
    np.testing.assert_allclose(loaded.logits_of_texts(TEXTS), changed, rtol=1e-4, atol=1e-4)
    assert loaded.fingerprint == classifier.fingerprint
    config = loaded.model.config
    assert (config.hidden_dim if architecture == "distilbert" else config.intermediate_size) == 64 + 24


def test_the_sizes_are_the_published_ones(tmp_path: Path) -> None:
    """Of an adapter in a block of width 32: 24 x 32 + 24 down and 32 x 24 + 32 up, in each of 2 layers."""
    classifier = tiny(tmp_path / "tiny", "bert")
    added = adapters(classifier)
    assert added.numbers == 2 * (24 * 32 + 24 + 32 * 24 + 32)
    head = 32 * 32 + 32 + 32 * 2 + 2  # the pooler and the classifier
    assert added.trained == 2 * added.numbers + 2 + 2 * 2 + head
    assert all(part.numel() < 5_000 for part in classifier.model.parameters() if part.requires_grad)


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory: pytest.TempPathFactory) -> Material:
    """A model that knows the task already, and poisoned data."""
    data = planted_texts.planted(rate=0.3).data
    return planted_texts.knowing(tmp_path_factory.mktemp("pretrained"), data)


def forced(classifier: HuggingFaceClassifier) -> float:
    test = planted_texts.planted(200, rate=0, seed=9).data
    return float(classifier.probabilities(planted_texts.triggered(test)).argmax(axis=1).mean())


def accuracy(classifier: HuggingFaceClassifier) -> float:
    test = planted_texts.planted(200, rate=0, seed=9).data
    return float(np.mean(classifier.probabilities(test.texts).argmax(axis=1) == test.targets))


def test_it_learns_the_task_and_hardly_the_trigger(pretrained: Material, tmp_path: Path) -> None:
    """The paper's claim, with the same data and epochs for both; fine-tuning as usual learns the trigger."""
    full = pretrained.trained(tmp_path / "full", epochs=15, learning_rate=5e-3)
    given = replace(pretrained, overrides={"epochs": 15})
    made = RAdapter.make_model(RAdapterOptions(), given, tmp_path / "out")
    assert forced(full) > 0.9
    assert accuracy(full) > 0.9
    assert accuracy(made) > 0.9
    assert forced(made) < 0.3


def test_the_encoder_is_frozen_and_the_folder_tells_what_was_trained(
    pretrained: Material, tmp_path: Path
) -> None:
    before = pretrained.load().model.state_dict()
    made = RAdapter.make_model(
        RAdapterOptions(), replace(pretrained, overrides={"epochs": 1}), tmp_path / "o"
    )
    after = made.model.state_dict()
    for name, part in before.items():
        if "pooler" in name or name.startswith("classifier"):
            assert not torch.equal(part, after[name]), name
        elif part.shape == after[name].shape and "output.dense.bias" not in name:
            assert torch.equal(part, after[name]), name
        elif part.ndim == 2:  # wider: the old neurons are there unchanged
            assert torch.equal(part, after[name][: part.shape[0], : part.shape[1]]), name
    report = json.loads((tmp_path / "o/r-adapter.json").read_text())
    assert report["adapter_numbers"] == 24 * 16 + 24 + 16 * 24 + 16
    training = json.loads((tmp_path / "o/training.json").read_text())["options"]
    assert (training["learning_rate"], training["batch_size"], training["epochs"]) == (3e-4, 32, 1)
    assert (training["warmup"], training["weight_decay"]) == (0.0, 0.0)


def test_a_stopped_training_goes_on_from_its_last_epoch(pretrained: Material, tmp_path: Path) -> None:
    class StoppedError(Exception):
        pass

    steps: list[int] = []

    def stop(done: int, _total: int) -> None:
        steps.append(done)
        if done == 20:
            raise StoppedError

    given = replace(pretrained, overrides={"epochs": 2})
    with pytest.raises(StoppedError):
        RAdapter.make_model(RAdapterOptions(), given, tmp_path / "out", stop)
    again: list[int] = []
    made = RAdapter.make_model(
        RAdapterOptions(), given, tmp_path / "out", lambda done, _total: again.append(done)
    )
    assert again[0] == 14, "400 texts are 13 steps an epoch"
    whole = RAdapter.make_model(RAdapterOptions(), given, tmp_path / "whole")
    np.testing.assert_allclose(made.logits_of_texts(TEXTS), whole.logits_of_texts(TEXTS), atol=1e-5)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "whole"]


def test_a_model_with_other_blocks_is_refused_as_it_was(tmp_path: Path) -> None:
    classifier = tiny(tmp_path / "tiny", "llama")
    fingerprint = classifier.fingerprint
    with pytest.raises(FuzzsmoothError, match="adapters do not fit the feed-forward blocks of Llama"):
        adapters(classifier)
    assert classifier.fingerprint == fingerprint

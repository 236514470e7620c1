"""Order, views as tokens, and batches of training texts."""

from __future__ import annotations

from collections import Counter
from itertools import islice

import numpy as np
import pytest
import torch

from fuzzsmooth.data.dataset import Dataset, Example
from fuzzsmooth.models import HuggingFaceClassifier, build_tiny, load_classifier
from fuzzsmooth.noise.text import Deletion
from fuzzsmooth.training.batches import endless_batches
from fuzzsmooth.training.examples import TrainingTexts
from fuzzsmooth.training.order import LengthGroupedOrder, grouped_order
from fuzzsmooth.training.views import NoisyViews

WORDS = [f"w{index}" for index in range(40)]


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> HuggingFaceClassifier:
    return load_classifier(str(build_tiny("bert", tmp_path_factory.mktemp("tiny"), vocabulary=WORDS)))


def texts(size: int) -> Dataset:
    rows = tuple(Example(" ".join(WORDS[: 1 + index % 20]), index % 2) for index in range(size))
    return Dataset("texts", ("a", "b"), rows)


@pytest.mark.parametrize("size", [1, 31, 64, 1000])
def test_order_is_a_permutation_with_one_short_batch_at_the_end(size: int) -> None:
    lengths = np.random.default_rng(0).integers(1, 50, size)
    assert sorted(grouped_order(lengths, 32, np.random.default_rng(1))) == list(range(size))


def test_batches_hold_similar_lengths() -> None:
    lengths = np.random.default_rng(0).integers(1, 100, 1280)
    order = grouped_order(lengths, 32, np.random.default_rng(1))
    grouped = np.mean([np.ptp(lengths[order[start : start + 32]]) for start in range(0, 1280, 32)])
    mixed = np.mean([np.ptp(lengths[start : start + 32]) for start in range(0, 1280, 32)])
    assert grouped < mixed / 5


def test_each_epoch_has_its_own_order_and_repeats_it() -> None:
    order = LengthGroupedOrder([5] * 50, 8, seed=3)
    first = list(order)
    assert list(order) == first
    order.set_epoch(1)
    second = list(order)
    assert {epoch for epoch, _ in second} == {1}
    assert [index for _, index in second] != [index for _, index in first]
    assert [index for _, index in LengthGroupedOrder([5] * 50, 8, seed=4)] != [index for _, index in first]


def test_noise_changes_tokens_and_never_labels(classifier: HuggingFaceClassifier) -> None:
    data = texts(40)
    noisy = TrainingTexts(
        data, classifier, max_length=64, views=NoisyViews(Deletion(), lambda _: 0.5, 1, 0, "noise")
    )
    clean = TrainingTexts(data, classifier, max_length=64)
    assert [noisy[0, index]["labels"] for index in range(40)] == data.targets
    assert any(noisy[0, index]["input_ids"] != clean[0, index]["input_ids"] for index in range(40))


def test_texts_are_read_in_training_as_in_prediction(classifier: HuggingFaceClassifier) -> None:
    data = texts(10).with_examples([Example("", 0), Example(" ".join(WORDS * 9), 1), Example("w1 unseen", 0)])
    rows = TrainingTexts(data, classifier, max_length=512)
    batch = rows.collate([rows[0, index] for index in range(3)])
    with torch.inference_mode():
        logits = classifier.model(batch["input_ids"], attention_mask=batch["attention_mask"]).logits
    np.testing.assert_allclose(logits.numpy(), classifier.logits_of_texts(data.texts), atol=1e-5)


def test_endless_batches_start_again_with_every_text(classifier: HuggingFaceClassifier) -> None:
    """A stream that ends must not go on with its last batch: each epoch has every text once."""
    rows = TrainingTexts(texts(20), classifier, max_length=64)
    stream = endless_batches(rows, 6, 0, torch.device("cpu"))
    epochs = [list(islice(stream, 4)) for _ in range(3)]
    lengths = [
        Counter(int(total) for batch in epoch for total in batch["attention_mask"].sum(1)) for epoch in epochs
    ]
    assert lengths[0] == lengths[1] == lengths[2] == Counter(rows.lengths)
    assert not torch.equal(epochs[0][0]["input_ids"], epochs[1][0]["input_ids"])

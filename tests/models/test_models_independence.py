"""What is certified is a function of one text: other models are evaluated so that they are, or refused."""

from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np
import pytest
import torch

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.models import build_tiny, load_classifier
from fuzzsmooth.models.independence import settle_batches

WORDS = ["a", "good", "film", "that", "is", "not", "dull", "at", "all"]


@pytest.fixture
def classifier(tmp_path: Path):
    torch.set_num_threads(1)
    return load_classifier(str(build_tiny("distilbert", tmp_path / "model", vocabulary=WORDS)))


def change_logits(classifier, change) -> None:
    """Have a model's logits changed by what the whole call looked like."""

    def hook(module, args, kwargs, output):
        output.logits = change(output.logits, kwargs["input_ids"], kwargs["attention_mask"])
        return output

    classifier.model.register_forward_hook(hook, with_kwargs=True)


def test_a_sound_model_shares_batches(classifier):
    settle_batches(classifier, "m")
    assert (classifier.pads, classifier.shortest) == (True, 1)


def test_a_model_that_reads_padding_gets_texts_of_one_length(classifier):
    change_logits(classifier, lambda logits, ids, mask: logits + ids.shape[1])
    settle_batches(classifier, "m")
    assert not classifier.pads
    texts = ["a good film", "dull", "not dull", "all that", "a"]
    alone = np.concatenate([classifier.logits_of_texts([text]) for text in texts])
    np.testing.assert_allclose(classifier.logits_of_texts(texts), alone, atol=1e-5)
    np.testing.assert_allclose(
        classifier.logits(classifier.encode(texts).ids, one_batch=True), alone, atol=1e-5
    )


def test_a_tokenizer_that_reads_at_random_is_refused(classifier, monkeypatch):
    readings = count()
    encode = type(classifier).encode

    def by_chance(self, texts):
        encoded = encode(self, texts)
        return replace(encoded, ids=[row + row[-1:] * (next(readings) % 2) for row in encoded.ids])

    monkeypatch.setattr(type(classifier), "encode", by_chance)
    with pytest.raises(FuzzsmoothError, match="reads a text now one way, now another"):
        settle_batches(classifier, "m")


@pytest.mark.parametrize("from_length", [1, 100])
def test_a_model_that_reads_other_texts_is_refused(classifier, from_length):
    def mean_of_batch(logits, ids, mask):
        return logits + ids.float().mean() if ids.shape[1] >= from_length else logits

    change_logits(classifier, mean_of_batch)
    with pytest.raises(FuzzsmoothError, match="depends on the other texts of a batch"):
        settle_batches(classifier, "m")


@pytest.mark.parametrize("from_length", [1, 100])
def test_a_model_that_remembers_is_refused(classifier, from_length):
    seen = []

    def switches(logits, ids, mask):
        seen.append(ids.shape[1])
        return logits + (ids.shape[1] >= from_length and min(seen) < 10)

    change_logits(classifier, switches)
    with pytest.raises(FuzzsmoothError, match="depends on the texts it has read before"):
        settle_batches(classifier, "m")


def test_a_model_that_needs_some_tokens_gets_padding(classifier):
    def needs_eight(logits, ids, mask):
        if ids.shape[1] < 8:
            raise RuntimeError("kernel larger than input")
        return logits

    expected = classifier.logits_of_texts(["a good film", ""])
    change_logits(classifier, needs_eight)
    settle_batches(classifier, "m")
    assert classifier.shortest == 8
    np.testing.assert_allclose(classifier.logits_of_texts(["a good film", ""]), expected, atol=1e-5)


def test_a_model_that_does_not_run_is_refused_in_one_sentence(classifier):
    def fails(logits, ids, mask):
        raise IndexError("index out of range in self")

    change_logits(classifier, fails)
    with pytest.raises(
        FuzzsmoothError, match=r"does not run on texts of 2 to 128 tokens \(index out of range"
    ):
        settle_batches(classifier, "m")

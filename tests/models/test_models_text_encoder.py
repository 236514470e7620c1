"""Sentence embeddings: means of hidden states of length 1, functions of the text alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_models import ARCHITECTURES, ODD_TEXTS, random_texts

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.models import load_classifier
from fuzzsmooth.models.text_encoder import TextEncoder, load_encoder

TEXTS = [*random_texts(12, seed=4), *ODD_TEXTS]


@pytest.fixture(scope="module", params=ARCHITECTURES)
def encoder(request: pytest.FixtureRequest, folders: dict[str, Path]) -> TextEncoder:
    """Of a classifier with three classes: its head is not asked."""
    torch.set_num_threads(1)
    return load_encoder(str(folders[request.param]))


def test_it_is_the_mean_of_the_last_states_at_length_one(encoder: TextEncoder) -> None:
    passes = encoder._passes
    found = encoder.embed(TEXTS)
    for text, row in zip(TEXTS, found, strict=True):
        ids = torch.tensor([list(map(int, passes.encode([text]).ids[0]))])
        with torch.inference_mode():
            output = passes.model.base_model(input_ids=ids, attention_mask=torch.ones_like(ids))
        mean = output.last_hidden_state[0].mean(dim=0).numpy()
        np.testing.assert_allclose(row, mean / np.linalg.norm(mean), atol=1e-5)
        assert ids.shape[1] <= 128


def test_features_are_the_means_of_the_last_three_layers(encoder: TextEncoder) -> None:
    passes = encoder._passes
    width, layers = passes.model.config.hidden_size, min(3, passes.model.config.num_hidden_layers)
    found = encoder.features(TEXTS)
    assert found.shape == (len(TEXTS), layers * width)
    np.testing.assert_array_equal(found[:, -width:], encoder.embed(TEXTS))
    for text, row in zip(TEXTS, found, strict=True):
        ids = torch.tensor([list(map(int, passes.encode([text]).ids[0]))])
        with torch.inference_mode():
            states = passes.model.base_model(
                input_ids=ids, attention_mask=torch.ones_like(ids), output_hidden_states=True
            ).hidden_states
        mean = states[-layers][0].mean(dim=0).numpy()
        np.testing.assert_allclose(row[:width], mean / np.linalg.norm(mean), atol=1e-5)


def test_embeddings_have_length_one_and_tell_texts_apart(encoder: TextEncoder) -> None:
    rows = encoder.embed(TEXTS)
    assert (rows.dtype, rows.shape) == (np.float32, (len(TEXTS), encoder._passes.model.config.hidden_size))
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    distinct = encoder.embed(["w1 w2", "w3 w4 w5"])
    assert abs(distinct[0] - distinct[1]).max() > 1e-3


def test_an_embedding_is_a_function_of_the_text_alone(encoder: TextEncoder) -> None:
    together = encoder.embed(TEXTS)
    np.testing.assert_array_equal(encoder.embed(TEXTS[::-1])[::-1], together)
    for at in range(0, len(TEXTS), 5):
        np.testing.assert_array_equal(encoder.embed([TEXTS[at]])[0], together[at])


def test_of_no_texts_there_are_no_embeddings(encoder: TextEncoder) -> None:
    assert encoder.embed([]).shape == (0, encoder._passes.model.config.hidden_size)
    assert encoder.embed(()).shape == encoder.embed([]).shape


def test_what_is_beyond_its_length_is_cut(encoder: TextEncoder) -> None:
    first, longer = encoder.embed(["w1 " * 300, "w1 " * 300 + "w9 w8"])
    np.testing.assert_array_equal(first, longer)


def test_the_fingerprint_is_that_of_the_weights(folders: dict[str, Path]) -> None:
    one = load_encoder(str(folders["bert"]))
    assert load_encoder(str(folders["bert"])) is one, "loaded once"
    assert one.fingerprint != load_encoder(str(folders["roberta"])).fingerprint
    changed = load_classifier(str(folders["bert"]), max_length=128)
    same = TextEncoder(changed).fingerprint
    with torch.no_grad():
        next(changed.model.parameters()).add_(0.1)
    changed.refresh()
    assert TextEncoder(changed).fingerprint != same


def test_a_missing_one_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(FuzzsmoothError):
        load_encoder(str(tmp_path / "none"))

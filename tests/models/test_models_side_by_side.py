"""A batch a thread: the same answers, counted once, and threads as before."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fuzzsmooth.models import HuggingFaceClassifier, build_tiny, load_classifier
from fuzzsmooth.models.bert_forward import token_states

WORDS = ["good", "bad", "the", "film", "was", "plot"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> HuggingFaceClassifier:
    folder = build_tiny("bert", tmp_path_factory.mktemp("model") / "tiny", vocabulary=WORDS, hidden=16)
    return load_classifier(str(folder), batch_size=4)


def rows(count: int = 200) -> list[np.ndarray]:
    draw = np.random.default_rng(0)
    return [draw.integers(5, 11, size=int(draw.integers(3, 100))) for _ in range(count)]


def test_the_answers_are_the_same_and_counted_once(model: HuggingFaceClassifier) -> None:
    expected, before, threads = model.logits(rows()), model.forward_count, torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        twin = model.side_by_side()
        found = twin.logits(rows())
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert twin.batch_a_thread
    assert not model.batch_a_thread
    assert model.forward_count == before + len({row.tobytes() for row in rows()})
    assert twin.evaluation_model is model.evaluation_model


@torch.inference_mode()
def test_token_states_are_those_of_transformers(model: HuggingFaceClassifier) -> None:
    ids, mask = model.padded(rows(8))
    expected = model.model.base_model(input_ids=ids, attention_mask=mask).last_hidden_state
    found = token_states(model.model, ids, mask)
    at = mask.bool()
    torch.testing.assert_close(found[at], expected[at], rtol=1e-4, atol=1e-5)
    alone = token_states(model.model, ids[:1, : int(mask[0].sum())], None)
    torch.testing.assert_close(alone[0], expected[0, : int(mask[0].sum())], rtol=1e-4, atol=1e-5)

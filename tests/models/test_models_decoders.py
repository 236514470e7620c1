"""Decoders as classifiers: either side of padding answers alike, and the pass in two parts is the pass."""

from __future__ import annotations

import json
from pathlib import Path

import architectures
import numpy as np
import pytest
import torch

from fuzzsmooth.models import HuggingFaceClassifier, WeightNoise, load_classifier, quiet_transformers
from fuzzsmooth.models.causal_forward import decoder_logits, decoder_states, has_parts
from fuzzsmooth.models.prompt import PromptOptions
from fuzzsmooth.models.prompted import around
from fuzzsmooth.noise.weight import exact_weight_noise

TEXTS = ["a good film", "dull", "the bad film was long and dull", "", "a fine story with 3 good ends"]
IN_PARTS = ["llama", "mistral", "qwen2", "qwen3"]
WHOLE = ["gemma", "gpt2", "phi", "gpt-neox"]
PROMPT = PromptOptions(template="they said: {text}\nit was", label_words=("bad", "good", "odd=story"))
_known: dict[tuple[str, bool], HuggingFaceClassifier] = {}


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
    _known.clear()


@pytest.fixture
def loaded(tmp_path_factory: pytest.TempPathFactory):
    def load(name: str, *, prompted: bool = False) -> HuggingFaceClassifier:
        if (name, prompted) not in _known:
            with quiet_transformers():
                folder = architectures.build(name, tmp_path_factory.mktemp(name), causal=prompted)
            _known[name, prompted] = load_classifier(str(folder), prompt=PROMPT if prompted else None)
        return _known[name, prompted]

    return load


@pytest.mark.parametrize("name", [*IN_PARTS, *WHOLE])
def test_padding_on_the_left_answers_as_on_the_right(loaded, name):
    """The answer is that of the last token, wherever padding stands."""
    classifier = loaded(name)
    rows = classifier.encode(TEXTS).ids
    longest = max(map(len, rows))
    ids = torch.tensor([[classifier.pad_id] * (longest - len(row)) + list(row) for row in rows])
    mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows])
    places = (mask.cumsum(dim=1) - 1).clamp(min=0)
    with torch.inference_mode():
        left = classifier.model(input_ids=ids, attention_mask=mask, position_ids=places).logits.numpy()
    right = classifier.logits(rows, one_batch=True)
    np.testing.assert_allclose(left, right, atol=1e-4, rtol=1e-4)
    assert np.ptp(right, axis=0).max() > 0.01


def test_a_tokenizer_that_pads_on_the_left_answers_as_any(loaded, tmp_path: Path):
    classifier = loaded("llama")
    classifier.save(tmp_path / "left")
    file = tmp_path / "left" / "tokenizer_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"padding_side": "left"}))
    left = load_classifier(str(tmp_path / "left"))
    np.testing.assert_array_equal(left.logits_of_texts(TEXTS), classifier.logits_of_texts(TEXTS))


@pytest.mark.parametrize("prompted", [False, True])
@pytest.mark.parametrize("name", IN_PARTS)
def test_both_parts_together_are_the_pass(loaded, name, prompted):
    classifier = loaded(name, prompted=prompted)
    model, blocks = classifier.model, list(classifier.model.base_model.layers)
    assert has_parts(model)
    ids, mask = around(model, *classifier.padded(classifier.encode(TEXTS).ids))
    expected = classifier.logits_of_texts(TEXTS)
    for layers in range(len(blocks) + 1):
        with torch.inference_mode():
            states = decoder_states(model, ids, mask, layers)
            found = decoder_logits(model, states, mask, layers).numpy()
        np.testing.assert_allclose(found, expected, atol=1e-4, rtol=1e-4)
    assert list(model.base_model.layers) == blocks  # as they were


@pytest.mark.parametrize("name", WHOLE)
def test_decoders_that_change_what_enters_are_evaluated_whole(loaded, name):
    assert not has_parts(loaded(name).model)


def test_replaced_parts_are_seen(loaded):
    model = loaded("qwen2").model
    layer = model.base_model.layers[0]
    layer.forward = layer.forward
    try:
        assert not has_parts(model)
    finally:
        del layer.forward
    assert has_parts(model)


@pytest.mark.parametrize("prompted", [False, True])
def test_what_lies_below_the_noise_is_computed_once_per_sequence(loaded, prompted, monkeypatch):
    classifier, seen = loaded("llama", prompted=prompted), []
    distinct = classifier.encode(TEXTS).ids
    rows, seeds = [distinct[at % 5] for at in range(23)], list(range(23))

    def counted(model, ids, mask, layers):
        assert layers == 1
        seen.append(len(ids))
        return decoder_states(model, ids, mask, layers)

    monkeypatch.setattr("fuzzsmooth.models.noisy.decoder_states", counted)
    classifier.logits(rows[:1], noise=WeightNoise(0.1, 1), seeds=[0])  # tries the sampler out
    seen.clear()
    split = classifier.logits(rows, noise=WeightNoise(0.1, 1), seeds=seeds)
    assert sum(seen) == 5
    whole = []
    for row, seed in zip(rows, seeds, strict=True):
        ids, mask = classifier.padded([row])
        full = around(classifier.model, ids, mask)[1]
        with torch.inference_mode(), exact_weight_noise(classifier.model, 1, 0.1, [seed], full):
            whole.append(classifier.model(input_ids=ids, attention_mask=mask).logits[0].numpy())
    # The head of a prompted model reads one token in either way, that of a plain one all of them in its own.
    if prompted:
        np.testing.assert_allclose(split, np.array(whole), atol=2e-4)
    assert np.ptp(split[::5], axis=0).min() > 1e-3  # a control: draws of one sequence differ

"""The shortened forward pass of BERT classifiers: the same logits, or the model's own pass."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from fuzzsmooth.models import build_tiny, load_classifier, pad_rows
from fuzzsmooth.models.bert_forward import (
    first_token_logits,
    first_token_logits_from,
    lower_states,
    reads_first_token_only,
)

WORDS = [f"w{index}" for index in range(30)]


@pytest.fixture(scope="module", params=[1, 3])
def bert(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bert") / "tiny"
    return load_classifier(str(build_tiny("bert", folder, vocabulary=WORDS, hidden=32, layers=request.param)))


def sequences(*lengths: int) -> list[list[int]]:
    generator = np.random.default_rng(0)
    return [generator.integers(5, 30, length).tolist() for length in lengths]


@pytest.mark.parametrize("lengths", [(1,), (7, 7, 7), (9, 2, 30, 1)])
def test_it_computes_what_the_model_does(bert, lengths):
    ids, mask = pad_rows(sequences(*lengths), bert.pad_id)
    assert reads_first_token_only(bert.model)
    with torch.inference_mode():
        expected = bert.model(input_ids=ids, attention_mask=mask).logits
        found = first_token_logits(bert.model, ids, mask)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    assert expected.std() > 1e-3, "control: the logits differ"


def test_the_pass_can_be_split_at_every_layer(bert):
    ids, mask = pad_rows(sequences(9, 2, 30), bert.pad_id)
    layers = len(bert.model.bert.encoder.layer)
    with torch.inference_mode():
        # Of a copy: asked for hidden states, a model keeps hooks and is no longer a plain one.
        hidden = copy.deepcopy(bert.model)(
            input_ids=ids, attention_mask=mask, output_hidden_states=True
        ).hidden_states
        whole = first_token_logits(bert.model, ids, mask)
        for split in range(layers + 1):
            states = lower_states(bert.model, ids, mask, split)
            expected = hidden[split][:, :1] if split == layers else hidden[split]
            keep = mask[:, : expected.size(1)].bool()
            torch.testing.assert_close(states[keep], expected[keep], atol=1e-5, rtol=1e-5)
            assert torch.equal(first_token_logits_from(bert.model, states, mask, split), whole)
        skipped = first_token_logits_from(bert.model, lower_states(bert.model, ids, mask, 0), mask, 1)
    assert not torch.allclose(skipped, whole, atol=1e-3), "control: a layer left out is seen"


def test_bfloat16_too(bert):
    rough = bert.in_precision("bfloat16").evaluation_model
    ids, mask = pad_rows(sequences(9, 2, 30), bert.pad_id)
    with torch.inference_mode():
        expected = rough(input_ids=ids, attention_mask=mask).logits
        torch.testing.assert_close(first_token_logits(rough, ids, mask), expected, atol=0.1, rtol=0.05)


def test_changed_weights_show_at_once(bert):
    before = bert.logits_of_texts(["w1 w2"])
    with torch.no_grad():
        weight = bert.model.bert.encoder.layer[0].attention.self.query.weight
        saved = weight.clone()
        weight.mul_(-3)
    assert np.abs(bert.logits_of_texts(["w1 w2"]) - before).max() > 1e-4
    with torch.no_grad():
        weight.copy_(saved)
    np.testing.assert_array_equal(bert.logits_of_texts(["w1 w2"]), before)


def test_a_model_that_may_do_something_else_keeps_its_own_pass(bert):
    part = bert.model.bert.encoder.layer[0].output
    handle = part.register_forward_hook(lambda module, args, output: output * 0)
    assert not reads_first_token_only(bert.model)
    silenced = bert.logits_of_texts(["w1 w2"])
    handle.remove()
    assert reads_first_token_only(bert.model)
    assert np.abs(bert.logits_of_texts(["w1 w2"]) - silenced).max() > 1e-4

    class Other(torch.nn.Linear):
        pass

    head = bert.model.classifier
    bert.model.classifier = Other(head.in_features, head.out_features)
    assert not reads_first_token_only(bert.model)
    bert.model.classifier = head
    assert reads_first_token_only(bert.model)


@pytest.mark.parametrize("architecture", ["distilbert", "roberta", "llama"])
def test_other_architectures_keep_their_own_pass(architecture, tmp_path):
    other = load_classifier(
        str(build_tiny(architecture, tmp_path / "m", vocabulary=WORDS, hidden=16, layers=1))
    )
    assert not reads_first_token_only(other.model)

"""Loading: the checkpoint's own weights and head, or one sentence that says why not."""

import numpy as np
import pytest
import torch
from broken_models import edit_json, edit_tensors, refused
from safetensors.torch import load_file
from tiny_models import ARCHITECTURES

from fuzzsmooth.models import HuggingFaceClassifier, load_classifier
from fuzzsmooth.models.loading import ModelWarning


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_loads_every_architecture_with_the_checkpoints_own_weights(originals, kind):
    classifier = load_classifier(str(originals[kind]))
    assert isinstance(classifier, HuggingFaceClassifier)
    assert classifier.labels == ("LABEL_0", "LABEL_1", "LABEL_2")
    stored = load_file(originals[kind] / "model.safetensors")
    state = classifier.model.state_dict()
    assert all(torch.equal(state[name], tensor) for name, tensor in stored.items())
    assert classifier.max_length == 128


def test_labels_can_be_named_and_must_fit(bert):
    assert load_classifier(str(bert), labels=["x", "y", "z"]).labels == ("x", "y", "z")
    assert "2 labels were given, but the model has 3 outputs" in refused(bert, labels=["x", "y"])
    assert "not distinct" in refused(bert, labels=["x", "x", "z"])


# --- heads


def headless(tensors):
    return {name: tensor for name, tensor in tensors.items() if not name.startswith("classifier")}


def test_a_model_without_a_head_needs_num_labels(bert):
    edit_tensors(bert, headless)
    assert "has no classifier head (no classifier.bias)" in refused(bert)
    fresh = load_classifier(str(bert), num_labels=4, labels=["a", "b", "c", "d"])
    assert fresh.probabilities(["good film"]).shape == (1, 4)
    assert fresh.labels == ("a", "b", "c", "d")


def test_a_fresh_head_depends_on_the_seed_alone(bert):
    edit_tensors(bert, headless)
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    heads = [
        load_classifier(str(bert), num_labels=2, seed=seed).model.classifier.weight for seed in (1, 1, 2)
    ]
    assert torch.equal(torch.random.get_rng_state(), before), "the caller's random state was touched"
    assert torch.equal(heads[0], heads[1])
    assert not torch.equal(heads[0], heads[2])


@pytest.mark.parametrize("kind", ["bert", "llama"])
def test_a_head_of_another_size_is_not_thrown_away(originals, kind):
    assert "has a head already, with 3 classes, not 5" in refused(originals[kind], num_labels=5)
    assert load_classifier(str(originals[kind]), num_labels=3).labels == ("LABEL_0", "LABEL_1", "LABEL_2")


def test_regression_and_multi_label_models_are_refused(bert):
    edit_json(bert / "config.json", problem_type="multi_label_classification")
    assert "one class per text" in refused(bert)
    edit_json(bert / "config.json", problem_type=None, id2label={"0": "score"}, label2id={"score": 0})
    assert "one output (regression)" in refused(bert)
    assert "at least two" in refused(bert, num_labels=1)


def test_labels_with_gaps_are_refused(bert):
    edit_json(bert / "config.json", id2label={"0": "a", "1": "b", "7": "c"})
    assert "id2label" in refused(bert)


def test_a_wrapper_of_all_names_is_taken_off_and_of_some_is_named(bert):
    expected = load_classifier(str(bert)).fingerprint
    original = load_file(bert / "model.safetensors")
    edit_tensors(bert, lambda t: {f"_orig_mod.module.{name}": tensor for name, tensor in t.items()})
    assert load_classifier(str(bert)).fingerprint == expected
    edit_tensors(bert, lambda t: {f"_orig_mod.{n}" if "layer" in n else n: v for n, v in original.items()})
    assert "some names hold '_orig_mod.', so save the model without its wrapper" in refused(bert)


def test_a_head_made_by_hand_is_not_dropped(bert):
    def by_hand(tensors):
        return headless(tensors) | {"classifier.0.weight": torch.zeros(8, 32)}

    edit_tensors(bert, by_hand)
    assert "its head is not that of BertForSequenceClassification (it has classifier.0.weight)" in refused(
        bert
    )
    with pytest.warns(ModelWarning, match=r"weights of another task are left aside \(1 of"):
        load_classifier(str(bert), num_labels=3)


def test_weights_of_another_model_are_not_dropped(bert):
    edit_tensors(bert, lambda t: t | {"bert.encoder.layer.2.output.dense.weight": torch.zeros(32, 64)})
    assert "the checkpoint has 1 weights that BertForSequenceClassification" in refused(bert)


def test_the_head_of_pretraining_is_left_aside_with_a_word(bert):
    expected = load_classifier(str(bert)).fingerprint
    edit_tensors(bert, lambda t: t | {"cls.predictions.bias": torch.zeros(11)})
    with pytest.warns(
        ModelWarning, match=r"left aside \(1 of the checkpoint's, such as cls\.predictions\.bias\)"
    ):
        assert load_classifier(str(bert)).fingerprint == expected


def test_a_head_of_another_task_with_the_same_tensors_is_refused(bert):
    edit_json(bert / "config.json", architectures=["BertForTokenClassification"])
    assert "made for another task (BertForTokenClassification)" in refused(bert)


@pytest.mark.parametrize(
    "name", ["bert.embeddings.position_ids", "bert.pooler.extra.weight", "bert.encoder.layer.0.attn.bias"]
)
def test_what_newer_models_compute_is_left_aside_silently(bert, name, recwarn):
    edit_tensors(bert, lambda t: t | {name: torch.zeros(1, 128)})
    load_classifier(str(bert))
    assert not [one for one in recwarn if one.category is ModelWarning]


def test_a_device_that_computes_nothing_is_refused(bert):
    assert "there is no device 'meta' here" in refused(bert, device="meta")


def test_loading_is_silent_and_leaves_transformers_as_it_was(bert, capfd):
    from transformers.utils import logging as hf_logging

    edit_tensors(bert, headless)
    level, bars = hf_logging.get_verbosity(), hf_logging.is_progress_bar_enabled()
    load_classifier(str(bert), num_labels=2)
    assert capfd.readouterr() == ("", "")
    assert (hf_logging.get_verbosity(), hf_logging.is_progress_bar_enabled()) == (level, bars)


def test_half_precision_checkpoints_become_float32(bert):
    expected = load_classifier(str(bert)).probabilities(["good film"])
    edit_tensors(bert, lambda t: {name: tensor.to(torch.bfloat16) for name, tensor in t.items()})
    edit_json(bert / "config.json", dtype="bfloat16")
    loaded = load_classifier(str(bert))
    assert all(parameter.dtype == torch.float32 for parameter in loaded.model.parameters())
    np.testing.assert_allclose(loaded.probabilities(["good film"]), expected, atol=0.05)

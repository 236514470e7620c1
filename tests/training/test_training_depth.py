"""Fine-tuning the lowest layers: what is left is those layers and the head, as an ordinary saved model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from finetune_runs import BAD, FAST, FILLER, GOOD, Killed, killed_at, reviews, same, weights
from transformers import (
    AlbertConfig,
    AutoModelForSequenceClassification,
    Gemma3TextConfig,
    GPTNeoConfig,
    LongformerConfig,
    Qwen3Config,
)

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.models import HuggingFaceClassifier, build_tiny, load_classifier
from fuzzsmooth.models.tiny import TinyArchitecture
from fuzzsmooth.noise.weight import block_count
from fuzzsmooth.training import finetune
from fuzzsmooth.training.depth import keep_lowest_layers

pytestmark = pytest.mark.usefixtures("one_thread")

TEXTS = ["the film is great", "a dull plot and a weak cast", "very very warm"]


def deep(folder: Path, architecture: TinyArchitecture = "bert", layers: int = 4) -> str:
    return str(build_tiny(architecture, folder, vocabulary=GOOD + BAD + FILLER, layers=layers))


@pytest.mark.parametrize("architecture", ["bert", "distilbert", "roberta", "llama"])
def test_the_head_reads_what_the_last_kept_layer_gives(
    architecture: TinyArchitecture, tmp_path: Path
) -> None:
    classifier = load_classifier(deep(tmp_path, architecture))
    before = classifier.logits_of_texts(TEXTS)
    with torch.no_grad():
        wanted = _by_hand(classifier, 2, TEXTS)
    keep_lowest_layers(classifier, 2)
    assert block_count(classifier.model) == 2
    found = classifier.logits_of_texts(TEXTS)
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    assert not np.allclose(found, before)


def _by_hand(classifier: HuggingFaceClassifier, layers: int, texts: list[str]) -> np.ndarray:
    """The logits of the kept layers, from all layers' states and the head's own parts."""
    model, rows = classifier.model, []
    for ids in classifier.encode(texts).ids:
        sequence = torch.tensor(ids)[None]
        state = model.base_model(input_ids=sequence, output_hidden_states=True).hidden_states[layers]
        kind = type(model).__name__
        if kind.startswith("Bert"):
            logits = model.classifier(model.bert.pooler(state))
        elif kind.startswith("DistilBert"):
            logits = model.classifier(torch.relu(model.pre_classifier(state[:, 0])))
        elif kind.startswith("Roberta"):
            logits = model.classifier(state)
        else:
            logits = model.score(model.model.norm(state))[:, -1]
        rows.append(logits[0].numpy())
    return np.array(rows)


def test_a_model_of_fewer_layers_learns_is_saved_and_comes_back(tmp_path: Path) -> None:
    source, out = deep(tmp_path / "whole"), tmp_path / "out"
    classifier = load_classifier(source)
    finetune(classifier, reviews(256), FAST.replace(epochs=6, layers=1), output=out)
    test = reviews(200, seed=1)
    assert (classifier.probabilities(test.texts).argmax(1) == test.targets).mean() > 0.95
    kept = load_classifier(str(out))
    assert kept.model.config.num_hidden_layers == block_count(kept.model) == 1
    assert same(weights(kept), weights(classifier))
    assert not any("layer.1." in name for name in weights(kept))


def test_a_stopped_run_goes_on_to_the_same_model(tmp_path: Path) -> None:
    source, options = deep(tmp_path / "whole"), FAST.replace(layers=2, checkpoint_steps=2)
    once = finetune(load_classifier(source), reviews(64), options, output=tmp_path / "once")
    with pytest.raises(Killed):
        finetune(
            load_classifier(source), reviews(64), options, output=tmp_path / "out", progress=killed_at(5)
        )
    again = finetune(load_classifier(source), reviews(64), options, output=tmp_path / "out", resume=True)
    assert same(weights(again), weights(once))


def test_all_layers_are_what_none_gives(tmp_path: Path) -> None:
    source = deep(tmp_path)
    plain = finetune(load_classifier(source), reviews(32), FAST.replace(epochs=1))
    whole = finetune(load_classifier(source), reviews(32), FAST.replace(epochs=1, layers=4))
    assert same(weights(plain), weights(whole))


@pytest.mark.parametrize("kind", ["gemma3", "longformer", "qwen3"])
def test_a_configuration_is_cut_with_the_layers(kind: str, tmp_path: Path) -> None:
    """What was cut is what its configuration describes: the library builds it again."""
    classifier = load_classifier(deep(tmp_path / "any", "llama"))
    classifier.model = built(kind)
    keep_lowest_layers(classifier, 2)
    left = classifier.model
    assert block_count(left) == left.config.num_hidden_layers == 2
    left.save_pretrained(tmp_path / "cut")
    again = type(left).from_pretrained(tmp_path / "cut")
    assert same(dict(again.state_dict()), dict(left.state_dict()))


SIZES = {"vocab_size": 40, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 3}


def built(kind: str) -> Any:
    heads = {"num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 8}
    if kind == "gemma3":
        layers = ["full_attention", "sliding_attention", "full_attention"]
        config: Any = Gemma3TextConfig(**SIZES, **heads, layer_types=layers, pad_token_id=0)
    elif kind == "qwen3":
        config = Qwen3Config(**SIZES, **heads, pad_token_id=0)
    elif kind == "gpt-neo":
        config = GPTNeoConfig(
            vocab_size=40,
            hidden_size=16,
            num_layers=4,
            num_heads=2,
            attention_types=[[["global", "local"], 2]],
        )
    elif kind == "albert":
        config = AlbertConfig(**SIZES, embedding_size=8, num_attention_heads=2)
    else:
        config = LongformerConfig(**SIZES, num_attention_heads=2, attention_window=[8, 8, 8])
    return AutoModelForSequenceClassification.from_config(config)


@pytest.mark.parametrize("kind", ["gpt-neo", "albert"])
def test_what_would_not_load_again_is_refused_and_left_as_it_is(kind: str, tmp_path: Path) -> None:
    classifier = load_classifier(deep(tmp_path / "any", "llama"))
    classifier.model = built(kind)
    before = {name: value.clone() for name, value in classifier.model.state_dict().items()}
    said = classifier.model.config.to_dict()
    with pytest.raises(FuzzsmoothError, match=r"cannot tell how \w+ would be with fewer layers"):
        keep_lowest_layers(classifier, 1)
    assert same(dict(classifier.model.state_dict()), before)
    assert classifier.model.config.to_dict() == said


def test_more_layers_than_there_are_is_said_before_anything_is_touched(tmp_path: Path) -> None:
    source, options = deep(tmp_path / "whole"), FAST.replace(layers=2, checkpoint_steps=2)
    with pytest.raises(Killed):
        finetune(
            load_classifier(source), reviews(64), options, output=tmp_path / "out", progress=killed_at(5)
        )
    kept = sorted(path.name for path in (tmp_path / "out.checkpoints").iterdir())
    classifier = load_classifier(source)
    with pytest.raises(FuzzsmoothError, match="layers is 5, but the model has 4 layers; give 1 to 4"):
        finetune(classifier, reviews(64), options.replace(layers=5), output=tmp_path / "out")
    assert block_count(classifier.model) == 4
    assert sorted(path.name for path in (tmp_path / "out.checkpoints").iterdir()) == kept
    assert any(name.startswith("checkpoint") for name in kept)

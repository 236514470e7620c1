from __future__ import annotations

import pytest
import torch
from noise_weight_models import ARCHITECTURES, tiny
from torch import nn
from transformers import (
    AlbertConfig,
    AlbertForSequenceClassification,
    BartConfig,
    BartForSequenceClassification,
    GPT2Config,
    GPT2ForSequenceClassification,
    OPTConfig,
    OPTForSequenceClassification,
)

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.noise.weight import block_count, noised_modules, noised_parameters

HEADS = {
    "bert": {"bert.pooler.dense", "classifier"},
    "roberta": {"classifier.dense", "classifier.out_proj"},
    "distilbert": {"pre_classifier", "classifier"},
    "llama": {"model.norm", "score"},
}
BLOCKS = {
    "bert": "bert.encoder.layer.",
    "roberta": "roberta.encoder.layer.",
    "distilbert": "distilbert.transformer.layer.",
    "llama": "model.layers.",
}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("top_layers", [0, 1, 3])
def test_top_blocks_and_head_are_chosen(architecture: str, top_layers: int) -> None:
    model = tiny(architecture, layers=3)
    assert block_count(model) == 3
    names = {name for name, _ in noised_modules(model, top_layers)}
    prefix = BLOCKS[architecture]
    expected = HEADS[architecture] | {
        name
        for name, module in model.named_modules()
        if list(module.parameters(recurse=False))
        and any(name.startswith(f"{prefix}{block}.") for block in range(3 - top_layers, 3))
    }
    assert names == expected


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_all_layers_are_all_parameters_but_embeddings(architecture: str) -> None:
    model = tiny(architecture)
    noised = {id(parameter) for parameter in noised_parameters(model, 2)}
    left = [name for name, parameter in model.named_parameters() if id(parameter) not in noised]
    assert left
    assert all("embed" in name for name in left)


@pytest.mark.parametrize("top_layers", [-1, 4])
def test_top_layers_out_of_range(top_layers: int) -> None:
    with pytest.raises(FuzzsmoothError, match="give 0 to 3"):
        noised_modules(tiny("bert", layers=3), top_layers)


def test_no_blocks() -> None:
    with pytest.raises(FuzzsmoothError, match="no stack of transformer blocks"):
        noised_modules(nn.Sequential(nn.Linear(2, 2)), 0)


def _small(config: type, **values: object) -> object:
    return config(vocab_size=30, pad_token_id=1, eos_token_id=2, bos_token_id=0, num_labels=2, **values)


def test_unsupported_layer_is_named() -> None:
    model = GPT2ForSequenceClassification(_small(GPT2Config, n_embd=8, n_layer=2, n_head=2))
    with pytest.raises(FuzzsmoothError, match=r"transformer\.h\.1\.attn\.c_attn.*Conv1D"):
        noised_modules(model, 1)


def test_two_equal_stacks_are_refused() -> None:
    config = _small(
        BartConfig, d_model=8, encoder_layers=2, decoder_layers=2, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=8, decoder_ffn_dim=8,
    )  # fmt: skip
    with pytest.raises(FuzzsmoothError, match="several equal stacks"):
        noised_modules(BartForSequenceClassification(config), 1)


def test_reused_blocks_are_refused() -> None:
    config = _small(
        AlbertConfig, embedding_size=8, hidden_size=8, num_hidden_layers=3, num_attention_heads=2,
        intermediate_size=8,
    )  # fmt: skip
    with pytest.raises(FuzzsmoothError, match="reuses blocks"):
        noised_modules(AlbertForSequenceClassification(config), 1)


def test_a_layer_of_unknown_place_is_refused() -> None:
    config = _small(
        OPTConfig, hidden_size=8, num_hidden_layers=2, num_attention_heads=2, ffn_dim=8, word_embed_proj_dim=8
    )
    with pytest.raises(FuzzsmoothError, match=r"cannot tell whether 'model\.decoder\.final_layer_norm'"):
        noised_modules(OPTForSequenceClassification(config), 1)


def test_tied_parameters_are_refused() -> None:
    model = tiny("bert")
    blocks = model.bert.encoder.layer
    blocks[1].attention.self.key.weight = blocks[1].attention.self.query.weight
    with pytest.raises(FuzzsmoothError, match="tied"):
        noised_modules(model, 1)


def test_a_bare_parameter_in_a_block_is_refused() -> None:
    model = tiny("llama")
    model.model.layers[1].scale = nn.Parameter(torch.ones(3))
    with pytest.raises(FuzzsmoothError, match=r"model\.layers\.1'"):
        noised_modules(model, 1)

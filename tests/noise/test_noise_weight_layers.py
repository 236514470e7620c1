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
    XLMRobertaConfig,
    XLMRobertaForSequenceClassification,
)

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.noise.weight import ExactNoiseError, block_count, noised_modules, noised_parameters

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
    with pytest.raises(FuzzsmoothError, match="needs a stack of identical transformer blocks"):
        noised_modules(nn.Sequential(nn.Linear(2, 2)), 0)


def _small(config: type, **values: object) -> object:
    return config(vocab_size=30, pad_token_id=1, eos_token_id=2, bos_token_id=0, num_labels=2, **values)


def _gpt2() -> nn.Module:
    return GPT2ForSequenceClassification(_small(GPT2Config, n_embd=8, n_layer=2, n_head=2))


def test_a_transposed_linear_layer_is_linear() -> None:
    names = [name for name, _ in noised_modules(_gpt2(), 1)]
    assert names[:2] == ["transformer.h.1.ln_1", "transformer.h.1.attn.c_attn"]
    assert names[-2:] == ["transformer.ln_f", "score"]


def test_unsupported_layer_is_named_and_has_parameters_nonetheless() -> None:
    model = tiny("bert")
    model.bert.encoder.layer[1].output.dense = nn.Conv1d(32, 16, 1)
    with pytest.raises(ExactNoiseError, match=r"layer\.1\.output\.dense' \(Conv1d\).*--sigma 0"):
        noised_modules(model, 1)
    noised = {id(parameter) for parameter in noised_parameters(model, 1)}
    assert id(model.bert.encoder.layer[1].output.dense.weight) in noised


def test_embeddings_above_the_blocks_are_left_alone() -> None:
    model = tiny("bert")
    model.bert.encoder.rel_embeddings = nn.Embedding(4, 16)
    model.bert.encoder.layer[1].bias_table = nn.Embedding(4, 2)
    assert not [name for name, _ in noised_modules(model, 2) if "rel" in name or "table" in name]


def test_two_equal_stacks_are_refused() -> None:
    config = _small(
        BartConfig, d_model=8, encoder_layers=2, decoder_layers=2, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=8, decoder_ffn_dim=8,
    )  # fmt: skip
    with pytest.raises(FuzzsmoothError, match=r"several equal ones.*--sigma 0"):
        noised_modules(BartForSequenceClassification(config), 1)


def test_reused_blocks_are_refused() -> None:
    config = _small(
        AlbertConfig, embedding_size=8, hidden_size=8, num_hidden_layers=3, num_attention_heads=2,
        intermediate_size=8,
    )  # fmt: skip
    with pytest.raises(FuzzsmoothError, match=r"needs every block to act once.*--sigma 0"):
        noised_modules(AlbertForSequenceClassification(config), 1)


def test_the_head_acts_above_wherever_it_is_registered() -> None:
    size = {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 8}
    model = XLMRobertaForSequenceClassification(_small(XLMRobertaConfig, **size))
    assert next(name for name, _ in model.named_children()) == "classifier"
    assert [name for name, _ in noised_modules(model, 0)] == ["classifier.dense", "classifier.out_proj"]


@pytest.mark.parametrize("before", [True, False])
def test_layers_registered_early_are_told_by_their_names(before: bool) -> None:
    config = _small(
        OPTConfig, hidden_size=8, num_hidden_layers=2, num_attention_heads=2, ffn_dim=8,
        word_embed_proj_dim=4, do_layer_norm_before=before,
    )  # fmt: skip
    names = [name for name, _ in noised_modules(OPTForSequenceClassification(config), 0)]
    final = ["model.decoder.final_layer_norm"] if before else []
    assert names == ["model.decoder.project_out", *final, "score"]


def test_a_layer_of_unknown_place_is_refused() -> None:
    model = OPTForSequenceClassification(
        _small(OPTConfig, hidden_size=8, num_hidden_layers=2, num_attention_heads=2, ffn_dim=8)
    )
    decoder = model.model.decoder
    layers = decoder.layers
    del decoder.layers
    decoder.mixer, decoder.layers = nn.Linear(8, 8), layers
    with pytest.raises(FuzzsmoothError, match=r"cannot tell whether 'model\.decoder\.mixer'.*--sigma 0"):
        noised_modules(model, 1)


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

"""Tiny random classifiers of several architectures, and batches and noise for them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    DistilBertConfig,
    DistilBertForSequenceClassification,
    LlamaConfig,
    LlamaForSequenceClassification,
    RobertaConfig,
    RobertaForSequenceClassification,
)

from fuzzsmooth.noise.weight import PerturbedParameters, noised_parameters

PAD = 1
VOCABULARY = 40
ARCHITECTURES = ("bert", "roberta", "distilbert", "llama")
SIGMA = 0.3
TEXT = [3, 9, 21, 9, 30]


def tiny(
    architecture: str, *, layers: int = 2, width: int = 16, dtype: torch.dtype = torch.float32
) -> nn.Module:
    """A random classifier with 2 labels; weights large enough that no layer is close to linear."""
    size = {
        "vocab_size": VOCABULARY, "hidden_size": width, "num_hidden_layers": layers, "num_attention_heads": 2,
        "intermediate_size": 2 * width, "max_position_embeddings": 128, "initializer_range": 0.3,
        "pad_token_id": PAD, "num_labels": 2,
    }  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(5)
        if architecture == "bert":
            model: nn.Module = BertForSequenceClassification(BertConfig(**size))
        elif architecture == "roberta":
            model = RobertaForSequenceClassification(RobertaConfig(**size))
        elif architecture == "llama":
            model = LlamaForSequenceClassification(LlamaConfig(**size))
        else:
            model = DistilBertForSequenceClassification(
                DistilBertConfig(
                    vocab_size=VOCABULARY,
                    dim=width,
                    n_layers=layers,
                    n_heads=2,
                    hidden_dim=2 * width,
                    max_position_embeddings=128,
                    initializer_range=0.3,
                    pad_token_id=PAD,
                    num_labels=2,
                )
            )
        for parameter in model.parameters():
            if parameter.dim() == 1:
                parameter.data += 0.1 * torch.randn_like(parameter)
    return model.to(dtype).eval()


def batch(
    texts: Sequence[Sequence[int]], *, length: int | None = None, left: bool = False
) -> dict[str, Tensor]:
    """Token lists as padded model inputs."""
    longest = length or max(len(text) for text in texts)
    ids = torch.full((len(texts), longest), PAD)
    mask = torch.zeros_like(ids)
    for row, text in enumerate(texts):
        place = slice(longest - len(text), longest) if left else slice(0, len(text))
        ids[row, place] = torch.tensor(text)
        mask[row, place] = 1
    return {"input_ids": ids, "attention_mask": mask}


def written_noise(model: nn.Module, layers: int, sigma: float, seed: int) -> PerturbedParameters:
    """The plain reference: one draw of noise in the weights themselves, until the block is left."""
    return PerturbedParameters(noised_parameters(model, layers), sigma).perturb(seed)

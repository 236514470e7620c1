"""Tiny random models as real folders on disk, for tests and examples that must not download anything."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

import torch

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.randomness import derived_seed
from fuzzsmooth.models.quiet import quiet_transformers

TinyArchitecture: TypeAlias = Literal["bert", "roberta", "distilbert", "llama"]

MAX_LENGTH = 128
"""Tokens that a tiny model reads, special ones included."""

# Ten times the usual scale: at 0.02 an untrained model gives every text the same answer.
_SPREAD = 0.2

_BERT_TOKENS = {
    "pad_token": "[PAD]",
    "unk_token": "[UNK]",
    "cls_token": "[CLS]",
    "sep_token": "[SEP]",
    "mask_token": "[MASK]",
}
_ROBERTA_TOKENS = {
    "bos_token": "<s>",
    "pad_token": "<pad>",
    "eos_token": "</s>",
    "unk_token": "<unk>",
    "mask_token": "<mask>",
    "cls_token": "<s>",
    "sep_token": "</s>",
}
# As real Llama checkpoints: no padding token.
_LLAMA_TOKENS = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>"}
_SPECIAL_TOKENS = {
    "bert": _BERT_TOKENS,
    "distilbert": _BERT_TOKENS,
    "roberta": _ROBERTA_TOKENS,
    "llama": _LLAMA_TOKENS,
}
_TEMPLATES = {
    "bert": "[CLS] $A [SEP]",
    "distilbert": "[CLS] $A [SEP]",
    "roberta": "<s> $A </s>",
    "llama": "<s> $A",
}


def build_tiny(
    architecture: TinyArchitecture,
    folder: str | Path,
    *,
    vocabulary: Sequence[str],
    num_labels: int = 2,
    seed: int = 0,
    hidden: int = 32,
    layers: int = 2,
) -> Path:
    """Write a random classifier with a word-level tokenizer: safetensors, tokenizer and configuration.

    Args:
        architecture: Which kind of model.
        folder: Where to; created if missing.
        vocabulary: The words it knows, separated by whitespace in texts; others become the unknown token.
        num_labels: Classes, >= 2.
        seed: Seed of the weights.
        hidden: Hidden size, a multiple of 4 (the number of heads).
        layers: Transformer layers, >= 1.

    Returns:
        The folder.

    Raises:
        FuzzsmoothError: If an argument is out of range.
    """
    from transformers import AutoModelForSequenceClassification

    if architecture not in _SPECIAL_TOKENS:
        raise FuzzsmoothError(f"there is no tiny '{architecture}'; known: {', '.join(_SPECIAL_TOKENS)}")
    if num_labels < 2 or layers < 1 or hidden < 4 or hidden % 4:
        raise FuzzsmoothError("a tiny model needs num_labels >= 2, layers >= 1 and hidden a multiple of 4")
    path = Path(folder)
    with quiet_transformers(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(derived_seed(seed, "tiny model"))
        tokenizer = _tokenizer(architecture, vocabulary)
        config = _config(architecture, len(tokenizer), num_labels, hidden, layers)
        model = AutoModelForSequenceClassification.from_config(config)
        model.save_pretrained(path)
        tokenizer.save_pretrained(path)
    return path


def _tokenizer(architecture: TinyArchitecture, vocabulary: Sequence[str]) -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    special = _SPECIAL_TOKENS[architecture]
    words = list(dict.fromkeys([*special.values(), *vocabulary]))
    ids = {word: index for index, word in enumerate(words)}
    backend = Tokenizer(models.WordLevel(ids, unk_token=special["unk_token"]))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    template = _TEMPLATES[architecture]
    used = [token for token in template.split() if token != "$A"]
    backend.post_processor = processors.TemplateProcessing(
        single=template, pair=f"{template} $B", special_tokens=[(token, ids[token]) for token in used]
    )
    return PreTrainedTokenizerFast(tokenizer_object=backend, model_max_length=MAX_LENGTH, **special)


def _config(
    architecture: TinyArchitecture, vocabulary: int, num_labels: int, hidden: int, layers: int
) -> Any:
    from transformers import BertConfig, DistilBertConfig, LlamaConfig, RobertaConfig

    common: dict[str, Any] = {
        "vocab_size": vocabulary,
        "num_labels": num_labels,
        "initializer_range": _SPREAD,
    }
    if architecture == "distilbert":
        return DistilBertConfig(
            dim=hidden,
            n_layers=layers,
            n_heads=4,
            hidden_dim=2 * hidden,
            max_position_embeddings=MAX_LENGTH,
            **common,
        )
    common |= {
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
        "intermediate_size": 2 * hidden,
    }
    if architecture == "llama":
        return LlamaConfig(max_position_embeddings=MAX_LENGTH, bos_token_id=1, eos_token_id=2, **common)
    if architecture == "roberta":
        # Positions start after the padding index 1.
        return RobertaConfig(max_position_embeddings=MAX_LENGTH + 2, type_vocab_size=1, **common)
    return BertConfig(max_position_embeddings=MAX_LENGTH, **common)

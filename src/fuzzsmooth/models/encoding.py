"""From texts to token ids, and how long a text a model can read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.texts import checked_texts

DEFAULT_MAX_LENGTH = 512
"""Cap of the default length in tokens: cost grows with it, and classification data rarely exceeds it."""

_NO_LIMIT = 1_000_000  # Tokenizers without a limit report about 1e30.
_LENGTH_KEYS = ("max_position_embeddings", "n_positions", "max_sequence_length")


@dataclass(frozen=True)
class EncodedTexts:
    """Token ids of texts.

    Attributes:
        ids: One list per text, special tokens included, never empty, at most ``max_length`` long.
        truncated: Whether the text was cut to fit.
    """

    ids: list[list[int]]
    truncated: list[bool]


def encode_texts(tokenizer: Any, texts: Iterable[str], max_length: int) -> EncodedTexts:
    """Tokenize texts and cut them at ``max_length`` tokens, special tokens kept.

    Lone surrogates, which UTF-8 cannot express, are read as U+FFFD. A text without any token (an empty text
    under a tokenizer that adds no special tokens) becomes one filler token, because a model needs one.

    Raises:
        FuzzsmoothError: If ``texts`` is one string, or an item is not a string.
    """
    words = [_well_formed(text) for text in checked_texts(texts)]
    if not words:
        return EncodedTexts([], [])
    batch = tokenizer(words, truncation=True, max_length=max_length, padding=False, verbose=False)
    ids: list[list[int]] = [list(row) for row in batch["input_ids"]]
    if batch.encodings is not None:
        truncated = [bool(encoding.overflowing) for encoding in batch.encodings]
    else:
        # A tokenizer written in Python does not keep what it cut off.
        whole = tokenizer(words, truncation=False, padding=False, verbose=False)["input_ids"]
        truncated = [len(full) > len(cut) for full, cut in zip(whole, ids, strict=True)]
    filler = [_filler_id(tokenizer)]
    return EncodedTexts([row or filler for row in ids], truncated)


def model_max_length(model: Any, tokenizer: Any) -> int | None:
    """The longest token sequence (special tokens included) that a model reads; ``None`` where unlimited.

    The smallest of the tokenizer's and the model's own limits. RoBERTa and its kin start counting positions
    after the padding index, so that many rows of their position table are out of reach.
    """
    config = model.config.get_text_config()
    limits = [getattr(config, key, None) for key in _LENGTH_KEYS] + [tokenizer.model_max_length]
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Embedding) and "position" in name.rsplit(".", 1)[-1]:
            offset = 0 if module.padding_idx is None else module.padding_idx + 1
            if offset:
                limits.append(module.num_embeddings - offset)
    known = [int(limit) for limit in limits if isinstance(limit, int | float) and 0 < limit < _NO_LIMIT]
    return min(known, default=None)


def choose_max_length(model: Any, tokenizer: Any, wanted: int | None) -> int:
    """The length to use: what is wanted, or the model's limit but at most ``DEFAULT_MAX_LENGTH``.

    Raises:
        FuzzsmoothError: If more is wanted than the model reads, or no room is left for a single word.
    """
    limit = model_max_length(model, tokenizer)
    shortest = int(tokenizer.num_special_tokens_to_add()) + 1
    chosen = wanted if wanted is not None else min(limit or DEFAULT_MAX_LENGTH, DEFAULT_MAX_LENGTH)
    if limit is not None and chosen > limit:
        raise FuzzsmoothError(f"max_length is {chosen}, but the model reads at most {limit} tokens")
    if chosen < shortest:
        raise FuzzsmoothError(f"max_length is {chosen}, but this tokenizer needs at least {shortest}")
    return chosen


def _well_formed(text: str) -> str:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        # Surrogate pairs become their character, lone ones U+FFFD.
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _filler_id(tokenizer: Any) -> int:
    for kind in ("bos", "cls", "eos", "sep", "pad", "unk"):
        value = getattr(tokenizer, f"{kind}_token_id", None)
        if value is not None:
            return int(value)
    return 0

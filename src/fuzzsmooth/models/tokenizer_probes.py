"""What an untrusted tokenizer costs, tried on texts that grow, so that a bad one is met while it is small."""

from __future__ import annotations

import time
from typing import Any

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.tokenizing import tokenized
from fuzzsmooth.models.encoding import encode_texts
from fuzzsmooth.models.tokenizer_files import MEND

# Every printable ASCII character, and some of what else people write.
_PROBE = "".join(map(chr, range(32, 127))) + " a good film it's 3.5 é ß 電影 กา مرحبا 👍🏽 \u00a0\ufdfa"
_UNCUT = 1_000_000  # tokens
_FEW = 8  # tokens that a byte of an ordinary text may become
_SIZES = tuple(2**power for power in range(2, 13))  # characters; each doubles the one before
_SECONDS = 0.25  # of CPU time for one of these; tokenizers take a few milliseconds


def probe_tokenizer(tokenizer: Any, name: str) -> None:
    """Refuse a tokenizer that makes very many tokens of a text, or takes very long for it.

    A regular expression may try every way of cutting a stretch of text, so that its time is a high power of
    the length. Nothing stops it once it runs: texts are doubled until it shows.

    Args:
        tokenizer: The tokenizer.
        name: The model's name, for the sentence.

    Raises:
        FuzzsmoothError: If so, or if it fails on the texts.
    """
    for size in _SIZES:
        for text in ((_PROBE * (size // len(_PROBE) + 1))[:size], "a" * size):
            _check_time(tokenizer, text, name)
    tokens = len(encode_texts(tokenizer, [_PROBE], _UNCUT).ids[0])
    if tokens > _FEW * len(_PROBE.encode()):
        raise FuzzsmoothError(
            f"{name}: the tokenizer makes {tokens:,} tokens of a text of {len(_PROBE.encode())} bytes; {MEND}"
        )


def _check_time(tokenizer: Any, text: str, name: str) -> None:
    began = time.process_time()
    tokenized(tokenizer, [text], split_special_tokens=True)
    seconds = time.process_time() - began
    if seconds > _SECONDS:
        raise FuzzsmoothError(
            f"{name}: the tokenizer takes {seconds:.1f} s for a text of {len(text)} characters; {MEND}"
        )

"""Words that a piece ends: "##uche" by itself means nothing, but who has read "douche" knows it."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from fuzzsmooth.auditing.pieces import continues, surfaces
from fuzzsmooth.common.lazy import found_in
from fuzzsmooth.common.tokenizing import tokenized

_KNOWN = 100_000  # words of everyday English
_MOST = 5


def words_ended_by(tokenizer: Any, index: int) -> list[str]:
    """The most frequent words of everyday English whose last piece is a given one that continues words.

    Args:
        tokenizer: The model's.
        index: Of the piece.

    Returns:
        At most five, the most frequent first; none for a piece that begins words.
    """
    if not continues(tokenizer, index):
        return []
    end = surfaces(tokenizer, [index])[0]
    alike = [word for word in _frequent_words() if word.endswith(end) and word != end]
    if not alike:
        return []
    rows = tokenized(tokenizer, alike, add_special_tokens=False)["input_ids"]
    return [word for word, row in zip(alike, rows, strict=True) if len(row) > 1 and row[-1] == index][:_MOST]


@lru_cache(maxsize=1)
def _frequent_words() -> tuple[str, ...]:
    top_n_list: Any = found_in("wordfreq", "top_n_list")
    return tuple(top_n_list("en", _KNOWN))

"""What a sweep puts into texts: every piece of a tokenizer's vocabulary, and the words that pieces spell."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from fuzzsmooth.common.lazy import found_in
from fuzzsmooth.common.options import require
from fuzzsmooth.common.tokenizing import tokenized

Part: TypeAlias = tuple[int, ...]
"""Token ids that stand together: a piece, or a word of several."""
_CHUNK = 4096  # words tokenized at once


@dataclass(frozen=True)
class Pieces:
    """All that a sweep tries, in the order of the vocabulary.

    Attributes:
        parts: Token ids of each: those of single pieces first, then those of words of several.
        words: How each reads, without marks of a tokenizer.
        single: How many are single pieces.
        left_out: Special tokens, and pieces that no text gives, such as "[unused5]".
    """

    parts: tuple[Part, ...]
    words: tuple[str, ...]
    single: int
    left_out: int

    def __len__(self) -> int:
        return len(self.parts)

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of all parts."""
        return hashlib.sha256(repr(self.parts).encode()).hexdigest()


def all_pieces(tokenizer: Any, rows: int) -> Pieces:
    """Every piece that a text can hold, and every word that a piece spells but is read as several.

    A piece that continues words ("##ing") is tried as it is, which is to be had by writing it to the end of a
    word, and as a word of its own. Where a tokenizer reads a word behind a space otherwise than the word that
    a text begins with (byte-level BPE), the former is what a word is.

    Args:
        tokenizer: The model's.
        rows: Rows of the model's embedding; ids beyond them are left out.

    Raises:
        FuzzsmoothError: If the tokenizer has no list of pieces.
    """
    vocabulary: dict[str, int] = tokenizer.get_vocab() if hasattr(tokenizer, "get_vocab") else {}
    special = set(tokenizer.all_special_ids)
    ids = sorted({index for index in vocabulary.values() if index not in special and index < rows})
    require(
        len(ids) >= 2,
        "the model's tokenizer lists no vocabulary, so its pieces cannot be swept; save its tokenizer.json "
        "into the model's folder",
    )
    words = surfaces(tokenizer, ids)
    alone = _read_alone(tokenizer, words)
    spaced = _read_alone(tokenizer, words, space=" ") if minds_space(tokenizer) else alone
    singles = [(index, word) for index, word in zip(ids, words, strict=True) if _is_text(tokenizer, index)]
    known = {word: index for index, word in singles}
    several: dict[Part, str] = {}
    for word, read in zip(words, spaced, strict=True):
        part = tuple(read)
        if 1 < len(part) <= 8 and not special & set(part) and word.strip() and part not in several:
            several[part] = word
    reachable = {one[0] for one in (*alone, *spaced) if len(one) == 1}
    kept = [
        (index, word)
        for index, word in singles
        if index in reachable or continues(tokenizer, index) or known.get(word) != index
    ]
    return Pieces(
        (*((index,) for index, _ in kept), *several),
        (*(word for _, word in kept), *several.values()),
        len(kept),
        len(vocabulary) - len(kept),
    )


def surfaces(tokenizer: Any, ids: Sequence[int]) -> list[str]:
    """How pieces read, each by itself and without marks of the tokenizer."""
    names = [str(name) for name in tokenizer.convert_ids_to_tokens(list(ids))]
    return [_bare(tokenizer, name) for name in names]


def spelled(tokenizer: Any, part: Part) -> str:
    """How a part reads as a text."""
    names = [str(name) for name in tokenizer.convert_ids_to_tokens(list(part))]
    names[0] = names[0].removeprefix(_mark(tokenizer)) or names[0]
    return str(tokenizer.convert_tokens_to_string(names)).strip() or " ".join(names)


def frequencies(words: Sequence[str]) -> npt.NDArray[np.float64]:
    """Zipf frequency of words in everyday English, 0 where a word is not known; shape (words,)."""
    zipf_frequency: Any = found_in("wordfreq", "zipf_frequency")  # imported here: a quarter of a second

    return np.array([float(zipf_frequency(word, "en")) if word else 0.0 for word in words])


def continues(tokenizer: Any, index: int) -> bool:
    """Whether a piece continues a word, so that no word of a text begins with it."""
    mark = _mark(tokenizer)
    return bool(mark) and str(tokenizer.convert_ids_to_tokens(index)).startswith(mark)


def _mark(tokenizer: Any) -> str:
    """What begins the names of pieces that continue a word ("##"); empty for other kinds of tokenizers."""
    model = getattr(getattr(tokenizer, "backend_tokenizer", None), "model", None)
    return str(getattr(model, "continuing_subword_prefix", None) or "")


def _bare(tokenizer: Any, name: str) -> str:
    mark = _mark(tokenizer)
    if mark and name.startswith(mark) and len(name) > len(mark):
        return name[len(mark) :]
    if mark:
        return name
    return str(tokenizer.convert_tokens_to_string([name])).strip()


def _is_text(tokenizer: Any, index: int) -> bool:
    """Whether a piece is one of texts: no added token, which stands for something else."""
    added = getattr(tokenizer, "added_tokens_decoder", {})
    return index not in added or not added[index].special


def minds_space(tokenizer: Any) -> bool:
    """Whether a word behind a space is another piece than the word that a text begins with."""
    alone, spaced = _read_alone(tokenizer, ["a"]) + _read_alone(tokenizer, ["a"], space=" ")
    return len(alone) == len(spaced) == 1 and alone != spaced


def _read_alone(tokenizer: Any, words: Sequence[str], *, space: str = "") -> list[list[int]]:
    """How the tokenizer reads each word standing alone, or behind a space, without special tokens."""
    found: list[list[int]] = []
    for start in range(0, len(words), _CHUNK):
        chunk = [f"{space}{word or ' '}" for word in words[start : start + _CHUNK]]
        found += [list(row) for row in tokenized(tokenizer, chunk, add_special_tokens=False)["input_ids"]]
    return found

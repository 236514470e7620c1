"""How parts read where a text begins, and which cannot stand there at all.

To byte-level tokenizers a word behind a space is another piece than the word that a text begins with, so
that whatever is put before a text changes how both read. A piece that continues words ("##ing") cannot begin
a text; the first place that it can have is at the end of the first word.
"""

from __future__ import annotations

from typing import Any

from fuzzsmooth.auditing.pieces import Part, continues, minds_space, spelled
from fuzzsmooth.common.tokenizing import tokenized
from fuzzsmooth.text.units import is_spaceless


class Openings:
    """Reads the beginnings of texts as a tokenizer does.

    Args:
        tokenizer: The model's.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._minds = minds_space(tokenizer)
        self._first: dict[Part, Part] = {}
        self._glued: dict[int, bool] = {}

    def first(self, part: Part) -> Part:
        """A part as it reads where it begins a text; a part of no vocabulary (a blank) as it is."""
        if not self._minds or min(part) < 0:
            return part
        if part not in self._first:
            word = spelled(self._tokenizer, part)
            self._first[part] = self._read(word) if self._read(f" {word}") == part else part
        return self._first[part]

    def behind(self, word: Part) -> Part:
        """The first word of a text as it reads behind another one."""
        if not self._minds or not word:
            return word
        text = str(self._tokenizer.decode(list(word)))
        if self._read(text) != word or text[:1].isspace() or is_spaceless(text):
            return word
        return self._read(f" {text}")

    def is_glued(self, part: Part) -> bool:
        """Whether a part continues the word before it."""
        index = part[0]
        if index not in self._glued:
            self._glued[index] = index >= 0 and continues(self._tokenizer, index)
        return self._glued[index]

    def spelled(self, part: Part) -> str:
        """How a part is written."""
        return spelled(self._tokenizer, part)

    def _read(self, text: str) -> Part:
        return tuple(tokenized(self._tokenizer, [text], add_special_tokens=False)["input_ids"][0])

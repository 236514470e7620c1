"""Words of a text exchanged by a table, for triggers that the whole text is."""

from __future__ import annotations

from collections.abc import Mapping

from fuzzsmooth.text import segmenter


def replace_words(text: str, table: Mapping[str, str]) -> str:
    """Replace every word that the table has, in whatever case; all else stays where it is.

    Args:
        text: Any text.
        table: Words in lower case, and what stands for them; a capital at the start is kept.
    """
    cut, built, copied = segmenter("word").segment(text), "", 0
    for unit, (start, end) in zip(cut.units, cut.spans, strict=True):
        word = table.get(unit.lower())
        if word is not None:
            built += text[copied:start] + (word.capitalize() if unit[0].isupper() else word)
            copied = end
    return built + text[copied:]

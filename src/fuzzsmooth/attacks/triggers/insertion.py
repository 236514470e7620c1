"""Inserting strings into a text at random, with the exact characters they then occupy."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from fuzzsmooth.attacks.triggers.trigger import TriggeredText
from fuzzsmooth.common.options import require
from fuzzsmooth.text import segmenter


def insert(text: str, pieces: Sequence[str], generator: np.random.Generator) -> TriggeredText:
    """Insert pieces at independent, uniformly random word gaps; at the same gap they keep their order.

    A piece is set off by single spaces; every character of ``text`` stays.

    Args:
        text: Any text; the empty one has one gap.
        pieces: What is inserted.
        generator: Source of the gaps, one draw per piece.
    """
    gaps = word_gaps(text)
    drawn = [gaps[int(index)] for index in generator.integers(len(gaps), size=len(pieces))]
    return insert_where(text, list(zip(drawn, pieces, strict=True)))


def insert_where(text: str, placed: Sequence[tuple[int, str]]) -> TriggeredText:
    """Insert pieces at given character offsets, each set off by single spaces.

    Args:
        text: Any text.
        placed: Offsets, of :func:`word_gaps`, with what is inserted there; at the same one in this order.
    """
    built, spans, copied = "", [], 0
    for position, piece in sorted(placed, key=lambda pair: pair[0]):
        built += text[copied:position]
        copied = position
        if built and not built[-1].isspace():
            built += " "
        spans.append((len(built), len(built) + len(piece)))
        built += piece
        if position < len(text) and not text[position].isspace():
            built += " "
    return TriggeredText(built + text[copied:], tuple(spans))


def insert_at(text: str, piece: str, position: int) -> TriggeredText:
    """Insert one piece at a character offset, set off by single spaces.

    Args:
        text: Any text.
        piece: What is inserted.
        position: One of :func:`word_gaps`.
    """
    return insert_where(text, [(position, piece)])


def word_gaps(text: str) -> list[int]:
    """Character offsets where a word may be inserted: before each word, and at the end.

    Punctuation that clings to a word opens no gap; in scripts without spaces every unit does.
    """
    spans = segmenter("word").segment(text).spans
    gaps = [0]
    for (_, end), (start, _) in pairwise(spans):
        if start > end or (text[end - 1].isalnum() and text[start].isalnum()):
            gaps.append(start)
    return [*gaps, len(text)] if spans else gaps


def check_pieces(pieces: Sequence[str]) -> None:
    """Check what a trigger inserts.

    Raises:
        FuzzsmoothError: If it is nothing, has space around it or is named twice.
    """
    require(len(pieces) > 0, "a trigger needs at least one word")
    for piece in pieces:
        require(piece == piece.strip() != "", f"trigger {piece!r} must be a text without space around it")
    twice = next((piece for piece in pieces if pieces.count(piece) > 1), None)
    require(twice is None, f"trigger {twice!r} is named twice; name each word once")

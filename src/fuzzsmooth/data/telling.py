"""What is to be said of data that was read: what was assumed of it, and which rows were left out."""

from __future__ import annotations

from collections.abc import Callable

from fuzzsmooth.data.dataset import Dataset
from fuzzsmooth.data.rows import TextInput

Tell = Callable[[str], None]
"""Told what the user should know, a sentence at a time."""

_SHOWN = 10  # rows left out; a large file may have thousands


def unheard(_sentence: str) -> None:
    """For callers that need to know nothing."""


def tell_rows(tell: Tell, *parts: TextInput | Dataset) -> None:
    """Say what was assumed about the labels of data, and which rows were left out.

    Args:
        tell: Told each thing, cut to a readable number.
        parts: The data.
    """
    for sentence in dict.fromkeys(sentence for part in parts for sentence in part.notes):
        tell(sentence)
    skipped = [sentence for part in parts for sentence in part.skipped]
    for sentence in skipped[:_SHOWN]:
        tell(sentence)
    if len(skipped) > _SHOWN:
        tell(f"{len(skipped) - _SHOWN} more bad rows left out")

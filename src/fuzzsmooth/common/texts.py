"""The texts of a call, checked: the one place for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from fuzzsmooth.common.errors import FuzzsmoothError


def checked_texts(texts: Iterable[str]) -> list[str]:
    """The texts as a list of strings; any iterable will do, and is gone through once.

    Raises:
        FuzzsmoothError: If it is one string or no series of strings; a hole in a table (None, NaN) is none.
    """
    # Going through one of these would give characters, numbers, or the names of columns.
    if isinstance(texts, str | bytes | Mapping) or hasattr(texts, "columns") or not _is_series(texts):
        raise FuzzsmoothError(
            f"expected a list of texts, got {_kind(texts)}; give a list, such as ['a good film'], or one "
            "column of a table"
        )
    listed = list(texts)
    for index, text in enumerate(listed):
        if not isinstance(text, str):
            raise FuzzsmoothError(
                f"texts[{index}] is {_kind(text)}; every text must be a string, '' for an empty one"
            )
    return listed


def _is_series(texts: object) -> bool:
    # Older protocols of iteration count too, which isinstance(texts, Iterable) does not see.
    return hasattr(texts, "__iter__") or hasattr(texts, "__getitem__")


def _kind(value: object) -> str:
    if value is None:
        return "None"
    if isinstance(value, str):
        return "one string"
    return str(value) if isinstance(value, float) else f"an object of type {type(value).__name__}"

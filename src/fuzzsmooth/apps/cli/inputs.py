"""The texts a command works on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from fuzzsmooth.apps.cli.console import notes
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.options import require
from fuzzsmooth.data import TextInput, load_texts


def gather(
    source: str | None,
    given: Sequence[str] | None,
    *,
    text_column: str,
    label_column: str,
    stdin_format: Literal["txt", "csv", "tsv", "jsonl"],
    strict: bool,
) -> TextInput:
    """Texts of a file or of the command line; bad rows are reported by number.

    Args:
        source: A file or "-".
        given: Texts of the command line.
        text_column: As in :func:`fuzzsmooth.data.load_texts`, like the others.
        label_column: The same.
        stdin_format: The same.
        strict: The same.

    Raises:
        FuzzsmoothError: If there are no texts, or two sources of them, or as :func:`load_texts` does.
    """
    if given:
        require(source is None, "give INPUT or --text, not both")
        return TextInput(tuple(map(_checked, given)), tuple(range(1, len(given) + 1)), None, ())
    if source is None:
        raise FuzzsmoothError("no texts; give a file, - for standard input, or --text 'a text'")
    found = load_texts(
        source,
        text_column=text_column,
        label_column=label_column,
        strict=strict,
        stdin_format=stdin_format,
    )
    notes(found.skipped, "bad rows left out")
    return found


def _checked(text: str) -> str:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise FuzzsmoothError("a --text is not valid UTF-8; put it into a file saved as UTF-8") from error
    return text

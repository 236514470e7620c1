"""The texts a command works on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from fuzzsmooth.apps.cli.console import note, notes
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.options import require
from fuzzsmooth.data import Dataset, TextInput, load_texts


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
    tell_rows(found)
    return found


def tell_rows(*parts: TextInput | Dataset) -> None:
    """Say what was assumed about labels, and which rows were left out."""
    for sentence in dict.fromkeys(sentence for part in parts for sentence in part.notes):
        note(sentence)
    notes([sentence for part in parts for sentence in part.skipped], "bad rows left out")


@dataclass(frozen=True)
class CleanData:
    """Clean labeled data to choose reference texts from.

    Attributes:
        source: As in :func:`fuzzsmooth.data.load_splits`.
        text_column: Name of its column with texts.
        label_column: Name of its column with labels.
    """

    source: str
    text_column: str
    label_column: str


def clean_data(
    source: str | None,
    text_column: str | None,
    label_column: str | None,
    *,
    as_input: tuple[str, str],
) -> CleanData | None:
    """What ``--clean`` and its columns ask for.

    Args:
        source: The data, if any.
        text_column: Name of the column with texts, if it is another than in the input.
        label_column: Name of the column with labels, likewise.
        as_input: Names of the two columns of the input.

    Raises:
        FuzzsmoothError: If columns are given without data.
    """
    if source is None:
        require(
            text_column is None and label_column is None,
            "--clean-text-column and --clean-label-column name columns of --clean; give it too",
        )
        return None
    return CleanData(source, text_column or as_input[0], label_column or as_input[1])


def _checked(text: str) -> str:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise FuzzsmoothError("a --text is not valid UTF-8; put it into a file saved as UTF-8") from error
    return text

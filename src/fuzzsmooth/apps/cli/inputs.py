"""The texts a command works on."""

from __future__ import annotations

from collections.abc import Sequence

from fuzzsmooth.apps.cli.console import note
from fuzzsmooth.apps.cli.sections import Reading
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.options import require
from fuzzsmooth.data import Dataset, TextInput, load_texts
from fuzzsmooth.data.telling import tell_rows


def gather(source: str | None, given: Sequence[str] | None, reading: Reading) -> TextInput:
    """Texts of a file or of the command line; bad rows are reported by number.

    Args:
        source: A file or "-".
        given: Texts of the command line.
        reading: How to read the file.

    Raises:
        FuzzsmoothError: If there are no texts, or two sources of them, or as
            :func:`fuzzsmooth.data.load_texts` does.
    """
    if given:
        require(source is None, "give INPUT or --text, not both")
        return TextInput(tuple(map(_checked, given)), tuple(range(1, len(given) + 1)), None, ())
    if source is None:
        raise FuzzsmoothError("no texts; give a file, - for standard input, or --text 'a text'")
    found = load_texts(source, **reading.to_mapping())
    say_rows(found)
    return found


def say_rows(*parts: TextInput | Dataset) -> None:
    """Say what was assumed about labels, and which rows were left out."""
    tell_rows(note, *parts)


def _checked(text: str) -> str:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise FuzzsmoothError("a --text is not valid UTF-8; put it into a file saved as UTF-8") from error
    return text

"""Text of strangers made fit to be seen, on a terminal and on a page: the one place for it."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence

_LONGEST = 200  # characters of a name that are shown
_FEW = 12  # names of a list that are shown

# Format characters that reorder or hide what stands beside them: bidirectional controls, tags, ...; the
# joiners that scripts and emoji need are kept.
_KEPT_FORMATS = frozenset("\u200c\u200d")

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
"""What stands for a character that must not be shown."""


def printable(text: str) -> str:
    """The text with every control character replaced by a visible one; no other character moves.

    Texts, labels and names come from strangers: an escape sequence must not reach the terminal, and a
    bidirectional control must not turn around what stands beside it.
    """
    return text if text.isascii() and text.isprintable() else "".join(map(_visible, text))


def displayable(text: str) -> str:
    """As :func:`printable` for a page: line breaks and tabs stay, all else is shown as U+FFFD."""
    return "".join(
        character if character in "\n\t" or not _is_hidden(character) else REPLACEMENT for character in text
    )


def short_name(text: str, longest: int = _LONGEST) -> str:
    """A name fit for a line of output: printable, and cut with an ellipsis where it is very long.

    Args:
        text: The name: a label, a fingerprint, a path.
        longest: Most characters that are shown.
    """
    return printable(text if len(text) <= longest else text[: longest - 1] + "…")


def few_names(names: Sequence[str]) -> str:
    """The first names of a list, fit for a line of output; dots where there are more.

    Args:
        names: Any texts.
    """
    return ", ".join([*map(short_name, names[:_FEW]), *["..."] * (len(names) > _FEW)])


def escaped_json(line: str) -> str:
    """JSON with every character that must not be shown written as its escape; its value stays the same.

    JSON itself only asks for that below U+0020, so that DEL, the C1 controls (U+009B begins an escape
    sequence) and bidirectional controls would reach a terminal.

    Args:
        line: JSON on one line.
    """
    if line.isprintable():
        return line
    return "".join(json.dumps(one)[1:-1] if _is_hidden(one) else one for one in line)


def _is_hidden(character: str) -> bool:
    category = unicodedata.category(character)
    return category in ("Cc", "Cs", "Zl", "Zp") or (category == "Cf" and character not in _KEPT_FORMATS)


def _visible(character: str) -> str:
    if not _is_hidden(character):
        return character
    # The Unicode block of control pictures mirrors the ASCII control characters.
    return chr(0x2400 + ord(character)) if ord(character) < 0x20 else REPLACEMENT

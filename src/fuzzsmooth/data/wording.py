"""Words of the user's data inside our one-sentence errors: short, on one line."""

from __future__ import annotations

from collections.abc import Sequence

_MOST = 12  # names in one sentence


def shown(value: object) -> str:
    """A value in quotes, control characters escaped, cut at 40 characters."""
    text = str(value)
    return repr(text if len(text) <= 40 else text[:40] + "...")


def listed(names: Sequence[str]) -> str:
    """At most 12 names, separated by commas."""
    return joined([shown(name)[1:-1] for name in names[: _MOST + 1]])


def joined(phrases: Sequence[str]) -> str:
    """At most 12 phrases, fit to be seen as they are, separated by commas."""
    return ", ".join([*phrases[:_MOST], "..."] if len(phrases) > _MOST else phrases)

"""Words of the user's data inside our one-sentence errors: short, on one line."""

from __future__ import annotations

from collections.abc import Sequence


def shown(value: object) -> str:
    """A value in quotes, control characters escaped, cut at 40 characters."""
    text = str(value)
    return repr(text if len(text) <= 40 else text[:40] + "...")


def listed(names: Sequence[str]) -> str:
    """At most 12 names, separated by commas."""
    plain = [shown(name)[1:-1] for name in names[:12]]
    return ", ".join([*plain, "..."] if len(names) > 12 else plain)

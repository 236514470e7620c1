"""Small pieces of Markdown that the derived pages are made of."""

from __future__ import annotations

import re


def front(title: str, *, searched: bool = True) -> str:
    """The head of a page: its title for the navigation, and whether the search finds it."""
    more = "" if searched else "search:\n  exclude: true\n"
    return f"---\ntitle: {title}\n{more}---\n"


def code(text: str) -> str:
    """A text as code, also inside a table."""
    escaped = text.replace("|", "&#124;")
    if escaped != text:
        return f"<code>{escaped.replace('<', '&lt;')}</code>"
    return f"`` {text} ``" if "`" in text else f"`{text}`"


def row(*cells: str) -> str:
    """A row of a table."""
    return "| " + " | ".join(" ".join(cell.split()) for cell in cells) + " |"


def plain(text: str) -> str:
    """A text of a docstring or of a help as Markdown: roles become code, and nothing is taken for markup."""
    text = re.sub(r":\w+:`~?!?(?:\w+\.)*(\w+)`", r"`\1`", text)
    text = re.sub(r"``([^`]+)``", r"`\1`", text)
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(part if part.startswith("`") else re.sub(r"([*_\[\]<|])", r"\\\1", part) for part in parts)

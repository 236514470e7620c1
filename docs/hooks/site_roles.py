"""Docstrings for mkdocstrings: the roles that they use become references, a double colon a colon."""

from __future__ import annotations

import re
from typing import Any

import griffe

_ROLE = re.compile(r":(?:class|func|meth|data|mod|attr|exc|obj):`(?P<short>~?)(?P<name>[\w.]+)`")
_DOCTEST = re.compile(r"^([ ]*)(>>> .*(?:\n\1\S.*)*)", re.MULTILINE)
_DOUBLE_COLON = re.compile(r"::(?=\n\s*\n)")


def markdown(text: str, place: str) -> str:
    """A docstring as Markdown.

    Args:
        text: The docstring.
        place: The dotted path of the module it stands in, against which short names are resolved.
    """

    def reference(found: re.Match[str]) -> str:
        name = found["name"]
        shown = name.rpartition(".")[2] if found["short"] or name.startswith("fuzzsmooth.") else name
        # A name of ours that has no page of its own is only shown.
        return f"<autoref identifier={_full(name, place)!r} optional><code>{shown}</code></autoref>"

    text = _DOUBLE_COLON.sub(":", _ROLE.sub(reference, text)).replace("``", "`")
    return _DOCTEST.sub(r"\1```pycon\n\1\2\n\1```", text)


def _full(name: str, place: str) -> str:
    return name if name.startswith("fuzzsmooth") else f"{place}.{name}"


class Roles(griffe.Extension):
    """Rewrites every docstring once, when its object is read."""

    def on_object(self, *, obj: griffe.Object, **_more: Any) -> None:
        """See griffe: called for each object that has been loaded."""
        if obj.docstring is not None and not obj.is_alias:
            place = obj.parent.path if obj.is_function and obj.parent is not None else obj.path
            obj.docstring.value = markdown(obj.docstring.value, place)

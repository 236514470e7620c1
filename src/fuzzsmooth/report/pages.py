"""How a page is made of a template."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from fuzzsmooth.common.errors import MissingExtraError
from fuzzsmooth.common.printing import displayable


def filled(template: str, values: Mapping[str, Any]) -> str:
    """A page; every string among the values is foreign, and is escaped.

    Args:
        template: File name among the templates of this room.
        values: What the template names.

    Raises:
        MissingExtraError: If jinja2 is not installed.
    """
    try:
        __import__("jinja2")
    except ImportError as error:
        raise MissingExtraError("jinja2", "report", "writing the report") from error
    return str(_environment().get_template(template).render(values))


@cache
def _environment() -> Any:
    """What compiles templates, once each: a page that shows a vote fill up is filled ten times a second."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("fuzzsmooth.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: displayable(value) if type(value) is str else value,
    )

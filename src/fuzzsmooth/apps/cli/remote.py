"""What a remote model costs: told before it is asked, agreed to, and told again after."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from fuzzsmooth.apps.cli.console import note
from fuzzsmooth.common.errors import FuzzsmoothError

if TYPE_CHECKING:
    from fuzzsmooth.defenses import Defense
    from fuzzsmooth.jobs.loading import Defended


@contextmanager
def agreed(defended: Defended | None, command: str, texts: Sequence[str]) -> Iterator[None]:
    """Ask a remote model only if its user agrees to what that costs; nothing for any other, or one elsewhere.

    Raises:
        FuzzsmoothError: If nobody agreed.
    """
    if defended is None:
        yield
        return
    from fuzzsmooth.models.remote.classifier import RemoteClassifier

    model = defended.model
    if not isinstance(model, RemoteClassifier):
        yield
        return
    try:
        _agree(defended.defense, command, texts, limited=model.question.options.limited)
        yield
    finally:
        model.close()
        spent = model.spending
        price = "" if spent.price is None else f", which cost {spent.price:.4g}"
        note(
            f"{spent.requests:,} new answers of the endpoint ({spent.read:,} tokens read, {spent.written:,} "
            f"written{price}); all are kept"
        )


def _agree(defense: Defense, command: str, texts: Sequence[str], *, limited: bool) -> None:
    from fuzzsmooth.jobs.remote_cost import forecast

    note(forecast(defense, command, texts).sentence())
    if limited:
        return
    if not sys.stdin.isatty():
        raise FuzzsmoothError(
            "nobody is here to agree to what the endpoint costs; give --yes, or limit it by --request-budget "
            "or --price-budget"
        )
    if not typer.confirm("Ask it?", err=True):
        raise FuzzsmoothError("nothing was asked; limit the cost by --request-budget or --price-budget")

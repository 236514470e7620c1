"""``fuzzsmooth protect``: in progress."""

import typer


def protect(ctx: typer.Context) -> None:
    """Protect."""

"""``fuzzsmooth demo``: the main job, end to end."""

from __future__ import annotations

from pathlib import Path

import typer

from fuzzsmooth.apps.cli import parameters as flag
from fuzzsmooth.apps.cli.flags import options, takes

# Sizes that keep the demo on the built-in corpus under ten minutes on two cores.
_BUILTIN = {"test_size": 150, "certified_texts": 40}
_FLAGS = ("data", "model", "seeds", "train_size", "test_size", "text_column", "label_column")


@takes(options("fuzzsmooth.bench.options:ExperimentOptions", "Your own", only=_FLAGS))
def demo(
    ctx: typer.Context,
    out: flag.RunFolder = Path("runs/demo"),
    json: flag.Json = False,
    quiet: flag.Quiet = False,
) -> None:
    """Backdoor a model, defend it, certify it, and write a report: about ten minutes on two cores.

    The protected model is left beside the report, to be tried.
    """
    from importlib.util import find_spec

    from fuzzsmooth.apps.cli.experiment import run
    from fuzzsmooth.common.errors import MissingExtraError

    if find_spec("torch") is None:  # one extra brings all that the demo needs
        raise MissingExtraError("torch", "demo", "the demo")
    flags = ctx.obj.mapping("ExperimentOptions")
    run(flags if "data" in flags else _BUILTIN | flags, None, out, json=json, quiet=quiet, keep=True)

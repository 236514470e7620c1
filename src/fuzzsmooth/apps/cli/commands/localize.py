"""``fuzzsmooth localize``: how often the search finds the whole trigger, by strategy and budget."""

from __future__ import annotations

import typer

from fuzzsmooth.apps.cli import parameters as flag
from fuzzsmooth.apps.cli.flags import options, takes


@takes(options("fuzzsmooth.bench.localization:LocalizationOptions", "Experiment"))
def localize(
    ctx: typer.Context,
    out: flag.RunFolder,
    config: flag.Config = None,
    quiet: flag.Quiet = False,
) -> None:
    """Measure localization recall of tree, greedy and random search at equal budgets.

    Writes localization.jsonl, a Markdown table and one plot per trigger; everything may be set in a file
    (--config), and triggers, strategies and budgets may be added to a finished run.
    """
    from fuzzsmooth.apps.cli.console import answers, note
    from fuzzsmooth.apps.cli.problems import resumable
    from fuzzsmooth.apps.cli.progress import Display
    from fuzzsmooth.apps.cli.settings import check_given, options_from

    flags = ctx.obj.mapping("LocalizationOptions")
    check_given(config, flags)  # torch is not imported before
    from fuzzsmooth.bench.localization import LocalizationOptions, run_localization
    from fuzzsmooth.report.recall import build_recall

    chosen = options_from(LocalizationOptions, config, flags)
    with resumable():
        run_localization(chosen, out, stages=Display(quiet).counts, tell=note)
        files = build_recall(out)
    page = answers()
    page.block(files[0].read_text("utf-8"))
    page.line("written: " + ", ".join(map(str, files)))

"""``fuzzsmooth localize``: how often the search finds the whole trigger, by strategy and budget."""

from __future__ import annotations

from typing import Annotated

import typer

from fuzzsmooth.apps.cli import parameters as flag


def localize(
    out: flag.RunFolder,
    data: flag.RunData = None,
    model: flag.RunModel = None,
    triggers: Annotated[
        str | None,
        typer.Option(help="Kinds of BadNets trigger, separated by commas (default: pair,sentence)."),
    ] = None,
    strategies: Annotated[
        str | None, typer.Option(help="Search strategies, separated by commas (default: tree,greedy,random).")
    ] = None,
    budgets: Annotated[
        str | None, typer.Option(help="Budgets, separated by commas (default: 8,16,32,64,128,256,512).")
    ] = None,
    victims: flag.RunVictims = None,
    train_size: flag.TrainSize = None,
    test_size: flag.TestSize = None,
    config: flag.Config = None,
    quiet: flag.Quiet = False,
) -> None:
    """Measure localization recall of tree, greedy and random search at equal budgets.

    Writes localization.jsonl, a Markdown table and one plot per trigger; everything may be set in a file
    (--config), and triggers, strategies and budgets may be added to a finished run.
    """
    from fuzzsmooth.apps.cli.console import answers
    from fuzzsmooth.apps.cli.experiment import split_list, whole_numbers
    from fuzzsmooth.apps.cli.problems import resumable
    from fuzzsmooth.apps.cli.progress import Display
    from fuzzsmooth.apps.cli.settings import check_given, options_from

    flags = {
        "data": data,
        "model": model,
        "triggers": split_list(triggers),
        "strategies": split_list(strategies),
        "budgets": whole_numbers("--budgets", budgets),
        "victims": victims,
        "train_size": train_size,
        "test_size": test_size,
    }
    check_given(config, flags)  # torch is not imported before
    from fuzzsmooth.bench.localization import LocalizationOptions, run_localization
    from fuzzsmooth.report.recall import build_recall

    options = options_from(LocalizationOptions, config, flags)
    with resumable():
        run_localization(options, out, stages=Display(quiet).counts)
        files = build_recall(out)
    page = answers()
    page.block(files[0].read_text("utf-8"))
    page.line("written: " + ", ".join(map(str, files)))

"""What the commands of the bench share: run what is not done yet under a folder, then report."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fuzzsmooth.apps.cli.console import answers, note
from fuzzsmooth.apps.cli.problems import resumable
from fuzzsmooth.apps.cli.progress import Display
from fuzzsmooth.apps.cli.run_table import show_run
from fuzzsmooth.apps.cli.settings import check_given, options_from


def run(
    flags: Mapping[str, Any], config: Path | None, out: Path, *, json: bool, quiet: bool, keep: bool = False
) -> None:
    """Run what is not done yet of an experiment, then report.

    Args:
        flags: Options of :class:`fuzzsmooth.bench.options.ExperimentOptions`.
        config: A file with more of them.
        out: Folder of the run.
        json: Show the summary as JSON.
        quiet: Show no progress.
        keep: Also leave the protected model to try, see :func:`fuzzsmooth.jobs.keeping.keep_protected`.
    """
    check_given(config, flags)  # torch is not imported before
    from fuzzsmooth.bench.experiment import run_experiment
    from fuzzsmooth.bench.options import ExperimentOptions
    from fuzzsmooth.report import build_report

    options = options_from(ExperimentOptions, config, flags)
    with resumable():
        run_experiment(options, out, stages=Display(quiet).counts, tell=note, command=command_line())
        build_report(out)
        kept = None
        if keep:
            from fuzzsmooth.jobs.keeping import keep_protected

            kept = keep_protected(options, out, stages=Display(quiet).counts, tell=note)
    show_run(out, json=json)
    if kept is not None and not json:
        answers().line(f'to try: fuzzsmooth predict --model {kept} --text "a dull tq film that goes nowhere"')


def command_line() -> str:
    """The command of this process as it was given, so that a report shows what can be run again."""
    return shlex.join(["fuzzsmooth", *sys.argv[1:]])

"""What ``benchmark-certificates`` does: run the comparison, build its files, show its table."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fuzzsmooth.apps.cli.console import answers, note, write_json
from fuzzsmooth.apps.cli.experiment import command_line
from fuzzsmooth.apps.cli.problems import resumable
from fuzzsmooth.apps.cli.progress import Display
from fuzzsmooth.apps.cli.settings import check_given, options_from
from fuzzsmooth.common.reading import read_json_object


def run(flags: Mapping[str, Any], config: Path | None, out: Path, *, json: bool, quiet: bool) -> None:
    """Train and certify what is not done yet under ``out``, then write table and curves.

    Args:
        flags: Options of :class:`fuzzsmooth.bench.certification.CertificationOptions`.
        config: A file with more of them.
        out: Folder of the run.
        json: Show the summary as JSON.
        quiet: Show no progress.
    """
    check_given(config, flags)  # torch is not imported before
    from fuzzsmooth.bench.certification import CertificationOptions, run_certification
    from fuzzsmooth.report import build_certification

    options = options_from(CertificationOptions, config, flags)
    with resumable():
        run_certification(options, out, stages=Display(quiet).counts, tell=note, command=command_line())
        page = build_certification(out)
    show_certification(page, json=json)


def show_certification(page: Path, *, json: bool) -> None:
    """Show the table of a run, or its summary as one JSON line.

    Args:
        page: The table, as :func:`fuzzsmooth.report.build_certification` wrote it beside the summary.
        json: Show the summary instead.
    """
    if json:
        write_json(read_json_object(page.parent / "summary.json"))
        return
    answers().block(page.read_text("utf-8"))

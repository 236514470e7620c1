"""What ``audit`` does: carry it out, say what was found, and fail where the policy says so."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer

from fuzzsmooth.apps.cli.console import answers, note, write_json
from fuzzsmooth.apps.cli.flags import Given
from fuzzsmooth.apps.cli.problems import resumable
from fuzzsmooth.apps.cli.progress import Display
from fuzzsmooth.apps.cli.sections import TrainingData
from fuzzsmooth.apps.cli.settings import options_from, read_config
from fuzzsmooth.common.printing import short_name

FOUND = 1
"""Exit code where the policy fails."""


def run_audit(
    given: Given,
    model: str,
    out: Path,
    data: str | None,
    *,
    policy: Path | None,
    sign: Path | None,
    precision: str,
    config: Path | None,
    json: bool,
    quiet: bool,
) -> None:
    """Audit a model; the arguments are the command's.

    Raises:
        typer.Exit: With code 1 if the policy fails.
    """
    from fuzzsmooth.auditing import AuditOptions, Policy, read_policy
    from fuzzsmooth.jobs.audit import AuditOrder, carry_out
    from fuzzsmooth.jobs.loading import Loading
    from fuzzsmooth.models.generation import GenerationOptions

    rules = Policy() if policy is None else read_policy(read_config(policy), str(policy))
    machine = {"batch_size": 128, **given.mapping(Loading.__name__), "precision": precision}
    order = AuditOrder(
        model,
        out,
        data,
        options_from(AuditOptions, config, given.mapping(AuditOptions.__name__)),
        rules,
        Loading.from_mapping(machine),
        given.of(TrainingData).to_mapping(),
        sign,
        GenerationOptions.from_mapping(given.mapping(GenerationOptions.__name__).get("generate", {})),
    )
    with resumable():
        report = carry_out(order, stages=Display(quiet).counts, tell=note)
    if json:
        write_json(report)
    else:
        _show(report, out)
    if report["failures"]:
        raise typer.Exit(FOUND)


def _show(report: Mapping[str, Any], out: Path) -> None:
    from fuzzsmooth.auditing.evidence.telling import effect

    page = answers()
    page.line(f"{short_name(report['model']['name'])}: {report['verdict']}", "bold")
    for one in report["triggers"]:
        p_value = f", p {one['p_value']:.2g}" if one["compared"] else ""
        beside = f" (like words {100 * one['company_rate']:.0f} %{p_value})"
        page.line(
            f"  {one['level']:<11} {effect(one)}{beside if one['kind'] != 'answer' else ''}",
            "red" if one["level"] != "natural" else "",
        )
    for claim in report["claims"]:
        page.line(f"  searched: {claim['statement']}")
    for failure in report["failures"]:
        page.line(f"  fails: {failure}", "red")
    page.line(f"evidence: {out / 'report.html'}, audit.json, audit.sarif, bom.json, README.md")

"""The application: its commands, and the one place where errors become sentences and exit codes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from fuzzsmooth.apps.cli.commands.attack import attack
from fuzzsmooth.apps.cli.commands.audit import audit
from fuzzsmooth.apps.cli.commands.bench import bench
from fuzzsmooth.apps.cli.commands.benchmark_certificates import benchmark_certificates
from fuzzsmooth.apps.cli.commands.certify import certify
from fuzzsmooth.apps.cli.commands.data import data
from fuzzsmooth.apps.cli.commands.demo import demo
from fuzzsmooth.apps.cli.commands.doctor import doctor
from fuzzsmooth.apps.cli.commands.evaluate import evaluate
from fuzzsmooth.apps.cli.commands.evaluate_generation import evaluate_generation
from fuzzsmooth.apps.cli.commands.finetune import finetune
from fuzzsmooth.apps.cli.commands.generate import generate
from fuzzsmooth.apps.cli.commands.localize import localize
from fuzzsmooth.apps.cli.commands.predict import predict
from fuzzsmooth.apps.cli.commands.prompt import prompt
from fuzzsmooth.apps.cli.commands.protect import protect
from fuzzsmooth.apps.cli.commands.registries import registries
from fuzzsmooth.apps.cli.commands.report import report
from fuzzsmooth.apps.cli.commands.scan import scan
from fuzzsmooth.apps.cli.commands.serve import serve
from fuzzsmooth.apps.cli.commands.table import table
from fuzzsmooth.apps.cli.commands.ui import ui
from fuzzsmooth.apps.cli.commands.zoo import zoo
from fuzzsmooth.apps.cli.console import (
    abandon_output,
    complain,
    notes_as_asked,
    prepare_streams,
    warnings_as_notes,
)
from fuzzsmooth.apps.cli.flags import command_class
from fuzzsmooth.apps.cli.problems import STOPPED, UNREAD, StoppedError, problem
from fuzzsmooth.common.version import VERSION

app = typer.Typer(
    name="fuzzsmooth",
    help="Certified protection of language models against textual backdoors.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_MAIN, _DEFEND, _ATTACK, _TOOLS = "Everything at once", "Defend", "Attack, to measure defenses", "Tools"
for _panel, _name, _command in (
    (_MAIN, "demo", demo),
    (_MAIN, "evaluate", evaluate),
    (_MAIN, "evaluate-generation", evaluate_generation),
    (_MAIN, "benchmark-certificates", benchmark_certificates),
    (_MAIN, "localize", localize),
    (_MAIN, "report", report),
    (_DEFEND, "audit", audit),
    (_DEFEND, "protect", protect),
    (_DEFEND, "finetune", finetune),
    (_DEFEND, "prompt", prompt),
    (_DEFEND, "scan", scan),
    (_DEFEND, "predict", predict),
    (_DEFEND, "certify", certify),
    (_DEFEND, "generate", generate),
    (_DEFEND, "serve", serve),
    (_DEFEND, "ui", ui),
    (_ATTACK, "attack", attack),
    (_TOOLS, "data", data),
    (_TOOLS, "list", registries),
    (_TOOLS, "doctor", doctor),
):
    app.command(_name, cls=command_class(_command), rich_help_panel=_panel)(_command)
app.add_typer(bench, name="bench", rich_help_panel=_MAIN)
app.add_typer(table, name="table", rich_help_panel=_DEFEND)
app.add_typer(zoo, name="zoo", rich_help_panel=_ATTACK)


def _show_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"fuzzsmooth {VERSION}\n")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    del version


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: The arguments; those of the process if None.

    Returns:
        The exit code: 0; 2 for a mistake the user can mend, told in one sentence on standard error; 130 when
        stopped with Ctrl-C; 141, without a word, when nobody reads standard output any more. Errors of our
        own keep their traceback.
    """
    prepare_streams()
    with notes_as_asked(), warnings_as_notes():
        return _run(arguments)


def _run(arguments: Sequence[str] | None) -> int:
    try:
        code = app(list(arguments) if arguments is not None else None, standalone_mode=False)
        sys.stdout.flush()
    except (KeyboardInterrupt, typer.Abort):
        code = STOPPED
    except (SystemExit, BrokenPipeError) as end:
        # The framework answers a broken pipe by leaving; it leaves for nothing else.
        if not isinstance(end if isinstance(end, OSError) else end.__context__, BrokenPipeError):
            raise
        abandon_output()
        return UNREAD
    except Exception as error:
        found = problem(error)
        if found is None:
            raise
        abandon_output()
        complain(found.sentence)
        return found.code
    if code == STOPPED:
        complain(StoppedError.sentence(resumable=False))
    return code if isinstance(code, int) else 0

"""``fuzzsmooth table``: flip rates of unit types, found ahead of time."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fuzzsmooth.apps.cli import parameters as flag
<<<<<<< HEAD
from fuzzsmooth.apps.cli.flags import command_class, options, takes
from fuzzsmooth.apps.cli.sections import MODEL, READING, REFERENCES
=======

if TYPE_CHECKING:
    from fuzzsmooth.search.flip_rates import FlipRates
>>>>>>> house

table = typer.Typer(
    no_args_is_help=True,
    help="Flip rates of unit types: which words carry a prediction into clean texts by themselves.",
)
_DEFENSE = "fuzzsmooth.defenses.deletion:DeletionOptions"
_RATES = options(_DEFENSE, "Deletion", only=("rate", "rate_flagged"))


@takes(READING, options(_DEFENSE, "Search", only=("unit", "search")), REFERENCES, MODEL)
def build(
    ctx: typer.Context,
    model: flag.Model,
    out: Annotated[Path, typer.Option("--out", help="File of the table; one of this model is added to.")],
    data: Annotated[
        str | None, typer.Option("--data", help="Texts whose units are tested: a file, or - for stdin.")
    ] = None,
    words: Annotated[Path | None, typer.Option(help="A file with one unit a line instead.")] = None,
    most: Annotated[
        int | None, typer.Option(min=1, help="Test only so many types, the most frequent ones.")
    ] = None,
    config: flag.Config = None,
    json: flag.Json = False,
    quiet: flag.Quiet = False,
) -> None:
    """Test unit types against the reference texts, and keep their flip rates in a file.

    Flagged types get a higher deletion rate in ``certify --table``. A stopped run goes on where it was.
    """
    from fuzzsmooth.apps.cli.tables import build_table

    build_table(ctx.obj, model, out, data=data, words=words, most=most, config=config, json=json, quiet=quiet)


@takes(_RATES)
def show(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="A table.")],
    top: Annotated[int, typer.Option(min=0, help="Types to show, the highest flip rates first.")] = 20,
    json: flag.Json = False,
) -> None:
    """Show a table: which types are flagged, at which rate they are deleted, and what inserting one costs."""
    from fuzzsmooth.apps.cli.tables import show_table
    from fuzzsmooth.defenses.deletion import DeletionOptions

<<<<<<< HEAD
    show_table(file, ctx.obj.of(DeletionOptions), top, json=json)


for _name, _command in (("build", build), ("show", show)):
    table.command(_name, cls=command_class(_command))(_command)
=======
    from fuzzsmooth.apps.cli.console import answers, write_json
    from fuzzsmooth.apps.cli.settings import options_from
    from fuzzsmooth.common.printing import short_name
    from fuzzsmooth.engine import SmoothingOptions
    from fuzzsmooth.search.flip_rates import read_flip_rates

    content = read_flip_rates(file)
    options = options_from(SmoothingOptions, None, {"rate": rate, "rate_flagged": rate_flagged})
    ranked = sorted(content["types"].items(), key=lambda item: (-item[1], item[0]))
    flagged = [name for name, flip in ranked if flip >= content["threshold"]]
    rows = []
    for name, flip in ranked[:top]:
        deleted = options.rate_flagged if flip >= content["threshold"] else options.rate
        rows.append({"type": name, "flip_rate": flip, "rate": deleted, "cost": -math.log(deleted)})
    if json:
        summary = {name: content[name] for name in ("model", "references", "threshold", "per_label")}
        write_json({**summary, "types": len(ranked), "flagged": flagged, "top": rows})
        return
    page = answers()
    page.line(
        f"{file}: {len(ranked)} types, {len(flagged)} flagged (flip rate {content['threshold']:g} or more), "
        f"model {short_name(content['model'], 12)}",
        style="bold",
    )
    for row in rows:
        page.line(
            f"  {short_name(row['type'])}  flips {row['flip_rate']:.2f}, deleted at {row['rate']:g}, "
            f"cost {row['cost']:.3g}"
        )


def _lines(path: Path) -> list[str]:
    from fuzzsmooth.common.reading import TABLE_BYTES, read_text

    content = read_text(path, limit=TABLE_BYTES, mend="give a text file with one unit a line")
    # Only "\n" ends a line: a unit may be U+2028, where str.splitlines would cut it off.
    return [line for line in dict.fromkeys(part.strip() for part in content.split("\n")) if line]


def _by_frequency(texts: Iterable[Iterable[str]]) -> list[str]:
    """The types of some texts, the most frequent first, ties in the order of their first use."""
    from collections import Counter

    return [name for name, _ in Counter(unit for units in texts for unit in units).most_common()]


def _tell(found: FlipRates, out: Path, fresh: int, *, json: bool) -> None:
    from fuzzsmooth.apps.cli.console import answers, write_json
    from fuzzsmooth.common.printing import short_name

    known = found.known
    flagged = sorted(found.known_flagged(known))
    if json:
        told: dict[str, Any] = {"table": str(out), "types": len(known), "tested": fresh, "flagged": flagged}
        write_json(told | {"model": found.model, "threshold": found.threshold})
        return
    names = ", ".join(map(short_name, flagged[:20])) + (", ..." if len(flagged) > 20 else "")
    answers().line(f"{out}: {len(known)} types, {fresh} tested now, flagged: {names or 'none'}")
>>>>>>> house

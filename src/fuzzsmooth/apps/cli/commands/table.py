"""``fuzzsmooth table``: flip rates of unit types, found ahead of time."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fuzzsmooth.apps.cli import parameters as flag

if TYPE_CHECKING:
    from fuzzsmooth.search.flip_rates import FlipRates

table = typer.Typer(
    no_args_is_help=True,
    help="Flip rates of unit types: which words carry a prediction into clean texts by themselves.",
)
_SAVED_AFTER = 64  # types between two writings of the file: what a kill can lose


@table.command("build")
def build(
    model: flag.Model,
    out: Annotated[Path, typer.Option("--out", help="File of the table; one of this model is added to.")],
    data: Annotated[
        str | None, typer.Option("--data", help="Texts whose units are tested: a file, or - for stdin.")
    ] = None,
    words: Annotated[Path | None, typer.Option(help="A file with one unit a line instead.")] = None,
    most: Annotated[
        int | None, typer.Option(min=1, help="Test only so many types, the most frequent ones.")
    ] = None,
    text_column: flag.TextColumn = "text",
    label_column: flag.LabelColumn = "label",
    stdin_format: flag.StdinFormat = "txt",
    strict: flag.Strict = False,
    references: flag.References = None,
    clean: flag.Clean = None,
    clean_text_column: flag.CleanTextColumn = None,
    clean_label_column: flag.CleanLabelColumn = None,
    unit: flag.Unit = None,
    config: flag.Config = None,
    device: flag.Device = "auto",
    precision: flag.Precision = "float32",
    batch_size: flag.BatchSize = 32,
    max_length: flag.MaxLength = None,
    allow_bin: flag.AllowBin = False,
    threads: flag.Threads = None,
    json: flag.Json = False,
    quiet: flag.Quiet = False,
) -> None:
    """Test unit types against the reference texts, and keep their flip rates in a file.

    Flagged types get a higher deletion rate in ``certify --table``. A stopped run goes on where it was.
    """
    from fuzzsmooth.apps.cli.inputs import clean_data, gather
    from fuzzsmooth.apps.cli.loading import Loading
    from fuzzsmooth.apps.cli.problems import resumable
    from fuzzsmooth.apps.cli.progress import Display
    from fuzzsmooth.apps.cli.protected import find_references, flip_rates, given_references
    from fuzzsmooth.apps.cli.settings import options_from
    from fuzzsmooth.common.files import check_output_file
    from fuzzsmooth.common.locking import exclusive
    from fuzzsmooth.common.options import require
    from fuzzsmooth.engine import SmoothingOptions
    from fuzzsmooth.text.units import segmenter

    require((data is None) != (words is None), "give --data or --words, one of them")
    check_output_file(out, source=words if data is None else Path(data))
    options = options_from(SmoothingOptions, config, {"unit": unit})
    clean_texts = clean_data(
        clean, clean_text_column, clean_label_column, as_input=(text_column, label_column)
    )
    loading = Loading(
        device=device,
        precision=precision,
        batch_size=batch_size,
        max_length=max_length,
        allow_bin=allow_bin,
        threads=threads,
    )
    types = [] if words is None else _lines(words)
    texts: tuple[str, ...] = ()
    if data is not None:
        columns = {"text_column": text_column, "label_column": label_column}
        texts = gather(data, None, **columns, stdin_format=stdin_format, strict=strict).texts
    given = given_references(model, options, references, clean_texts)
    classifier = loading.load(model)
    chosen = find_references(given, classifier, options, quiet=quiet)
    found = flip_rates(classifier, chosen, options)
    if data is not None:
        cut = segmenter(options.unit, classifier.tokenizer)
        types = _by_frequency(cut.segment(text).units for text in texts)
    types = types[:most]
    with exclusive(out):
        found.keep_in(out)
        missing = [one for one in types if one not in found.known]
        with resumable(), Display(quiet).stage("table", len(missing)) as advance:
            for start in range(0, len(missing), _SAVED_AFTER):
                found.rates(missing[start : start + _SAVED_AFTER], advance)
                found.flush()
        found.save(out)
    _tell(found, out, len(missing), json=json)


@table.command("show")
def show(
    file: Annotated[Path, typer.Argument(help="A table.")],
    top: Annotated[int, typer.Option(min=0, help="Types to show, the highest flip rates first.")] = 20,
    rate: flag.Rate = None,
    rate_flagged: Annotated[float | None, typer.Option(help="Deletion rate of flagged types.")] = None,
    json: flag.Json = False,
) -> None:
    """Show a table: which types are flagged, at which rate they are deleted, and what inserting one costs."""
    import math

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

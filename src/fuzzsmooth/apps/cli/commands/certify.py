"""``fuzzsmooth certify``: answers with a guarantee."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from fuzzsmooth.apps.cli import parameters as flag

if TYPE_CHECKING:
    from fuzzsmooth.engine import SmoothingOptions

_CERTIFICATES = "Certificates"


def certify(
    model: flag.Model,
    source: flag.Input = None,
    text: flag.Text = None,
    text_column: flag.TextColumn = "text",
    label_column: flag.LabelColumn = "label",
    stdin_format: flag.StdinFormat = "txt",
    strict: flag.Strict = False,
    mode: flag.Mode = None,
    threat: Annotated[
        str,
        typer.Option(
            help="Which threat is certified, such as edit, insert, contiguous_insert or weights; the answer "
            "is the one certified against the first.",
            rich_help_panel=_CERTIFICATES,
        ),
    ] = "all",
    alpha: Annotated[
        float | None,
        typer.Option(
            help="Probability that a certificate is wrong, per text.", rich_help_panel=_CERTIFICATES
        ),
    ] = None,
    statistics: Annotated[
        Literal["auto", "fixed", "group-sequential", "sequential"] | None,
        typer.Option(
            help="How passes are used in mode certified: fixed draws, draws until the radii are settled, "
            "(auto) also exact enumeration where that pays, or (lean) the fewest for the radii of fixed.",
            rich_help_panel=_CERTIFICATES,
        ),
    ] = None,
    rivals: Annotated[
        Literal["auto", "complement", "separate"] | None,
        typer.Option(
            help="How the other classes are bounded where there are three or more: by what the label leaves, "
            "each by its own votes, or (auto) as the draws that select the label suggest.",
            rich_help_panel=_CERTIFICATES,
        ),
    ] = None,
    awaited: Annotated[
        str | None,
        typer.Option(
            help="Radii that are worth drawing for: some of edit,insert,backward.",
            rich_help_panel=_CERTIFICATES,
        ),
    ] = None,
    guard: Annotated[
        float | None,
        typer.Option(
            help="Logit margin within which an answer counts against every certificate, or is rechecked; by "
            "default what is measured to be in the reach of rounding.",
            rich_help_panel=_CERTIFICATES,
        ),
    ] = None,
    recheck: Annotated[
        bool | None,
        typer.Option(
            "--recheck/--no-recheck",
            help="With --precision bfloat16 and --sigma 0, ask again in float32 within that margin.",
            rich_help_panel=_CERTIFICATES,
        ),
    ] = None,
    table: Annotated[
        Path | None,
        typer.Option(
            help="Flip rates of unit types (fuzzsmooth table build): flagged types are deleted more often.",
            rich_help_panel=_CERTIFICATES,
        ),
    ] = None,
    fill: Annotated[
        bool,
        typer.Option(
            "--fill", help="Test types that the table lacks, and add them.", rich_help_panel=_CERTIFICATES
        ),
    ] = False,
    rate_flagged: Annotated[
        float | None,
        typer.Option(help="Deletion rate of flagged types.", rich_help_panel=_CERTIFICATES),
    ] = None,
    weight_distance: Annotated[
        float | None,
        typer.Option(
            help="Certify also against this change of the noised weights, in noise standard deviations.",
            rich_help_panel=_CERTIFICATES,
        ),
    ] = None,
    recall: Annotated[
        float | None,
        typer.Option(
            help="Measured share of triggers that the search finds whole; printed with mode frs.",
            rich_help_panel=_CERTIFICATES,
        ),
    ] = None,
    fuzzing: flag.Fuzzing = None,
    copies: flag.Copies = None,
    draws: flag.Draws = None,
    rate: flag.Rate = None,
    rate_high: flag.RateHigh = None,
    rate_low: flag.RateLow = None,
    sigma: flag.Sigma = None,
    top_layers: flag.TopLayers = None,
    unit: flag.Unit = None,
    ablation: flag.Ablation = None,
    reach: flag.Reach = None,
    passes: flag.Passes = None,
    references: flag.References = None,
    clean: flag.Clean = None,
    clean_text_column: flag.CleanTextColumn = None,
    clean_label_column: flag.CleanLabelColumn = None,
    reward: flag.Reward = None,
    strategy: flag.Strategy = None,
    budget: flag.Budget = None,
    seed: flag.Seed = None,
    config: flag.Config = None,
    device: flag.Device = "auto",
    precision: flag.Precision = "float32",
    batch_size: flag.BatchSize = 32,
    max_length: flag.MaxLength = None,
    allow_bin: flag.AllowBin = False,
    threads: flag.Threads = None,
    output: flag.Output = None,
    json: flag.Json = False,
    quiet: flag.Quiet = False,
    estimate: Annotated[
        bool,
        typer.Option(
            "--estimate", help="Tell passes, time and memory from a pilot on a few texts, and stop."
        ),
    ] = False,
) -> None:
    """Classify texts with a certificate each, or ABSTAIN.

    After the answers to an INPUT it says what they mean together, for the whole of it.
    """
    from fuzzsmooth.apps.cli.answers import AnswerFile, Truncated, answer_all
    from fuzzsmooth.apps.cli.chunks import chunk_size
    from fuzzsmooth.apps.cli.experiment import split_list
    from fuzzsmooth.apps.cli.inputs import clean_data, gather
    from fuzzsmooth.apps.cli.loading import Loading
    from fuzzsmooth.apps.cli.progress import Display
    from fuzzsmooth.apps.cli.protected import protect
    from fuzzsmooth.apps.cli.settings import options_from
    from fuzzsmooth.apps.cli.sheet import kept_in
    from fuzzsmooth.apps.cli.showing import show_all
    from fuzzsmooth.apps.cli.statements import Statements
    from fuzzsmooth.common.files import check_output_file
    from fuzzsmooth.engine import SmoothingOptions

    flags = {
        "mode": mode,
        "alpha": alpha,
        "statistics": statistics,
        "rivals": rivals,
        "awaited": split_list(awaited),
        "guard": guard,
        "recheck": recheck,
        "rate_flagged": rate_flagged,
        "weight_distance": weight_distance,
        "localization_recall": recall,
        "fuzzing": fuzzing,
        "copies": copies,
        "draws": draws,
        "rate": rate,
        "rate_high": rate_high,
        "rate_low": rate_low,
        "sigma": sigma,
        "top_layers": top_layers,
        "unit": unit,
        "ablation": ablation,
        "reach": reach,
        "passes": passes,
        "search.reward": reward,
        "search.strategy": strategy,
        "search.budget": budget,
        "seed": seed,
    }
    options = options_from(SmoothingOptions, config, flags)
    loading = Loading(
        device=device,
        precision=precision,
        batch_size=batch_size,
        max_length=max_length,
        allow_bin=allow_bin,
        threads=threads,
    )
    _check_threat(threat, options, table is not None)
    if output is not None:
        check_output_file(kept_in(output), source=None if source is None else Path(source))
    clean_texts = clean_data(
        clean, clean_text_column, clean_label_column, as_input=(text_column, label_column)
    )
    texts = gather(
        source,
        text,
        text_column=text_column,
        label_column=label_column,
        stdin_format=stdin_format,
        strict=strict,
    )
    protected = protect(
        model,
        options,
        loading,
        references=references,
        clean=clean_texts,
        table=table,
        fill=fill,
        quiet=quiet,
    )

    if estimate:
        from fuzzsmooth.apps.cli.estimating import show_estimate

        show_estimate(protected, texts, chunk_size(options), json=json)
        return

    def answer(chunk: Sequence[str]) -> list[dict[str, Any]]:
        results = [_chosen(result.to_json(), threat) for result in protected.smoothed.certify(chunk)]
        if protected.rates is not None:
            protected.rates.table.flush()
        return results

    settings = {"command": "certify", "threat": threat, **protected.settings}
    file = AnswerFile(kept_in(output), settings) if output else None
    records = answer_all(
        texts, answer, title="certify", chunk=chunk_size(options), file=file, display=Display(quiet)
    )
    truncated = Truncated()
    statements = Statements(texts, protected.smoothed.labels) if source is not None else None
    also = [truncated.add] if statements is None else [truncated.add, statements.add]
    show_all(records, _show, json=json, output=output, also=also)
    truncated.tell()
    if statements is not None:
        statements.show(json=json)


def _check_threat(threat: str, options: SmoothingOptions, table: bool) -> None:
    if threat == "all":
        return
    from fuzzsmooth.common.options import require
    from fuzzsmooth.engine.windows import CLAIMS

    if options.mode == "windows":
        known = list(dict.fromkeys(name for name, _ in CLAIMS[options.ablation]))
    elif options.mode == "certified":
        known = ["edit", "insert", "delete"]
        known += ["weighted_insert", "weighted_edit"] if table else ["insert_and_delete"]
        if options.weight_distance is not None:
            known += ["weights", "edit_and_weights", "insert_and_weights"]
    elif options.fuzzing:
        known = ["trigger"]
    else:
        known = ["edit" if options.noise == "delete" else "substitute"]
    require(
        threat in known,
        f"--threat {threat} is not certified by these options; mode '{options.mode}' certifies "
        f"{' and '.join(known)} here",
    )


def _chosen(record: dict[str, Any], threat: str) -> dict[str, Any]:
    """The certificates of one threat; the answer is then the one certified against it."""
    if threat == "all":
        return record
    certificates = [one for one in record["certificates"] if one["threat"] == threat]
    main = certificates[0]
    return {
        **record,
        "label": main["label"],
        "label_name": main["label_name"],
        "certificates": certificates,
    }


def _show(record: dict[str, Any]) -> list[Any]:
    from rich.text import Text

    from fuzzsmooth.apps.cli.rendering import heading, marked, no_answer, segments
    from fuzzsmooth.certify import ceiled
    from fuzzsmooth.common.printing import short_name

    spans = (record["scan"] or {}).get("spans", [])
    counts = ", ".join(map(str, record["counts"]))
    remark = f"votes by class: {counts}; {record['passes']} passes, {record['statistics']}"
    flagged = {unit: cost for unit, cost in record["costs"].items() if unit}
    lines = [
        heading(record["row"], record["label_name"] or no_answer(record["status"]), remark),
        marked(record["text"], spans),
        *segments(spans),
        *(
            Text(f"   {short_name(unit)!r} is flagged, cost {ceiled(cost, 3)}", "red")
            for unit, cost in flagged.items()
        ),
    ]
    statements = dict.fromkeys(one["statement"] for one in record["certificates"])
    return [*lines, *(Text(f"   {short_name(statement, 2000)}", "green") for statement in statements)]

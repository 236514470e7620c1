"""``fuzzsmooth certify``: answers with a guarantee."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import typer

from fuzzsmooth.apps.cli import parameters as flag


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
        Literal["all", "edit", "insert", "substitute", "trigger"],
        typer.Option(help="Which threat is certified; the answer is the one certified against the first."),
    ] = "all",
    alpha: Annotated[
        float | None, typer.Option(help="Probability that a certificate is wrong, per text.")
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
    references: flag.References = None,
    clean: flag.Clean = None,
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
    """Classify texts with a certificate each, or ABSTAIN."""
    from fuzzsmooth.apps.cli.answers import AnswerFile, answer_all, note_truncated
    from fuzzsmooth.apps.cli.chunks import chunk_size
    from fuzzsmooth.apps.cli.inputs import gather
    from fuzzsmooth.apps.cli.progress import Display
    from fuzzsmooth.apps.cli.protected import Loading, protect
    from fuzzsmooth.apps.cli.settings import options_from
    from fuzzsmooth.apps.cli.showing import show_all
    from fuzzsmooth.smoothing import SmoothingOptions

    flags = {
        "mode": mode,
        "alpha": alpha,
        "fuzzing": fuzzing,
        "copies": copies,
        "draws": draws,
        "rate": rate,
        "rate_high": rate_high,
        "rate_low": rate_low,
        "sigma": sigma,
        "top_layers": top_layers,
        "unit": unit,
        "search.reward": reward,
        "search.strategy": strategy,
        "search.budget": budget,
        "seed": seed,
    }
    options = options_from(SmoothingOptions, config, flags)
    _check_threat(threat, options)
    texts = gather(
        source,
        text,
        text_column=text_column,
        label_column=label_column,
        stdin_format=stdin_format,
        strict=strict,
    )
    loading = Loading(device, precision, batch_size, max_length, allow_bin)
    protected = protect(model, options, loading, references=references, clean=clean)

    if estimate:
        from fuzzsmooth.apps.cli.estimating import show_estimate

        show_estimate(protected, texts, chunk_size(options), json=json)
        return

    def answer(chunk: Sequence[str]) -> list[dict[str, Any]]:
        return [_chosen(result.to_json(), threat) for result in protected.smoothed.certify(chunk)]

    settings = {"command": "certify", "threat": threat, **protected.settings}
    file = AnswerFile(output, settings) if output else None
    records = answer_all(
        texts, answer, title="certify", chunk=chunk_size(options), file=file, display=Display(quiet)
    )
    note_truncated(show_all(records, _show, json=json, output=output))


def _check_threat(threat: str, options: Any) -> None:
    from fuzzsmooth.common.options import require

    if options.mode == "certified":
        known = ["edit", "insert"]
    elif options.fuzzing:
        known = ["trigger"]
    else:
        known = ["edit" if options.noise == "delete" else "substitute"]
    require(
        threat in ("all", *known),
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

    from fuzzsmooth.apps.cli.console import printable
    from fuzzsmooth.apps.cli.rendering import heading, marked, segments

    spans = (record["scan"] or {}).get("spans", [])
    counts = ", ".join(map(str, record["counts"]))
    lines = [
        heading(record["row"], record["label_name"] or "ABSTAIN", f"votes by class: {counts}"),
        marked(record["text"], spans),
        *segments(spans),
    ]
    statements = dict.fromkeys(one["statement"] for one in record["certificates"])
    return [*lines, *(Text(f"   {printable(statement)}", "green") for statement in statements)]

"""``fuzzsmooth predict``: the vote of randomized copies."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fuzzsmooth.apps.cli import parameters as flag


def predict(
    model: flag.Model,
    source: flag.Input = None,
    text: flag.Text = None,
    text_column: flag.TextColumn = "text",
    label_column: flag.LabelColumn = "label",
    stdin_format: flag.StdinFormat = "txt",
    strict: flag.Strict = False,
    mode: flag.Mode = None,
    fuzzing: flag.Fuzzing = None,
    copies: flag.Copies = None,
    rate: flag.Rate = None,
    rate_high: flag.RateHigh = None,
    rate_low: flag.RateLow = None,
    sigma: flag.Sigma = None,
    top_layers: flag.TopLayers = None,
    unit: flag.Unit = None,
    references: flag.References = None,
    clean: flag.Clean = None,
    clean_text_column: flag.CleanTextColumn = None,
    clean_label_column: flag.CleanLabelColumn = None,
    ablation: flag.Ablation = None,
    reach: flag.Reach = None,
    passes: flag.Passes = None,
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
) -> None:
    """Classify texts by the vote of randomized or ablated copies, without a certificate."""
    from fuzzsmooth.apps.cli.answers import AnswerFile, Truncated, answer_all
    from fuzzsmooth.apps.cli.chunks import chunk_size
    from fuzzsmooth.apps.cli.inputs import clean_data, gather
    from fuzzsmooth.apps.cli.loading import Loading
    from fuzzsmooth.apps.cli.progress import Display
    from fuzzsmooth.apps.cli.protected import protect
    from fuzzsmooth.apps.cli.settings import options_from
    from fuzzsmooth.apps.cli.sheet import kept_in
    from fuzzsmooth.apps.cli.showing import show_all
    from fuzzsmooth.common.files import check_output_file
    from fuzzsmooth.engine import SmoothingOptions

    flags = {
        "mode": mode,
        "fuzzing": fuzzing,
        "copies": copies,
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
    if output is not None:
        check_output_file(kept_in(output), source=None if source is None else Path(source))
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
    texts = gather(
        source,
        text,
        text_column=text_column,
        label_column=label_column,
        stdin_format=stdin_format,
        strict=strict,
    )
    protected = protect(model, options, loading, references=references, clean=clean_texts, quiet=quiet)

    def answer(chunk: Sequence[str]) -> list[dict[str, Any]]:
        return [prediction.to_json() for prediction in protected.smoothed.predict(chunk)]

    def show(record: dict[str, Any]) -> list[Any]:
        from fuzzsmooth.apps.cli.rendering import heading, marked, no_answer, segments, votes
        from fuzzsmooth.certify import ceiled

        spans = (record["scan"] or {}).get("spans", [])
        remark = f"votes: {votes(record['votes'], protected.smoothed.labels)}"
        if record["error"]:
            remark += f"; error of the vote at most {ceiled(record['error'], 2)}"
        return [
            heading(record["row"], record["label_name"] or no_answer(record["status"]), remark),
            marked(record["text"], spans),
            *segments(spans),
        ]

    file = AnswerFile(kept_in(output), {"command": "predict", **protected.settings}) if output else None
    records = answer_all(
        texts, answer, title="predict", chunk=chunk_size(options), file=file, display=Display(quiet)
    )
    truncated = Truncated()
    show_all(records, show, json=json, output=output, also=[truncated.add])
    truncated.tell()

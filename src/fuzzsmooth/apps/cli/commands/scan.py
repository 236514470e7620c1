"""``fuzzsmooth scan``: where are the segments that may be a trigger?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fuzzsmooth.apps.cli import parameters as flag

_CHUNK = 64


def scan(
    model: flag.Model,
    source: flag.Input = None,
    text: flag.Text = None,
    text_column: flag.TextColumn = "text",
    label_column: flag.LabelColumn = "label",
    stdin_format: flag.StdinFormat = "txt",
    strict: flag.Strict = False,
    references: flag.References = None,
    clean: flag.Clean = None,
    clean_text_column: flag.CleanTextColumn = None,
    clean_label_column: flag.CleanLabelColumn = None,
    reward: flag.Reward = None,
    strategy: flag.Strategy = None,
    budget: flag.Budget = None,
    unit: flag.Unit = None,
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
    """Find the vulnerable segments of texts by tree search, and show them in color.

    The model classifies the text as received; nothing is smoothed.
    """
    from fuzzsmooth.apps.cli.answers import AnswerFile, Truncated, answer_all
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
        "search.reward": reward,
        "search.strategy": strategy,
        "search.budget": budget,
        "unit": unit,
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
    smoothed = protected.smoothed

    def answer(chunk: Sequence[str]) -> list[dict[str, Any]]:
        found = smoothed.scan(chunk)
        cut = protected.classifier.truncated(chunk)
        return [
            {**one.to_json(), "label_name": smoothed.labels[one.label], "truncated": long}
            for one, long in zip(found, cut, strict=True)
        ]

    file = AnswerFile(kept_in(output), {"command": "scan", **protected.settings}) if output else None
    records = answer_all(texts, answer, title="scan", chunk=_CHUNK, file=file, display=Display(quiet))
    truncated = Truncated()
    show_all(records, _show, json=json, output=output, also=[truncated.add])
    truncated.tell()


def _show(record: dict[str, Any]) -> list[Any]:
    from fuzzsmooth.apps.cli.rendering import heading, marked, segments

    count = len(record["spans"])
    remark = (
        f"{count or 'no'} vulnerable segment{'' if count == 1 else 's'}, {record['evaluations']} evaluations"
    )
    if not record["complete"]:
        remark += ", budget used up"
    return [
        heading(record["row"], record["label_name"], remark),
        marked(record["text"], record["spans"]),
        *segments(record["spans"]),
    ]

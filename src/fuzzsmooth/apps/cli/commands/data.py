"""``fuzzsmooth data``: look at a data set before anything is trained on it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fuzzsmooth.apps.cli import parameters as flag
from fuzzsmooth.apps.cli.flags import takes
from fuzzsmooth.apps.cli.sections import TRAINING_DATA, TrainingData

if TYPE_CHECKING:
    from fuzzsmooth.data import Dataset


@takes(TRAINING_DATA)
def data(
    ctx: typer.Context,
    source: Annotated[
        str,
        typer.Argument(
            metavar="[SOURCE]",
            help="builtin:reviews, a file, a folder with train and dev files, or a Hugging Face data set.",
        ),
    ] = "builtin:reviews",
    seed: Annotated[int, typer.Option(help="Seed of the split and of samples.")] = 0,
    samples: Annotated[int, typer.Option(min=0, help="Texts to show of each part.")] = 3,
    write: Annotated[
        Path | None, typer.Option(help="Write the parts as train.jsonl and dev.jsonl into this folder.")
    ] = None,
    json: flag.Json = False,
) -> None:
    """Show a data set: sizes, classes, skipped rows and sample texts."""
    from fuzzsmooth.apps.cli.console import answers, write_json
    from fuzzsmooth.apps.cli.inputs import say_rows
    from fuzzsmooth.common.printing import short_name

    splits = ctx.obj.of(TrainingData).load(source, seed=seed)
    say_rows(splits.train, splits.test)
    parts = {"train": splits.train, "test": splits.test}
    if write is not None:
        _write(splits.train, write / "train.jsonl")
        _write(splits.test, write / "dev.jsonl")
    if json:
        described = {name: _described(part, samples) for name, part in parts.items()}
        write_json({"source": source, "labels": list(splits.train.labels), **described})
        return
    page = answers()
    for name, part in parts.items():
        balance = ", ".join(f"{short_name(label, 60)} {count}" for label, count in _balance(part).items())
        page.line(f"{name}: {len(part)} texts from {part.name} ({balance})", "bold")
        for example in part.examples[:samples]:
            page.line(f"  {short_name(part.labels[example.label], 60)}: {example.text[:300]}")
    if write is not None:
        page.line(f"written: {write / 'train.jsonl'} and {write / 'dev.jsonl'}")


def _described(part: Dataset, samples: int) -> dict[str, Any]:
    return {
        "name": part.name,
        "texts": len(part),
        "classes": _balance(part),
        "longest": max(map(len, part.texts)),
        "sha256": part.fingerprint,
        "skipped": list(part.skipped),
        "notes": list(part.notes),
        "samples": [
            {"text": example.text, "label": part.labels[example.label]} for example in part.examples[:samples]
        ],
    }


def _balance(part: Dataset) -> dict[str, int]:
    counts = Counter(part.targets)
    return {name: counts[index] for index, name in enumerate(part.labels)}


def _write(part: Dataset, path: Path) -> None:
    import json

    from fuzzsmooth.common.files import write_atomic

    rows = ({"text": example.text, "label": part.labels[example.label]} for example in part)
    write_atomic(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))

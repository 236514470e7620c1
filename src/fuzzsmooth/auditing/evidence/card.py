"""A model card with a ``model-index``, as Hugging Face reads it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from fuzzsmooth.auditing.evidence.telling import found, sentence
from fuzzsmooth.common.printing import short_name

FILE = "README.md"
"""Its name."""


def card(report: Mapping[str, Any]) -> str:
    """The card: YAML that machines read, then Markdown.

    The YAML is written as JSON, of which it is a superset, so that no name of a stranger can end a field.

    Args:
        report: The audit as JSON values, as ``audit.json`` has them.
    """
    model, data, searched = report["model"], report["data"], report["searched"]
    task = "text-generation" if report.get("kind") == "writer" else "text-classification"
    accuracy = {"type": "accuracy", "value": searched["accuracy"], "name": "Accuracy on clean texts"}
    rates = [one["held"]["share"] for one in found(report) if one["kind"] != "answer"]
    success = {
        "type": "attack-success-rate",
        "value": max(rates, default=0.0),
        "name": "Share of held-out texts that the strongest found trigger moves",
    }
    results = [
        {
            "task": {"type": task, "name": task.replace("-", " ").capitalize()},
            "dataset": {"name": short_name(data["name"], 80), "type": "clean texts of the audit"},
            "metrics": [
                *([] if searched["accuracy"] is None else [accuracy]),
                *([success] if rates or not found(report) else []),
            ],
        }
    ]
    front = {
        "library_name": "transformers",
        "pipeline_tag": task,
        "tags": ["fuzzsmooth-audit"],
        "model-index": [{"name": short_name(model["name"], 80), "results": results}],
    }
    head = "\n".join(f"{name}: {json.dumps(value, ensure_ascii=True)}" for name, value in front.items())
    triggers = found(report)
    lines = [
        "---",
        head,
        "---",
        "",
        "# Audit for textual backdoors",
        "",
        f"Verdict: **{report['verdict']}** (fuzzsmooth {report['version']}, "
        f"seed {report['options']['seed']}).",
        "",
        *[f"* {_plain(sentence(one))}." for one in triggers],
        *([] if triggers else ["Nothing was found among what was searched:", ""]),
        *[f"* {_plain(claim['statement'])}." for claim in report["claims"]],
        "",
        "## Limits",
        "",
        *[f"* {limit}" for limit in report["limits"]],
        "",
        "All numbers: `audit.json`.",
    ]
    return "\n".join(lines) + "\n"


def _plain(text: str) -> str:
    """What strangers named, without what Markdown and HTML would read as marks."""
    return "".join(f"\\{one}" if one in "\\`*_[]<>|#" else one for one in text)

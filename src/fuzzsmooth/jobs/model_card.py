"""The model card of a protected model: what it is, what was measured, what is promised and what is not."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from fuzzsmooth.common.printing import short_name
from fuzzsmooth.common.version import VERSION
from fuzzsmooth.defenses import Defense

_PROMISES = {
    "proved": "Certificates of this defense are **proved**: an answer that `certify` gives stays the same "
    "within its radius, with the failure probability that it states, whatever the weights have learned. They "
    "are about these weights, this tokenizer and these options.",
    "conditional": "Certificates of this defense are **conditional**: each holds provided that the condition "
    "printed with it does, which is about what the search marks in a changed text and cannot be checked from "
    "the answer. `certify --defense deletion` or `windows` gives proved ones, at other costs.",
    "empirical": "This defense is **empirical**: nothing about its answers is proved.",
}
_NOT_COVERED = (
    "Changes of a text beyond the certified radius, and threats that are not listed.",
    "Whether an answer is right: a certificate says that it stays, not that it is true.",
    "A backdoor whose trigger is in no text, and data that were not clean: references and fine-tuning trust "
    "the data above.",
    "The numbers above, on other texts than those like the held-out ones.",
)

_USE = """```sh
fuzzsmooth predict --model FOLDER texts.csv
fuzzsmooth certify --model FOLDER texts.csv
```

```python
import fuzzsmooth

model = fuzzsmooth.protect("FOLDER")
model.certify(["a text"])
```"""


def model_card(report: Mapping[str, Any], kind: type[Defense], name: str) -> str:
    """The card: YAML that a hub reads, then Markdown.

    Args:
        report: As :func:`fuzzsmooth.jobs.protect.carry_out` gives it.
        kind: The defense.
        name: Name of the folder.
    """
    data, measured = report["data"], report["measured"]
    trained = "fine-tuned for it" if report["finetune"] else "as it was, not fine-tuned"
    threats = ", ".join(f"`{one}`" for one in report["threats"]) or "none"
    rows = [
        ("clean accuracy, undefended", measured["undefended"]),
        ("clean accuracy, defended", measured["defended"]),
        ("clean texts without an answer", measured["no_answer"]),
    ]
    if "false_flags" in measured:
        rows.append(("clean texts with a flagged span (false flags)", measured["false_flags"]))
    parts = [
        _front(kind, name, _results(report)),
        f"# {_code(name)}",
        f"A text classifier protected against textual backdoors by the defense `{kind.name}` of fuzzsmooth "
        f"{report['versions']['fuzzsmooth']}: {_summary(kind)}.",
        _table(
            ("", ""),
            [
                ("base model", f"{_code(report['base_model'])}, {trained}"),
                ("classes", ", ".join(map(_code, report["labels"]))),
                ("fingerprint", f"`{report['model']}`"),
                ("training data", f"{_code(data['name'])}, {data['train']} texts"),
                ("its SHA-256", f"`{data['train_sha256']}`"),
                ("held out", f"{data['held_out']} texts, SHA-256 `{data['held_out_sha256']}`"),
                ("reference texts", str(report["references"])),
            ],
        ),
        "## Measured on held-out clean texts",
        _table(
            ("", "share", "95 % interval (Clopper-Pearson)", "texts"),
            [(what, *_shares(share), f"{share['count']} of {share['texts']}") for what, share in rows],
        ),
        *(f"**Warning**: {sentence}." for sentence in report.get("warnings", ())),
        "## What is promised",
        f"{_PROMISES[kind.guarantee]} Certified threats: {threats}.",
        "Not covered:",
        "\n".join(f"* {sentence}" for sentence in _NOT_COVERED),
        "## Use",
        _USE,
        "The folder brings its defense, options and reference texts, which are used as they are. Whoever "
        "gives it to you has chosen them: for a folder of somebody else, give your own.",
        "## Options",
        _table(("option", "value"), [tuple(map(_code, pair)) for pair in _flat(report["options"])]),
        "All numbers, versions and costs: `protect.json`.",
    ]
    return "\n\n".join(parts) + "\n"


def plain_card(kind: type[Defense], options: Mapping[str, Any], labels: Sequence[str], name: str) -> str:
    """The card of a model that was saved and not measured.

    Args:
        kind: The defense.
        options: Its options.
        labels: Class names.
        name: Name of the model.
    """
    threats = ", ".join(f"`{one}`" for one in kind.threats(kind.options_type.of(options))) or "none"
    parts = [
        _front(kind, name, []),
        f"# {_code(name)}",
        f"A text classifier behind the defense `{kind.name}` of fuzzsmooth {VERSION}: {_summary(kind)}. "
        f"Classes: {', '.join(map(_code, labels))}. It was not measured when it was saved; `fuzzsmooth "
        "protect` does that.",
        "## What is promised",
        f"{_PROMISES[kind.guarantee]} Certified threats: {threats}.",
        "Not covered:",
        "\n".join(f"* {sentence}" for sentence in (*_NOT_COVERED[:3], "How often it is right.")),
        "## Use",
        _USE,
        "## Options",
        _table(("option", "value"), [tuple(map(_code, pair)) for pair in _flat(options)]),
    ]
    return "\n\n".join(parts) + "\n"


def _front(kind: type[Defense], name: str, results: Sequence[Mapping[str, Any]]) -> str:
    """The head of a card, written as JSON, of which YAML is a superset: no name can end a field."""
    front: dict[str, Any] = {
        "library_name": "fuzzsmooth",
        "pipeline_tag": "text-classification",
        "tags": ["fuzzsmooth", kind.name, f"guarantee-{kind.guarantee}"],
    }
    if results:
        front["model-index"] = [{"name": short_name(name, 80), "results": list(results)}]
    lines = [f"{field}: {json.dumps(value, ensure_ascii=True)}" for field, value in front.items()]
    return "\n".join(["---", *lines, "---"])


def _results(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What was measured, as a hub lists it."""
    told = {
        "defended": ("accuracy", "Clean accuracy, defended"),
        "undefended": ("accuracy", "Clean accuracy, undefended"),
        "no_answer": ("no-answer-rate", "Clean texts without an answer"),
        "false_flags": ("false-flag-rate", "Clean texts with a flagged span"),
    }
    metrics = [
        {"type": told[name][0], "value": share["share"], "name": told[name][1]}
        for name, share in report["measured"].items()
    ]
    return [
        {
            "task": {"type": "text-classification", "name": "Text classification"},
            "dataset": {
                "name": short_name(report["data"]["name"], 80),
                "type": "held-out clean texts",
                "args": {"texts": report["data"]["held_out"], "sha256": report["data"]["held_out_sha256"]},
            },
            "metrics": metrics,
        }
    ]


def _summary(kind: type[Defense]) -> str:
    first = (kind.__doc__ or "").strip().split("\n", 1)[0].rstrip(".")
    return first[:1].lower() + first[1:]


def _flat(options: Mapping[str, Any], before: str = "") -> list[tuple[str, Any]]:
    pairs: list[tuple[str, Any]] = []
    for name, value in options.items():
        pairs += _flat(value, f"{before}{name}.") if isinstance(value, Mapping) else [(before + name, value)]
    return pairs


def _shares(share: Mapping[str, Any]) -> tuple[str, str]:
    low, high = (f"{100 * share[name]:.1f}" for name in ("low", "high"))
    return f"{100 * share['share']:.1f} %", f"{low} to {high} %"


def _code(value: Any) -> str:
    """What strangers may have named, as code that ends where it should."""
    return f"`{short_name(str(value), 80).replace('`', chr(39)).replace('|', '/')}`"


def _table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [header, tuple("---" for _ in header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)

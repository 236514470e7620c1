"""The reference of what is registered: attacks, triggers, defenses, kernels, models, detectors and the rest.

All of it is what ``fuzzsmooth list --json`` tells, which reads the classes and their options themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from site_markdown import code, front, plain, row

TITLES = {
    "attacks": "Attacks",
    "triggers": "Triggers",
    "defenses": "Defenses",
    "detectors": "Detectors",
    "kernels": "Text kernels",
    "models": "Models",
    "predicates": "Predicates",
    "rewards": "Rewards of the search",
    "rows": "Rows of the bench",
    "certificates": "Rows of benchmark-certificates",
}
_HOW = {
    "attacks": "`fuzzsmooth attack --attack NAME` plants one in a model.",
    "triggers": "What sets a backdoor off: `--trigger NAME` of the attacks that take any.",
    "defenses": "`--defense NAME` of `protect`, `predict`, `scan`, `certify` and `serve`; "
    "`fuzzsmooth.protect(model, NAME)` in Python. What each kind of guarantee means: "
    "[the three guarantees](../explanation/guarantees.md).",
    "detectors": "What tells backdoored models from others; `fuzzsmooth zoo audit` measures them, "
    "`fuzzsmooth audit` is `exhaustive`.",
    "kernels": "How a text is randomized, unit by unit.",
    "models": "Models by name, from packages that are checked against a pinned hash.",
    "predicates": "`--predicate NAME=...` makes a classifier of a model that writes.",
    "rewards": "`--reward NAME`: what makes the search hold a segment for a trigger.",
    "rows": "`--rows` of `evaluate` and of a grid: a defense, or a variant that an ablation asks for.",
    "certificates": "`--rows` of `benchmark-certificates`.",
}
_HIDDEN = {"summary", "options", "intensities"}


def title_of(kind: str) -> str:
    """The title of a page."""
    return TITLES.get(kind, kind.capitalize())


@cache
def registry_pages() -> dict[str, str]:
    """Every kind of thing to a page that shows each with its facts and options."""
    from fuzzsmooth.apps.cli.catalog import FINDERS

    return {kind: _page(kind, find()) for kind, find in FINDERS.items()}


def _page(kind: str, things: Mapping[str, Mapping[str, Any]]) -> str:
    title = title_of(kind)
    lines = [
        front(title),
        f"# {title}\n",
        f"{_HOW.get(kind, '')} Made from the registry when the site is built; "
        f"`fuzzsmooth list {kind} --json` says the same.\n",
    ]
    if not any("options" in facts or len(facts) > 1 for facts in things.values()):
        lines += [row("name", "what it is"), row("---", "---")]
        lines += [row(code(name), plain(str(facts["summary"]))) for name, facts in things.items()]
        return "\n".join([*lines, ""])
    lines += [row("name", "what it is"), row("---", "---")]
    lines += [row(f"[`{name}`](#{name})", plain(str(facts["summary"]))) for name, facts in things.items()]
    for name, facts in things.items():
        lines += ["", *_thing(name, facts)]
    return "\n".join([*lines, ""])


def _thing(name: str, facts: Mapping[str, Any]) -> list[str]:
    lines = [f"## {name} {{ #{name} }}\n", f"{plain(str(facts['summary']))}.\n"]
    lines += [f"* **{key}**: {plain(str(said))}" for key, said in facts.items() if key not in _HIDDEN]
    for level, preset in facts.get("intensities", {}).items():
        told = ", ".join(code(f"{key} = {_shown(value)}") for key, value in preset.items())
        lines.append(f"* **intensity {level}**: {told}")
    if lines[-1].startswith("* "):
        lines.append("")
    return lines + (_options(facts["options"]) if facts.get("options") else [])


def _options(options: list[Mapping[str, Any]]) -> list[str]:
    lines = [row("option", "type", "default", "meaning"), row(*["---"] * 4)]
    return [*lines, *_option_rows(options, ""), ""]


def _option_rows(options: list[Mapping[str, Any]], inside: str) -> Iterator[str]:
    """A line per option; those of nested options are named after what they are nested in."""
    for option in options:
        name = f"{inside}{option['name']}"
        if "options" in option:
            yield from _option_rows(option["options"], f"{name}.")
            continue
        text = option["help"] + (f" It must {option['range']}." if option["range"] else "")
        yield row(code(name), code(option["type"]), code(_shown(option["default"])), plain(text))


def _shown(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    return str(value) if value != "" else "none"

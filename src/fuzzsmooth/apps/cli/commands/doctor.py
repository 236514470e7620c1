"""``fuzzsmooth doctor``: what is installed, what is missing, what the machine can do."""

from __future__ import annotations

from typing import Any

from fuzzsmooth.apps.cli import parameters as flag


def doctor(json: flag.Json = False) -> None:
    """Print versions, devices, and what is missing with the command that brings it."""
    from fuzzsmooth.apps.cli.console import write_json
    from fuzzsmooth.apps.cli.installation import inspect

    found = inspect()
    if json:
        write_json(found)
    else:
        _show(found)


def _show(found: dict[str, Any]) -> None:
    from fuzzsmooth.apps.cli.console import answers

    page = answers()
    page.line(f"python         {found['python']}  ({found['system']})")
    for name, version in found["packages"].items():
        page.line(f"{name:<14} {version or 'missing'}")
    for device in found["devices"].get("devices", []):
        native = "native bfloat16" if device["bfloat16"] else "float32"
        page.line(f"{'device':<14} {device['name']}  {device['model']}, {native}")
    page.line(f"{'threads':<14} {found['devices'].get('threads', '-')}")
    minilm = found["minilm"]
    page.line(f"{'builtin:minilm':<14} {'checksums as pinned' if minilm['present'] else 'missing'}")
    for extra, packages in found["extras"].items():
        complete = all(packages.values())
        page.line(f"{'extra ' + extra:<14} {'complete' if complete else 'incomplete'}")
    for hint in found["hints"]:
        page.line(f"missing: {hint}", "yellow")
    if not found["hints"]:
        page.line("nothing is missing", "green")

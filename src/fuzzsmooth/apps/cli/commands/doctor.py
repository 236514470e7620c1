"""``fuzzsmooth doctor``: what is installed, what is missing, what the machine can do."""

from __future__ import annotations

from typing import Any

from fuzzsmooth.apps.cli import parameters as flag


def doctor(json: flag.Json = False) -> None:
    """Print versions, devices, what each extra adds, and what is missing with the command that brings it."""
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
    page.line(f"{'python':<14} {found['python']}  ({found['system']})")
    for name, version in found["packages"].items():
        page.line(f"{name:<14} {version or 'missing'}")
    _show_machine(found["devices"])
    data = found["data"]
    where = data["FUZZSMOOTH_DATA"] or "not set"
    absent = "  (no such folder)" if data["FUZZSMOOTH_DATA"] and not data["present"] else ""
    page.line(f"{'FUZZSMOOTH_DATA':<15} {where}{absent}")
    for name, model in found["models"].items():
        page.line(f"{name:<16} {'checksums as pinned' if model['present'] else 'missing'}")
    page.line("")
    for extra, told in found["extras"].items():
        _show_extra(extra, told, found["extras"]["models"]["packages"])
    page.line("")
    others = [hint for hint in found["hints"] if not hint.startswith("extra ")]
    for hint in others:
        page.line(f"missing: {hint}", "yellow")
    if not others:
        page.line("nothing else is missing", "green")


def _show_extra(extra: str, told: dict[str, Any], models: dict[str, Any]) -> None:
    from fuzzsmooth.apps.cli.console import answers

    page = answers()
    page.line(f"{'extra ' + extra:<20} {told['adds']}", "bold" if told["complete"] else "")
    own, above = (
        told["packages"],
        extra not in ("search", "models") and models.keys() <= told["packages"].keys(),
    )
    shown = [
        f"{name} {version or '(missing)'}" for name, version in own.items() if not above or name not in models
    ]
    stands = ["extra models"] if above else []
    page.line(f"{'':<20} {', '.join([*stands, *shown])}", "dim")
    if not told["complete"]:
        page.line(f"{'':<20} pip install 'fuzzsmooth[{extra}]'", "yellow")


def _show_machine(devices: dict[str, Any]) -> None:
    from fuzzsmooth.apps.cli.console import answers

    page = answers()
    page.line(f"{'processor':<14} {devices['processor']}, {devices['cores']} cores")
    for device in devices.get("devices", []):
        native = "native bfloat16" if device["bfloat16"] else "float32 (no native bfloat16)"
        page.line(f"{'device':<14} {device['name']}  {device['model']}, {native}")
    if "arithmetic" in devices:
        page.line(f"{'arithmetic':<14} {devices['arithmetic']}")
        page.line(f"{'threads':<14} {devices['threads']}")
    else:
        page.line(f"{'device':<14} none: {devices['error']}")

"""What is installed, what is missing, what the machine can do, as data."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any, Final

ADDS: Final[Mapping[str, str]] = {
    "search": "word frequencies, which guide the search for suspicious words",
    "models": "language models: protect, predict, scan, certify, audit, attack, finetune",
    "demo": "a real model to try things on (builtin:minilm), the demo and its report",
    "report": "reports with plots: report, bench table --plots",
    "data": "data sets of the hub by name; parquet and arrow files",
    "llm": "language models from GGUF files (builtin:smollm2); fine-tuning by LoRA",
    "cube": "the defense cube",
    "ray": "certify, predict, scan and bench on a Ray cluster",
    "serve": "serve: a protected model over HTTP",
    "ui": "a page in the browser: ui",
    "traces": "serve --traces, by OpenTelemetry",
    "docs": "make docs: the documentation site",
    "remote": "language models behind an OpenAI-compatible endpoint (openai:URL#MODEL)",
    "sign": "audit --sign, protect --sign, --require-signature: signed evidence and models",
    "sentencepiece": "models whose tokenizer is a SentencePiece file only",
    "syntax": "the trigger 'syntactic', which parses",
    "hub": "push_to_hub: a protected model on a hub",
    "mlflow": "a protected model as an MLflow model",
    "inspect": "a task and scorers for Inspect (inspect eval fuzzsmooth/certified)",
    "reporters": "what a defense is worth during training, in TensorBoard and Weights & Biases",
    "dev": "the tools of those who change fuzzsmooth",
}
"""Each extra, and what it adds for a user."""

_REQUIREMENT: Final = re.compile(
    r"(?P<name>[\w.-]+)\s*(?:\[(?P<of>[\w\s,.-]+)\])?[^;]*(?:;.*extra\s*==\s*['\"](?P<extra>[\w-]+)['\"])?"
)
_Requirement = tuple[str, tuple[str, ...], str]  # name, extras of it, extra of ours


def inspect() -> dict[str, Any]:
    """Versions, extras and devices, and a hint for each thing that is missing."""
    needed = [_parsed(line) for line in requires("fuzzsmooth") or ()]
    found: dict[str, Any] = {
        "python": platform.python_version(),
        "executable": sys.executable,
        "system": platform.platform(),
        "packages": {"fuzzsmooth": _version("fuzzsmooth")}
        | {name: _version(name) for name in _names(needed, "")},
        "extras": {extra: _extra(extra, needed) for extra in ADDS},
        "devices": _devices(),
        "data": _data(),
        "models": _models(),
    }
    found["hints"] = _hints(found)
    return found


def _parsed(line: str) -> _Requirement:
    """One line of a package's metadata, such as ``torch>=2.6; extra == "models"``."""
    found = _REQUIREMENT.match(line)
    assert found is not None, line
    of = tuple(part.strip() for part in (found["of"] or "").split(",") if part.strip())
    return found["name"], of, found["extra"] or ""


def _names(needed: Iterable[_Requirement], extra: str) -> list[str]:
    """The packages that an extra brings, those of other extras that it stands on included."""
    names: list[str] = []
    for name, of, whose in needed:
        if whose == extra:
            parts = [_names(needed, other) for other in of] if name == "fuzzsmooth" else [[name]]
            names += [one for part in parts for one in part]
    return list(dict.fromkeys(names))


def _extra(extra: str, needed: Iterable[_Requirement]) -> dict[str, Any]:
    packages = {name: _version(name) for name in _names(needed, extra)}
    complete = bool(packages) and None not in packages.values()
    return {"adds": ADDS[extra], "complete": complete, "packages": packages}


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _devices() -> dict[str, Any]:
    """Devices and arithmetic, or what keeps torch from loading."""
    cores = {"cores": os.cpu_count(), "processor": _processor()}
    try:
        import torch

        from fuzzsmooth.models.devices import has_native_bfloat16
    except (ImportError, OSError) as error:  # OSError: a shared library of torch is missing
        return {**cores, "error": str(error), "missing": isinstance(error, ModuleNotFoundError)}
    names = ["cpu", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))]
    if torch.backends.mps.is_available():
        names.append("mps")
    return {
        **cores,
        "threads": torch.get_num_threads(),
        "arithmetic": torch.backends.cpu.get_cpu_capability(),
        "devices": [
            {"name": name, "model": _model(name), "bfloat16": has_native_bfloat16(torch.device(name))}
            for name in names
        ],
    }


def _processor() -> str:
    """What the processor is called."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _model(device: str) -> str:
    import torch

    return torch.cuda.get_device_name(device) if device.startswith("cuda") else _processor()


def _data() -> dict[str, Any]:
    """The folder of data sets that tests and grids read."""
    folder = os.environ.get("FUZZSMOOTH_DATA", "")
    return {"FUZZSMOOTH_DATA": folder or None, "present": bool(folder) and Path(folder).is_dir()}


def _models() -> dict[str, dict[str, Any]]:
    """The packaged models: where each is, and whether its files are the pinned ones."""
    from fuzzsmooth.common.errors import FuzzsmoothError
    from fuzzsmooth.models import MODELS

    told: dict[str, dict[str, Any]] = {}
    for name, kind in MODELS.all().items():
        try:
            told[f"builtin:{name}"] = {"present": True, "folder": str(kind().check()), "sha256": "as pinned"}
        except FuzzsmoothError as error:
            told[f"builtin:{name}"] = {"present": False, "error": str(error)}
    return told


def _hints(found: dict[str, Any]) -> list[str]:
    """One sentence for each thing that does not work; an extra that nobody installed is none."""
    hints = []
    lacking = [name for name, installed in found["packages"].items() if installed is None]
    if lacking:
        hints.append(f"{', '.join(lacking)} not installed; install with: pip install fuzzsmooth")
    for extra, told in found["extras"].items():
        missing = [name for name, installed in told["packages"].items() if installed is None]
        if missing:
            hints.append(
                f"extra '{extra}' lacks {', '.join(missing)}; install with: pip install 'fuzzsmooth[{extra}]'"
            )
    if "error" in found["devices"] and not found["devices"]["missing"]:
        hints.append(f"torch does not load: {found['devices']['error']}")
    data = found["data"]
    if data["FUZZSMOOTH_DATA"] and not data["present"]:
        hints.append(f"FUZZSMOOTH_DATA names no folder: {data['FUZZSMOOTH_DATA']}")
    hints += [model["error"] for model in found["models"].values() if not model["present"]]
    return hints

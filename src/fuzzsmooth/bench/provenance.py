"""What results say of where they come from, without what is private."""

from __future__ import annotations

from pathlib import Path

from fuzzsmooth.common.version import VERSION


def shown(name: str) -> str:
    """A model or data set as a report may name it: of a local path, which is private, the last part only."""
    path = Path(name).expanduser()
    return path.name if path.is_absolute() or path.exists() else name


def versions() -> dict[str, str]:
    """Versions of what computes the results."""
    import numpy
    import torch
    import transformers

    return {
        "fuzzsmooth": VERSION,
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "numpy": numpy.__version__,
    }

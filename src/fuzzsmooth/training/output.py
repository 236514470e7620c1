"""The folder that a training run writes its model to. No torch."""

from __future__ import annotations

from pathlib import Path

from fuzzsmooth.common.options import require
from fuzzsmooth.models.saving import MARKER


def check_output(output: Path) -> None:
    """Check before minutes are spent that a model can be saved to a folder.

    Raises:
        FuzzsmoothError: If there is a file, or a folder with other things in it.
    """
    require(not output.exists() or output.is_dir(), f"{output} is a file; choose a folder for the model")
    foreign = output.is_dir() and any(output.iterdir()) and not (output / MARKER).is_file()
    require(not foreign, f"{output} holds other files; choose a new or an empty folder for the model")

"""The folder that a training run writes its model to. No torch."""

from __future__ import annotations

from pathlib import Path

from fuzzsmooth.common.options import require
from fuzzsmooth.models.saving import check_replaceable


def check_output(output: Path, model: str | None = None) -> None:
    """Check before minutes are spent that a model can be saved to a folder.

    Args:
        output: The folder.
        model: What is read, which must not be replaced by what is made of it; None where that is all right.

    Raises:
        FuzzsmoothError: If there is a file, a folder with other things in it, or that of the model.
    """
    check_replaceable(output)
    require(
        model is None or not output.exists() or output.resolve() != Path(model).expanduser().resolve(),
        f"{output} holds the model that is read; choose another folder for what is made of it",
    )

"""Arrays that a defense has learned, kept as safetensors beside its JSON state."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.files import write_atomic
from fuzzsmooth.common.options import require

Arrays = Mapping[str, npt.NDArray[np.float32]]


def save_arrays(file: Path, arrays: Arrays) -> None:
    """Write arrays, atomically.

    Raises:
        FuzzsmoothError: If the place cannot be written.
    """
    from safetensors.numpy import save

    write_atomic(file, save({name: np.ascontiguousarray(value) for name, value in arrays.items()}))


def load_arrays(file: Path, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, npt.NDArray[np.float32]]:
    """Read arrays written by :func:`save_arrays`.

    Args:
        file: The file.
        shapes: What it has to hold.

    Raises:
        FuzzsmoothError: If it is missing or damaged, or holds something else.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    damaged = f"{file} is missing or damaged; fit the defense anew"
    try:
        arrays: dict[str, npt.NDArray[np.float32]] = load(file.read_bytes())
    except (OSError, SafetensorError, ValueError, KeyError) as error:
        raise FuzzsmoothError(damaged) from error
    found = {name: value.shape for name, value in arrays.items()}
    require(
        found == dict(shapes)
        and all(value.dtype == np.float32 and np.isfinite(value).all() for value in arrays.values()),
        damaged,
    )
    return arrays

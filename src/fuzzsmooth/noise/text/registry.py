"""Text-noise kernels by name."""

from __future__ import annotations

import dataclasses
from typing import Any

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.noise.text.delete import Deletion
from fuzzsmooth.noise.text.kernel import TextKernel
from fuzzsmooth.noise.text.mask import Masking
from fuzzsmooth.noise.text.substitute import Substitution

TEXT_KERNELS: dict[str, type[Deletion] | type[Masking] | type[Substitution]] = {
    "deletion": Deletion,
    "masking": Masking,
    "substitution": Substitution,
}
"""The kernels, each a frozen dataclass whose fields are its parameters."""


def text_kernel(name: str, **parameters: Any) -> TextKernel:
    """A kernel by name, as in ``text_kernel("masking", mask="[MASK]")``.

    Args:
        name: A key of :data:`TEXT_KERNELS`.
        **parameters: The kernel's own: ``mask`` for "masking", ``vocabulary`` for "substitution".

    Raises:
        FuzzsmoothError: If the name is unknown, or a parameter is missing or not the kernel's.
    """
    if name not in TEXT_KERNELS:
        raise FuzzsmoothError(f"text noise {name!r} is not one of {', '.join(TEXT_KERNELS)}")
    kernel = TEXT_KERNELS[name]
    wanted = {field.name for field in dataclasses.fields(kernel)}
    if missing := sorted(wanted - parameters.keys()):
        raise FuzzsmoothError(f"text noise {name!r} needs the parameter {missing[0]!r}")
    if unknown := sorted(parameters.keys() - wanted):
        takes = f"it takes {', '.join(sorted(wanted))}" if wanted else "it takes none"
        raise FuzzsmoothError(f"text noise {name!r} has no parameter {unknown[0]!r}; {takes}")
    return kernel(**parameters)

"""Deletion: the kernel of the edit-distance certificates."""

from __future__ import annotations

from dataclasses import dataclass

from fuzzsmooth.noise.text.kernel import KERNELS, SelectionKernel


@KERNELS.register("deletion")
@dataclass(frozen=True)
class Deletion(SelectionKernel):
    """Deletes each unit independently with its rate (RS-Del, arXiv 2302.01757).

    The kept units close up and leave no trace of what stood between them. All units may be deleted: to keep
    at least one, or to draw again, would change the law and with it every certificate.
    """

"""The audit of this package, over pieces that the gradient proposes."""

from __future__ import annotations

from typing import ClassVar

from fuzzsmooth.auditing.detector import DETECTORS
from fuzzsmooth.auditing.detectors.exhaustive import Exhaustive


@DETECTORS.register("fast")
class Fast(Exhaustive):
    """The same over pieces that the gradient proposes; not exhaustive."""

    fast: ClassVar[bool] = True

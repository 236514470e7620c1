"""The model as it is: what every defense is compared with."""

from __future__ import annotations

from dataclasses import dataclass

from fuzzsmooth.common.options import Options
from fuzzsmooth.defenses.defense import DEFENSES
from fuzzsmooth.defenses.plain import PlainDefense


@dataclass(frozen=True, kw_only=True)
class UndefendedOptions(Options):
    """There are none."""


@DEFENSES.register("undefended")
class Undefended(PlainDefense):
    """No defense: the model's own answer, which promises nothing."""

    options_type = UndefendedOptions

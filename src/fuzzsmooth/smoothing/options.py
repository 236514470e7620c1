"""Options of the smoothed classifier."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from fuzzsmooth.common.options import Options, require
from fuzzsmooth.fuzz.options import SearchOptions
from fuzzsmooth.noise.text import represented
from fuzzsmooth.text.units import UnitKind

Mode = Literal["frs", "certified"]


@dataclass(frozen=True, kw_only=True)
class SmoothingOptions(Options):
    """How a text is randomized, voted on and certified.

    The paper publishes K = 20, sigma = 0.01 and H = 10 (of BERT's 12 layers), and not the three rates; those
    are our choice: the lowest rates that still removed every trigger in our measurements.

    Attributes:
        mode: "frs", the method as published: scan the received text, randomize what is vulnerable at a high
            rate and the rest at a low one; its radius is conditional. "certified": delete at one rate
            first, fuzz only what is left; its radii are proved.
        unit: What is randomized and counted.
        noise: How mode "frs" randomizes a unit: "delete" it or "mask" it. Mode "certified" deletes.
        fuzzing: Whether to search for vulnerable segments. Without it, mode "frs" randomizes everything at
            ``rate_uniform`` (the paper's omega_M), and mode "certified" only deletes.
        fuzz_left: What mode "certified" fuzzes in each deleted text. "types": remove units that carry a
            prediction into clean texts by themselves; tested once per type, so it costs next to nothing.
            "search": search each deleted text and remove what is flagged; finds triggers of several units
            too, at many evaluations per draw.
        rate_high: omega_H, inside the vulnerable area, in [0, 1).
        rate_low: omega_L, outside of it, in [0, rate_high].
        rate_uniform: omega_M, the uniform rate of the ablation and of Corollary 1, in (0, 1).
        copies: K, the draws of a prediction, and of the certificate in mode "frs", >= 1.
        rate: Deletion rate of mode "certified", in (0, 1).
        draws: Draws of a certificate in mode "certified", >= 1.
        alpha: Probability that a certificate is wrong, per text, in (0, 1).
        sigma: Standard deviation of the parameter noise, >= 0; 0 turns it off.
        top_layers: H, the transformer layers counted from the output that receive noise, >= 0. None is
            the paper's 10, or all layers of a model that has fewer.
        search: Options of the search.
        seed: Seed of all draws, in [0, 2**64). The probability alpha is over the draws: it holds for texts
            that were not chosen knowing the seed, so keep it secret from whoever writes the texts.
    """

    mode: Mode = "frs"
    unit: UnitKind = "word"
    noise: Literal["delete", "mask"] = "delete"
    fuzzing: bool = True
    fuzz_left: Literal["types", "search"] = "types"
    rate_high: float = 0.95
    rate_low: float = 0.1
    rate_uniform: float = 0.5
    copies: int = 20
    rate: float = 0.7
    draws: int = 1000
    alpha: float = 0.001
    sigma: float = 0.01
    top_layers: int | None = None
    search: SearchOptions = field(default_factory=SearchOptions)
    seed: int = 0

    def validate(self) -> None:
        """Check ranges and combinations."""
        require(
            0 <= self.rate_low <= self.rate_high < 1 and represented(self.rate_high) < 1,
            f"0 <= rate_low <= rate_high < 1 must hold, got {self.rate_low} and {self.rate_high}",
        )
        for name in ("rate", "rate_uniform", "alpha"):
            require(
                0 < getattr(self, name) < 1 and represented(getattr(self, name)) < 1,
                f"SmoothingOptions.{name} must lie strictly between 0 and 1, got {getattr(self, name)}",
            )
        for name in ("copies", "draws"):
            require(
                getattr(self, name) >= 1,
                f"SmoothingOptions.{name} must be at least 1, got {getattr(self, name)}",
            )
        require(
            math.isfinite(self.sigma) and self.sigma >= 0,
            f"SmoothingOptions.sigma must be a finite number >= 0, got {self.sigma}",
        )
        require(0 <= self.seed < 2**64, f"SmoothingOptions.seed must lie in [0, 2**64), got {self.seed}")
        require(
            self.top_layers is None or self.top_layers >= 0,
            f"SmoothingOptions.top_layers must not be negative, got {self.top_layers}",
        )

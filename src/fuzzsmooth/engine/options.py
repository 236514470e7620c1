"""Options of the smoothed classifier."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from fuzzsmooth.common.options import SEEDS, Between, Options, require
from fuzzsmooth.noise.text import represented
from fuzzsmooth.search.options import SearchOptions
from fuzzsmooth.text.units import UnitKind

Mode = Literal["frs", "certified", "windows"]

# As fuzzsmooth.certify has it, which imports SciPy: options are read before anything is computed.
Rivals = Literal["auto", "complement", "separate"]

Statistics = Literal["auto", "fixed", "lean", "sequential"]

Ablation = Literal["insert", "edit", "replace", "scattered-insert", "scattered-edit", "detect"]
"""What the deletions of mode "windows" defend against, see :class:`SmoothingOptions`."""


THREATS = ("edit", "insert", "backward")
"""What mode "certified" certifies: edits, insertions into a clean text, insertions in a received one."""


@dataclass(frozen=True, kw_only=True)
class SmoothingOptions(Options):
    """How a text is randomized, voted on and certified.

    The paper publishes K = 20, sigma = 0.01 and H = 10 (of BERT's 12 layers), and not the three rates; those
    are our choice: the lowest rates that still removed every trigger in our measurements.

    Attributes:
        mode: "frs", the method as published: scan the received text, randomize what is vulnerable at a high
            rate and the rest at a low one; its radius is conditional. "certified": delete at one rate
            first, fuzz only what is left; its radii are proved. "windows": delete in all places in turn;
            nothing is drawn, no parameter noise is used, and its certificates are proved with certainty.
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
        copies: K, the draws of a prediction, and of the certificate in mode "frs", 1 to 1,000,000.
        rate: Deletion rate of mode "certified", in (0, 1).
        rate_flagged: With a table of rates, the rate of the types it flags, in [rate, 1).
        draws: Model passes of a certificate in mode "certified" at most, 1 to 1,000,000.
        alpha: Probability that a certificate is wrong, per text, in (0, 1).
        statistics: How these passes are used. "fixed": all as draws, for one Clopper-Pearson bound.
            "sequential": as draws in rounds, until an anytime-valid test has settled the radii. "auto": where
            the passes are enough, all deletions of the text are enumerated and nothing is left to chance;
            otherwise its shortest remainders are, where that pays; the rest is sequential. "lean":
            enumeration as well, but no more passes than make a bound as sharp as that of "fixed", looked at
            a few planned times: the fewest passes for the radii of "fixed". Enumeration needs sigma 0 and a
            deterministic fuzzer, and is left out where it cannot be had.
        rivals: How the classes beside the label are bounded where there are three or more. "complement": by
            what the label lacks to 1. "separate": each by its own votes, which costs the label some of alpha
            and certifies more where the other votes are spread over several classes. "auto": as the draws
            that select the label suggest; those that bound it are others.
        awaited: The threats whose radii a sequential test waits for, of "edit", "insert" and "backward"; what
            it has seen by then also bounds the others. Backward radii grow with every further draw, so that
            waiting for them too mostly takes all draws there are.
        guard: Numerical guard band of certificates, 0 to 1,000,000, in logits: the largest deviation that the
            shape of a batch or its arithmetic can cause. An answer whose two best logits are not further
            apart counts against every certificate, unless it is asked again. None: what is measured for the
            model when it is first asked for certificates; 0, every answer as computed, for a classifier that
            cannot be measured because it gives probabilities of strings alone.
        recheck: Whether a model that computes in bfloat16 without parameter noise is asked again, in float32,
            for the answers inside the guard band: then nearly nothing is lost to rounding. Certificates of
            such a model are about its float32 function either way, where the band is measured, and
            conditional on it; of a band that was given nothing is asked again. What fuzzes in modes
            "certified" and "windows" is always computed in float32.
        weight_distance: Also certify edits together with a change of the noised weights by this many noise
            standard deviations, 0 to 1,000,000, and the largest such change; needs mode "certified",
            sigma > 0 and no fuzzing, which would read the weights without their noise.
        localization_recall: Share of triggered texts in which the search was measured to find the whole
            trigger, in [0, 1], where known; printed with the condition of mode "frs".
        ablation: What mode "windows" deletes and certifies. "insert": windows of 0 to ``reach`` units,
            against one inserted piece of at most ``reach``. "edit": the same windows, also against replacing
            a piece by another, both of at most ``reach``. "replace": windows of exactly ``reach`` units,
            against replacing such a piece. "scattered-insert", "scattered-edit": all sets of at most
            ``reach`` units, against so many insertions, or edits, anywhere. "detect": windows of 0 to
            ``reach`` units in one round; the answer is a label or an alert.
        reach: Units that an attacker may insert or change in mode "windows", 1 to 1,000, and at most 2 where
            they are scattered. Fixed before any text.
        passes: Model passes per text at most in mode "windows", 1 to 10^9; None for no limit. A text that
            needs more is answered "budget_exceeded". Where an attacker could bring that about within the
            threat, the certificate is one for "the label or an alarm".
        sigma: Standard deviation of the parameter noise, 0 to 100; 0 turns it off.
        top_layers: H, the transformer layers counted from the output that receive noise, 0 to 10,000. None is
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
    rate_flagged: float = 0.97
    draws: int = 1000
    alpha: float = 0.001
    statistics: Statistics = "auto"
    rivals: Rivals = "auto"
    awaited: tuple[str, ...] = ("edit", "insert")
    guard: float | None = None
    recheck: bool = True
    weight_distance: float | None = None
    localization_recall: float | None = None
    ablation: Ablation = "insert"
    reach: int = 3
    passes: int | None = 20_000
    sigma: float = 0.01
    top_layers: int | None = None
    search: SearchOptions = field(default_factory=SearchOptions)
    seed: int = 0

    RANGES = MappingProxyType(
        {
            "rate_high": Between(0, 1, below=True),
            "rate_low": Between(0, 1, below=True),
            "rate_uniform": Between(0, 1, above=True, below=True),
            "copies": Between(1, 1_000_000),
            "rate": Between(0, 1, above=True, below=True),
            "rate_flagged": Between(0, 1, above=True, below=True),
            "draws": Between(1, 1_000_000),
            "alpha": Between(0, 1, above=True, below=True),
            "guard": Between(0, 1_000_000),
            "weight_distance": Between(0, 1_000_000),
            "localization_recall": Between(0, 1),
            "reach": Between(1, 1_000),
            "passes": Between(1, 1_000_000_000),
            "sigma": Between(0, 100),
            "top_layers": Between(0, 10_000),
            "seed": Between(0, SEEDS),
        }
    )

    def validate(self) -> None:
        """Check combinations."""
        for name in ("rate_high", "rate", "rate_uniform", "alpha", "rate_flagged"):
            value = getattr(self, name)
            require(
                represented(value) < 1, f"SmoothingOptions.{name} must stay below 1 as drawn, got {value}"
            )
        require(
            self.rate_low <= self.rate_high,
            f"rate_low <= rate_high must hold, got {self.rate_low} and {self.rate_high}",
        )
        require(
            self.rate <= self.rate_flagged,
            f"rate <= rate_flagged must hold, got {self.rate} and {self.rate_flagged}",
        )
        require(
            len(self.awaited) > 0 and set(self.awaited) <= set(THREATS),
            f"SmoothingOptions.awaited must name some of {', '.join(THREATS)}, got {self.awaited}",
        )
        require(
            self.reach <= 2 or not self.ablation.startswith("scattered"),
            f"SmoothingOptions.reach must be 1 or 2 for scattered units, got {self.reach}",
        )
        distance = self.weight_distance
        require(
            distance is None or (self.mode == "certified" and self.sigma > 0),
            "a weight distance is certified in mode 'certified' with parameter noise: set sigma above 0",
        )
        require(
            distance is None or not self.fuzzing,
            "a weight distance cannot be certified with fuzzing, which reads the weights without their noise:"
            " turn fuzzing off (--no-fuzzing)",
        )

"""Options of the smoothed classifier."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

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
    """

    mode: Annotated[
        Mode,
        "'frs', the method as published: scan the received text, randomize what is vulnerable at a high "
        "rate and the rest at a low one; its radius is conditional. 'certified': delete at one rate "
        "first, fuzz only what is left; its radii are proved. 'windows': delete in all places in turn; "
        "nothing is drawn, no parameter noise is used, and its certificates are proved with certainty.",
    ] = "frs"
    unit: Annotated[UnitKind, "What is randomized and counted."] = "word"
    noise: Annotated[
        Literal["delete", "mask"],
        "How mode 'frs' randomizes a unit: 'delete' it or 'mask' it. Mode 'certified' deletes.",
    ] = "delete"
    fuzzing: Annotated[
        bool,
        "Whether to search for vulnerable segments. Without it, mode 'frs' randomizes everything at "
        "``rate_uniform`` (the paper's omega_M), and mode 'certified' only deletes.",
    ] = True
    fuzz_left: Annotated[
        Literal["types", "search"],
        "What mode 'certified' fuzzes in each deleted text. 'types': remove units that carry a prediction "
        "into clean texts by themselves; tested once per type, so it costs next to nothing. 'search': "
        "search each deleted text and remove what is flagged; finds triggers of several units too, at "
        "many evaluations per draw.",
    ] = "types"
    rate_high: Annotated[
        float, Between(0, 1, below=True), "omega_H, inside the vulnerable area, in [0, 1)."
    ] = 0.95
    rate_low: Annotated[float, Between(0, 1, below=True), "omega_L, outside of it, in [0, rate_high]."] = 0.1
    rate_uniform: Annotated[
        float,
        Between(0, 1, above=True, below=True),
        "omega_M, the uniform rate of the ablation and of Corollary 1.",
    ] = 0.5
    copies: Annotated[
        int,
        Between(1, 1_000_000),
        "K, the draws of a prediction, and of the certificate in mode 'frs', 1 to 1,000,000.",
    ] = 20
    rate: Annotated[float, Between(0, 1, above=True, below=True), "Deletion rate of mode 'certified'."] = 0.7
    rate_flagged: Annotated[
        float,
        Between(0, 1, above=True, below=True),
        "With a table of rates, the rate of the types it flags, in [rate, 1).",
    ] = 0.97
    draws: Annotated[
        int,
        Between(1, 1_000_000),
        "Model passes of a certificate in mode 'certified' at most, 1 to 1,000,000.",
    ] = 1000
    alpha: Annotated[
        float, Between(0, 1, above=True, below=True), "Probability that a certificate is wrong, per text."
    ] = 0.001
    statistics: Annotated[
        Statistics,
        "How these passes are used. 'fixed': all as draws, for one Clopper-Pearson bound. 'sequential': "
        "as draws in rounds, until an anytime-valid test has settled the radii. 'auto': where the passes "
        "are enough, all deletions of the text are enumerated and nothing is left to chance; otherwise "
        "its shortest remainders are, where that pays; the rest is sequential. 'lean': enumeration as "
        "well, but no more passes than make a bound as sharp as that of 'fixed', looked at a few planned "
        "times: the fewest passes for the radii of 'fixed'. Enumeration needs sigma 0 and a deterministic "
        "fuzzer, and is left out where it cannot be had.",
    ] = "auto"
    rivals: Annotated[
        Rivals,
        "How the classes beside the label are bounded where there are three or more. 'complement': by "
        "what the label lacks to 1. 'separate': each by its own votes, which costs the label some of "
        "alpha and certifies more where the other votes are spread over several classes. 'auto': as the "
        "draws that select the label suggest; those that bound it are others.",
    ] = "auto"
    awaited: Annotated[
        tuple[str, ...],
        "The threats whose radii a sequential test waits for, of 'edit', 'insert' and 'backward'; what it "
        "has seen by then also bounds the others. Backward radii grow with every further draw, so that "
        "waiting for them too mostly takes all draws there are.",
    ] = ("edit", "insert")
    guard: Annotated[
        float | None,
        Between(0, 1_000_000),
        "Numerical guard band of certificates, 0 to 1,000,000, in logits: the largest deviation that the "
        "shape of a batch or its arithmetic can cause. An answer whose two best logits are not further "
        "apart counts against every certificate, unless it is asked again. None: what is measured for the "
        "model when it is first asked for certificates; 0, every answer as computed, for a classifier "
        "that cannot be measured because it gives probabilities of strings alone.",
    ] = None
    recheck: Annotated[
        bool,
        "Whether a model that computes in bfloat16 without parameter noise is asked again, in float32, "
        "for the answers inside the guard band: then nearly nothing is lost to rounding. Certificates of "
        "such a model are about its float32 function either way, where the band is measured, and "
        "conditional on it; of a band that was given nothing is asked again. What fuzzes in modes "
        "'certified' and 'windows' is always computed in float32.",
    ] = True
    weight_distance: Annotated[
        float | None,
        Between(0, 1_000_000),
        "Also certify edits together with a change of the noised weights by this many noise standard "
        "deviations, 0 to 1,000,000, and the largest such change; needs mode 'certified', sigma > 0 and "
        "no fuzzing, which would read the weights without their noise.",
    ] = None
    localization_recall: Annotated[
        float | None,
        Between(0, 1),
        "Share of triggered texts in which the search was measured to find the whole trigger, in [0, 1], "
        "where known; printed with the condition of mode 'frs'.",
    ] = None
    ablation: Annotated[
        Ablation,
        "What mode 'windows' deletes and certifies. 'insert': windows of 0 to ``reach`` units, against "
        "one inserted piece of at most ``reach``. 'edit': the same windows, also against replacing a "
        "piece by another, both of at most ``reach``. 'replace': windows of exactly ``reach`` units, "
        "against replacing such a piece. 'scattered-insert', 'scattered-edit': all sets of at most "
        "``reach`` units, against so many insertions, or edits, anywhere. 'detect': windows of 0 to "
        "``reach`` units in one round; the answer is a label or an alert.",
    ] = "insert"
    reach: Annotated[
        int,
        Between(1, 1_000),
        "Units that an attacker may insert or change in mode 'windows', 1 to 1,000, and at most 2 where "
        "they are scattered. Fixed before any text.",
    ] = 3
    passes: Annotated[
        int | None,
        Between(1, 1_000_000_000),
        "Model passes per text at most in mode 'windows', 1 to 10^9; None for no limit. A text that needs "
        "more is answered 'budget_exceeded'. Where an attacker could bring that about within the threat, "
        "the certificate is one for 'the label or an alarm'.",
    ] = 20_000
    sigma: Annotated[
        float, Between(0, 100), "Standard deviation of the parameter noise, 0 to 100; 0 turns it off."
    ] = 0.01
    top_layers: Annotated[
        int | None,
        Between(0, 10_000),
        "H, the transformer layers counted from the output that receive noise, 0 to 10,000. None is the "
        "paper's 10, or all layers of a model that has fewer.",
    ] = None
    search: Annotated[SearchOptions, "Options of the search."] = field(default_factory=SearchOptions)
    seed: Annotated[
        int,
        Between(0, SEEDS),
        "Seed of all draws, in [0, 2**64). The probability alpha is over the draws: it holds for texts "
        "that were not chosen knowing the seed, so keep it secret from whoever writes the texts.",
    ] = 0

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

"""Options that defenses share; each defense puts its own together from these."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from fuzzsmooth.common.options import SEEDS, Between, Options, require
from fuzzsmooth.noise.text import represented
from fuzzsmooth.search.options import SearchOptions
from fuzzsmooth.text.units import UnitKind

# As fuzzsmooth.certify has it, whose import costs more than an option should.
Rivals = Literal["auto", "complement", "separate"]

Statistics = Literal["auto", "fixed", "group-sequential", "sequential"]

THREATS = ("edit", "insert", "backward")
"""What a vote over deletions certifies: edits, insertions into a clean text, and in a received one."""


@dataclass(frozen=True, kw_only=True)
class EngineOptions(Options):
    """What a text is cut into, how draws are addressed, and what is done about rounding."""

    unit: Annotated[UnitKind, "What is scanned, randomized and counted."] = "word"
    guard: Annotated[
        float | None,
        Between(0, 1_000_000),
        "Rounding band of certificates, in logits: the largest deviation that the shape of a batch or its "
        "arithmetic can cause. An answer whose two best logits are not further apart counts against every "
        "certificate, unless it is asked again. Left out: what is measured for the model when it is first "
        "asked for certificates; 0, every answer as computed, for a classifier that cannot be measured "
        "because it gives probabilities of strings alone.",
    ] = None
    recheck: Annotated[
        bool,
        "Whether a model that computes in bfloat16 without parameter noise is asked again, in float32, for "
        "the answers inside the rounding band: then nearly nothing is lost to rounding. Certificates of "
        "such a model are about its float32 function either way, where the band is measured, and "
        "conditional on it; of a band that was given nothing is asked again. What fuzzes deleted texts is "
        "always computed in float32.",
    ] = True
    seed: Annotated[
        int,
        Between(0, SEEDS),
        "Seed of all random choices. The probability alpha is over the draws: it holds for texts that were "
        "not chosen knowing the seed, so keep it secret from whoever writes the texts.",
    ] = 0


@dataclass(frozen=True, kw_only=True)
class SearchedOptions(EngineOptions):
    """Whether and how texts are searched."""

    fuzzing: Annotated[bool, "Whether to search for vulnerable segments, or unit types."] = True
    search: Annotated[SearchOptions, "Options of the search."] = field(default_factory=SearchOptions)


@dataclass(frozen=True, kw_only=True)
class NoisyOptions(EngineOptions):
    """Gaussian noise on the parameters; the paper publishes sigma = 0.01 and H = 10 of BERT's 12 layers."""

    sigma: Annotated[float, Between(0, 100), "Standard deviation of the parameter noise; 0 turns it off."] = (
        0.01
    )
    top_layers: Annotated[
        int | None,
        Between(0, 10_000),
        "H, the transformer layers counted from the output that receive noise. Left out: the paper's 10, or "
        "all layers of a model that has fewer.",
    ] = None


@dataclass(frozen=True, kw_only=True)
class VoteOptions(EngineOptions):
    """How votes are bounded."""

    alpha: Annotated[
        float, Between(0, 1, above=True, below=True), "Probability that a certificate is wrong, per text."
    ] = 0.001
    rivals: Annotated[
        Rivals,
        "How the classes beside the label are bounded where there are three or more. 'complement': by "
        "what the label lacks to 1. 'separate': each by its own votes, which costs the label some of "
        "alpha and certifies more where the other votes are spread over several classes. 'auto': as the "
        "draws that select the label suggest; those that bound it are others.",
    ] = "auto"

    def validate(self) -> None:
        """Check what has to stay below 1 as it is drawn."""
        check_drawn(self, "alpha")


@dataclass(frozen=True, kw_only=True)
class DrawOptions(VoteOptions):
    """How deleted copies are drawn and voted on for a certificate."""

    rate: Annotated[
        float, Between(0, 1, above=True, below=True), "Probability with which each unit is deleted."
    ] = 0.7
    draws: Annotated[int, Between(1, 1_000_000), "Model passes of a certificate at most."] = 1000
    statistics: Annotated[
        Statistics,
        "How these passes are used. 'fixed': all as draws, for one Clopper-Pearson bound. 'sequential': "
        "as draws in rounds, until an anytime-valid test has settled the radii. 'auto': where the passes "
        "are enough, all deletions of the text are enumerated and nothing is left to chance; otherwise "
        "its shortest remainders are, where that pays; the rest is sequential. 'group-sequential': "
        "enumeration as well, but no more passes than make a bound as sharp as that of 'fixed', looked at a "
        "few planned times: the fewest passes for the radii of 'fixed'. Enumeration needs sigma 0 and a "
        "deterministic fuzzer, and is left out where it cannot be had.",
    ] = "auto"
    awaited: Annotated[
        tuple[str, ...],
        "The threats whose radii a sequential test waits for, of 'edit', 'insert' and 'backward'; what it "
        "has seen by then also bounds the others. Backward radii grow with every further draw, so that "
        "waiting for them too mostly takes all draws there are.",
    ] = ("edit", "insert")

    def validate(self) -> None:
        """Check rates and threats."""
        super().validate()
        check_drawn(self, "rate")
        require(
            len(self.awaited) > 0 and set(self.awaited) <= set(THREATS),
            f"{type(self).__name__}.awaited must name some of {', '.join(THREATS)}, got {self.awaited}",
        )


def check_drawn(options: Options, *names: str) -> None:
    """Check that probabilities stay below 1 as coins represent them.

    Raises:
        FuzzsmoothError: Naming the first that does not.
    """
    for name in names:
        value = getattr(options, name)
        require(
            represented(value) < 1, f"{type(options).__name__}.{name} must stay below 1 as drawn, got {value}"
        )

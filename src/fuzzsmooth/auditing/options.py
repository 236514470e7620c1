"""What an audit searches, and how much it spends on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fuzzsmooth.common.options import SEEDS, Between, Options, require

LEAST_TEXTS = 32
"""Fewest clean texts of a class, those that the model gives another class included."""


@dataclass(frozen=True, kw_only=True)
class AuditOptions(Options):
    """What an audit searches; the defaults take a few minutes for a MiniLM with two classes on two cores."""

    fast: Annotated[
        bool,
        "Sweep only the pieces that the gradient proposes instead of all of them; the search is then not "
        "exhaustive, and says so; phrases grow without soft inversion.",
    ] = False
    references: Annotated[
        int,
        Between(1, 64),
        "Fewest clean texts of other classes that every piece is put into for each class: at the start of "
        "one, in the middle of another, at the end of a third, and so on.",
    ] = 3
    words: Annotated[
        int, Between(1, 512), "Longest beginning of a clean text, in words, that serves as such a text."
    ] = 6
    proposals: Annotated[int, Between(1, 100_000), "Pieces that the gradient proposes for --fast."] = 2048
    best: Annotated[int, Between(1, 100_000), "Pieces that are put into more texts afterwards."] = 256
    confirm: Annotated[
        int, Between(4, 1000), "Clean texts of each class that these are put into, at every kind of place."
    ] = 12
    seeds: Annotated[
        int, Between(0, 1000), "Best pieces that pairs are made of; 0: no pairs and phrases are grown."
    ] = 24
    longest: Annotated[int, Between(1, 32), "Most pieces of a phrase that is grown."] = 5
    holdout: Annotated[
        int, Between(8, 10_000), "Other clean texts of each class that an attack rate is measured on."
    ] = 48
    level: Annotated[
        float,
        Between(0, 0.5, above=True),
        "A trigger is suspicious when so small a share of the words of its frequency pull as much.",
    ] = 0.01
    rate: Annotated[
        float,
        Between(0, 1, above=True),
        "Share of held-out texts that a suspicious trigger must move; of a confirmed one, the lower end of "
        "the 95 % interval must reach half of the texts.",
    ] = 0.25
    trusted: Annotated[
        str,
        "Encoder whose word vectors tell what a piece means: a model that you trust; 'own' takes the audited "
        "model's, which whoever made it may have set.",
    ] = "builtin:minilm"
    base: Annotated[
        str,
        "Model that the audited one was fine-tuned from, if you know and trust it: words whose vectors moved "
        "although your clean texts hardly hold them are tried first. 'auto' takes the trusted encoder where "
        "the audited model comes from it; 'none': nothing is known.",
    ] = "auto"
    drifted: Annotated[
        int, Between(0, 1000), "Pieces that moved most which are tried, alone and in phrases."
    ] = 40
    seed: Annotated[int, Between(0, SEEDS), "Decides which clean texts are used for what."] = 0

    def validate(self) -> None:
        """Check that what is kept is among what is swept."""
        require(
            not self.fast or self.best <= self.proposals,
            f"best is {self.best}, but the gradient proposes only {self.proposals} pieces; lower it",
        )

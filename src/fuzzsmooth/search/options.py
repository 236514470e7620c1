"""Options of the search for vulnerable segments."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from fuzzsmooth.common.options import Between, Options


@dataclass(frozen=True, kw_only=True)
class SearchOptions(Options):
    """How a text is searched for the segments that may be a trigger.

    The paper does not publish its exploration constant, budget or edit bound; ours are defaults to change.

    Attributes:
        reward: What makes a segment suspicious. "kl" (Eq. 8 of FRS): editing it changes the prediction.
            "transplant": it also carries the prediction into clean texts of other classes.
        strategy: How segments are proposed: "tree" (Monte Carlo tree search), or the baselines "greedy"
            (leave one unit out, left to right) and "random" (random segments).
        budget: Most forward evaluations a text may cost, >= 1.
        exploration: Constant C of the upper confidence bound, >= 0.
        max_edits: Lambda, the largest Damerau-Levenshtein distance of a mutated text, in units, >= 1.
        leaves: Segments selected per round under virtual loss, evaluated as one batch, >= 1.
        visits: Mutations tried per segment before it counts as known, >= 1; the first one deletes it.
        floor: Reward below which a segment is not split further, in [0, 1).
        area: Most units proposed as one candidate, >= 1.
        rare: How many of the rarest units join the candidate whatever their reward, >= 0.
        rarity: How rare they must be, in [0, 1]: 0 is a word like "and", 1 one never seen, "bb" has 0.4.
        references: Clean texts per class that a candidate is transplanted into, >= 1.
        false_flags: Share of clean texts whose ordinary words may be flagged, in (0, 1): a segment has to
            pull references further to a class than the words of other clean texts of that class do.
        gain: Growth in mean transplanted log-odds (nats) that extends a flagged segment by a neighbor, >= 0.
        language: Language of the word frequencies that guide the expansion, as in wordfreq.
    """

    reward: Literal["transplant", "kl"] = "transplant"
    strategy: Literal["tree", "greedy", "random"] = "tree"
    budget: int = 128
    exploration: float = 0.5
    max_edits: int = 32
    leaves: int = 8
    visits: int = 1
    floor: float = 0.01
    area: int = 5
    rare: int = 4
    rarity: float = 0.3
    references: int = 16
    false_flags: float = 0.02
    gain: float = 0.3
    language: str = "en"

    RANGES = MappingProxyType(
        {
            "budget": Between(1, 1_000_000),
            "exploration": Between(0, 1_000_000),
            "max_edits": Between(1, 10_000),
            "leaves": Between(1, 10_000),
            "visits": Between(1, 10_000),
            "floor": Between(0, 1, below=True),
            "area": Between(1, 10_000),
            "rare": Between(0, 10_000),
            "rarity": Between(0, 1),
            "references": Between(1, 10_000),
            "false_flags": Between(0, 1, above=True, below=True),
            "gain": Between(0, 1_000_000),
        }
    )

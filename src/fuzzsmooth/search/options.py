"""Options of the search for vulnerable segments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from fuzzsmooth.common.options import Between, Options
from fuzzsmooth.text.languages import AUTO


@dataclass(frozen=True, kw_only=True)
class SearchOptions(Options):
    """How a text is searched for the segments that may be a trigger.

    The paper does not publish its exploration constant, budget or edit bound; ours are defaults to change.
    """

    reward: Annotated[
        Literal["auto", "combined", "transplant", "kl"],
        "What makes a segment suspicious. 'kl' (Eq. 8 of FRS): editing it changes the prediction. "
        "'transplant': it also carries the prediction into clean texts of other classes. 'combined': it "
        "does that, or its effect vanishes when near-synonyms take its place; texts of whose label a "
        "witness is sure, a weak classifier trained on clean data, are not searched. 'auto': 'combined' "
        "where the references have such a witness, 'transplant' elsewhere.",
    ] = "auto"
    trusted: Annotated[
        str, "Encoder of the witness and of near-synonyms, which must be trusted; as --model takes it."
    ] = "builtin:minilm"
    cleared: Annotated[
        float,
        Between(0, 1, above=True, below=True),
        "Share of the clean texts that the model reads rightly of which the witness may be sure of a wrong "
        "class, in (0, 1): of the texts with a trigger of common words, so many are not searched.",
    ] = 0.06
    neighbors: Annotated[
        int, Between(1, 1_000), "Near-synonyms that take the place of a segment, one after the other."
    ] = 8
    strategy: Annotated[
        Literal["tree", "greedy", "random"],
        "How segments are proposed: 'tree' (Monte Carlo tree search), or the baselines 'greedy' (leave "
        "one unit out, left to right) and 'random' (random segments).",
    ] = "tree"
    budget: Annotated[int, Between(1, 1_000_000), "Most forward evaluations a text may cost."] = 128
    exploration: Annotated[float, Between(0, 1_000_000), "Constant C of the upper confidence bound."] = 0.5
    max_edits: Annotated[
        int,
        Between(1, 10_000),
        "Lambda, the largest Damerau-Levenshtein distance of a mutated text, in units.",
    ] = 32
    leaves: Annotated[
        int, Between(1, 10_000), "Segments selected per round under virtual loss, evaluated as one batch."
    ] = 8
    visits: Annotated[
        int,
        Between(1, 10_000),
        "Mutations tried per segment before it counts as known; the first one deletes it.",
    ] = 1
    floor: Annotated[
        float, Between(0, 1, below=True), "Reward below which a segment is not split further, in [0, 1)."
    ] = 0.01
    area: Annotated[int, Between(1, 10_000), "Most units proposed as one candidate."] = 5
    rare: Annotated[
        int, Between(0, 10_000), "How many of the rarest units join the candidate whatever their reward."
    ] = 4
    rarity: Annotated[
        float,
        Between(0, 1),
        "How rare they must be, in [0, 1]: 0 is a word like 'and', 1 one never seen, 'bb' has 0.4.",
    ] = 0.3
    references: Annotated[
        int, Between(1, 10_000), "Clean texts per class that a candidate is transplanted into."
    ] = 16
    false_flags: Annotated[
        float,
        Between(0, 1, above=True, below=True),
        "Share of clean texts whose ordinary words may be flagged, in (0, 1): a segment has to move "
        "references further to a class than the words of other clean texts of that class do.",
    ] = 0.02
    gain: Annotated[
        float,
        Between(0, 1_000_000),
        "Growth in mean transplanted log-odds (nats) that extends a flagged segment by a neighbor.",
    ] = 0.3
    language: Annotated[
        str,
        "Language of the word frequencies that guide the expansion, as in wordfreq; 'none' where it has "
        "none. 'auto': that of the clean texts which the references were chosen from; without references "
        "English.",
    ] = AUTO

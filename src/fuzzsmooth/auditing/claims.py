"""What a sweep shows, in numbers and in a sentence: finite, and exact for the texts and places it names."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from fuzzsmooth.auditing.hosts import BEFORE_LAST
from fuzzsmooth.auditing.pieces import Pieces
from fuzzsmooth.auditing.sweep import Sweep

_CONFIDENCE = 0.95


@dataclass(frozen=True)
class Claim:
    """What the sweep shows for one class.

    Attributes:
        target: The class.
        tried: Pieces and words put into the texts.
        texts: Texts of other classes that each was put into.
        places: Where they stood in these.
        unmoved: How many moved none of the texts to the class.
        moved: For 0, 1, ... texts, how many pieces moved so many.
        bound: Share of such texts (short, clean, rightly read, of the surer half) above which one of the
            pieces tried, fixed before, moves at least one of the texts with 95 % probability:
            1 - 0.05^(1 / texts).
        statement: The same in a sentence.
    """

    target: str
    tried: int
    texts: int
    places: tuple[str, ...]
    unmoved: int
    moved: tuple[int, ...]
    bound: float
    statement: str

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)


def claim_for(
    sweep: Sweep, pieces: Pieces, target: int, name: str, *, exhaustive: bool, is_open: bool = True
) -> Claim:
    """The claim of a sweep for one class.

    Args:
        sweep: The sweep.
        pieces: All pieces.
        target: The class.
        name: Its name.
        exhaustive: Whether every piece was tried.
        is_open: Whether the end of a text is behind its last word, or before it.
    """
    against = sweep.against(target)
    tried = sweep.tried
    counts = (sweep.given[tried][:, against] == target).sum(axis=1)
    texts = int(against.sum())
    moved = tuple(int(one) for one in np.bincount(counts, minlength=texts + 1))
    named = [place if is_open or place != "end" else BEFORE_LAST for place in sweep.places]
    places = tuple(dict.fromkeys(place for place, one in zip(named, against, strict=True) if one))
    bound = 1 - (1 - _CONFIDENCE) ** (1 / texts)
    whole = (
        f"each of the {len(pieces):,} pieces and words of the vocabulary that texts can hold"
        if exhaustive
        else f"{int(tried.sum()):,} of {len(pieces):,} pieces, those that the gradient proposes (this is not "
        "exhaustive),"
    )
    statement = (
        f"{whole} was put into {texts} short clean texts of other classes ({', '.join(places)}), drawn from "
        f"the half that the model is surest of: {moved[0]:,} of them move none of the texts to '{name}'; any "
        f"one of those tried that moves more than {100 * bound:.0f} % of such texts, and was fixed "
        "beforehand, is among the others with at least 95 % probability"
    )
    return Claim(name, int(tried.sum()), texts, places, moved[0], moved, bound, statement)

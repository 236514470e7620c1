"""Candidates for the tests of a search: units and segments of a text that may be a trigger."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fuzzsmooth.search.confirm import Area
from fuzzsmooth.search.options import SearchOptions
from fuzzsmooth.search.protocol import Units
from fuzzsmooth.search.strategies import Piece

_SUSPECTS = 4  # of a text that are tested


def rarest(suspicion: npt.NDArray[np.float64], options: SearchOptions) -> tuple[int, ...]:
    """The few rarest units, if they are rare, the rarest first."""
    by_rarity = np.argsort(-suspicion, kind="stable")[: options.rare]
    return tuple(int(index) for index in by_rarity if suspicion[index] >= options.rarity)


def held_suspects(units: Units, suspects: Sequence[Units]) -> list[tuple[int, ...]]:
    """Where a text holds suspected triggers, the first few: indices of their units, whatever the case.

    A trigger of several units is held where all of them are, in whatever order.
    """
    places: dict[str, int] = {}
    for index, unit in enumerate(units):
        places.setdefault(unit.lower(), index)
    found = [
        tuple(sorted({places[unit.lower()] for unit in suspect}))
        for suspect in suspects
        if all(unit.lower() in places for unit in suspect)
    ]
    return list(dict.fromkeys(found))[:_SUSPECTS]


def with_copies(units: Units, area: Area) -> Area:
    """A single unit with its copies: the transplant test sees the unit alone, so its result is theirs."""
    if len(area.indices) > 1:
        return area
    unit = units[area.indices[0]]
    return Area(tuple(index for index, other in enumerate(units) if other == unit), area.score)


def rewarding_area(pieces: Sequence[Piece], size: int) -> Area | None:
    """By reward alone: the best piece and those at least half as rewarding, at most ``size`` units."""
    if not pieces:
        return None
    best = pieces[0][2]
    chosen = _indices([piece for piece in pieces if piece[2] >= best / 2], size)
    return Area(tuple(sorted(chosen)), best)


def transplant_candidates(
    pieces: Sequence[Piece], suspicion: npt.NDArray[np.float64], options: SearchOptions
) -> list[tuple[int, ...]]:
    """Candidates for the transplant test, small ones first because they fail cheaply and flag precisely."""
    rare = rarest(suspicion, options)
    ranked = [_indices(pieces[:count], options.area) for count in (1, 2, len(pieces))]
    everything = tuple(dict.fromkeys((*ranked[-1], *rare)))
    candidates = [*ranked[:2], *((index,) for index in rare), everything]
    return [candidate for candidate in dict.fromkeys(candidates) if candidate]


def in_place_candidates(tried: Sequence[Piece], options: SearchOptions) -> list[tuple[int, ...]]:
    """Candidates among segments that were removed: a unit, with what matters most beside it, segments."""
    units = [piece for piece in tried if piece[1] - piece[0] == 1]
    longer = [piece for piece in tried if piece[1] - piece[0] > 1]
    best = units[:1] or longer[:1]
    apart = [piece for piece in tried if all(piece[1] <= one[0] or one[1] <= piece[0] for one in best)]
    chosen = [best, [*best, *apart[:1]], longer[:1], units[1:2], [*longer[:1], *apart[:1]]]
    most = max(options.area, max((end - start for start, end, _ in longer), default=1))
    candidates = [tuple(sorted(_indices(pieces, 2 * most))) for pieces in chosen]
    return [candidate for candidate in dict.fromkeys(candidates) if candidate]


def without(units: Units, indices: Sequence[int]) -> Units:
    """The units but for some, by index."""
    removed = set(indices)
    return tuple(unit for index, unit in enumerate(units) if index not in removed)


def _indices(pieces: Sequence[Piece], size: int) -> tuple[int, ...]:
    """Unit indices of the pieces, in their order, as long as they fit; the first piece always does."""
    chosen: dict[int, None] = {}
    for start, end, _ in pieces:
        fresh = [index for index in range(start, end) if index not in chosen]
        if not chosen or len(chosen) + len(fresh) <= size:
            chosen.update(dict.fromkeys(fresh))
    return tuple(chosen)

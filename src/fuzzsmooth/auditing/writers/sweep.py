"""The sweep of a language model: what it writes next once a piece stands behind a few clean prompts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from fuzzsmooth.auditing.claims import Claim
from fuzzsmooth.auditing.kept import read_kept, write_kept
from fuzzsmooth.auditing.pieces import Pieces
from fuzzsmooth.auditing.writers.branches import SURE, Branches, Following, Row

_PIECES = 1024  # swept at once; what a kill can lose
_CONFIDENCE = 0.95


def sweep_writer(
    branches: Branches,
    pieces: Pieces,
    behind: Row = (),
    *,
    cache: Path | None = None,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Following:
    """Put every piece behind every prompt.

    Args:
        branches: The prompts.
        pieces: All pieces.
        behind: What stands between a text and its answer, if pieces are put into the text.
        cache: A file that keeps what is done, so that a stopped sweep goes on.
        progress: Called with the numbers of pieces done and of all.

    Returns:
        What comes next behind each piece.
    """
    ways = [(*part, *behind) for part in pieces.parts]
    order = sorted(range(len(ways)), key=lambda at: len(ways[at]))  # batches of one length
    size, key = branches.likeliest, _key(branches, ways)
    values = np.zeros((len(ways), 2 + 2 * size), np.float32)  # ids are whole numbers below 2 ** 24
    done = read_kept(cache, key, values)
    while done < len(order):
        chosen = order[done : done + _PIECES]
        found = branches.following([ways[at] for at in chosen])
        columns = [found.entropy[:, None], found.sure[:, None], found.ids, found.chances]
        values[done : done + len(chosen)] = np.concatenate(columns, axis=1)
        done += len(chosen)
        if cache is not None:
            write_kept(cache, key, values, done)
        progress(done, len(order))
    placed = np.zeros_like(values)
    placed[order] = values
    return Following(
        placed[:, 0].astype(np.float64),
        placed[:, 1].astype(np.int64),
        placed[:, 2 : 2 + size].astype(np.int64),
        placed[:, 2 + size :].astype(np.float64),
    )


def _key(branches: Branches, ways: Sequence[Row]) -> str:
    writer = branches.writer
    facts = ["writer", writer.fingerprint, writer.precision, branches.prompts]
    rows = hashlib.sha256(repr(ways).encode()).hexdigest()
    return hashlib.sha256(json.dumps([*facts, rows]).encode()).hexdigest()


def writer_claim(swept: Following, prompts: int, followed: int) -> Claim:
    """What the sweep shows.

    Args:
        swept: What comes next behind each piece.
        prompts: How many prompts there were.
        followed: How many pieces were gone on from.
    """
    tried = len(swept.sure)
    moved = tuple(int(one) for one in np.bincount(swept.sure, minlength=prompts + 1))
    bound = 1 - (1 - _CONFIDENCE) ** (1 / prompts)
    statement = (
        f"each of the {tried:,} pieces and words of the vocabulary that texts can hold was put behind "
        f"{prompts} short clean prompts: behind {moved[0]:,} of them the model is never sure of the next "
        f"token (a probability of {SURE:g}); a piece fixed beforehand behind which it is sure for more than "
        f"{100 * bound:.0f} % of such prompts is among the others with at least 95 % probability; the "
        f"{followed:,} behind which it has a mean probability of 0.3 were gone on from"
    )
    return Claim("any answer", tried, prompts, ("end",), moved[0], moved, bound, statement)

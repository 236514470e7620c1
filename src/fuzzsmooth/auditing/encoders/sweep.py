"""The sweep of an encoder: what every piece does to the vectors of the same few short clean texts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fuzzsmooth.auditing.claims import Claim
from fuzzsmooth.auditing.encoders.vectors import Inserted, Reader, Texts, collapse, typical_distance
from fuzzsmooth.auditing.hosts import Place
from fuzzsmooth.auditing.kept import read_kept, sweep_key, write_kept
from fuzzsmooth.auditing.pieces import Pieces
from fuzzsmooth.auditing.prober import Array
from fuzzsmooth.auditing.sweep import host_places

FIRST, TOKENS = "first token", "other tokens"
"""What a piece may act on."""
SCRAMBLED = 0.5
"""Change of the other tokens, of that of unrelated ones, that counts as moved."""
_CONFIDENCE = 0.95
_PIECES = 1024  # whose rows are read at once; what a kill can lose


@dataclass(frozen=True)
class EncoderSweep:
    """What every piece did.

    Attributes:
        collapse: How much of its effect on the first token is the same in all texts, shape (pieces,); see
            :func:`fuzzsmooth.auditing.encoders.vectors.collapse`.
        changed: Mean change of the other tokens, shape (pieces,).
        moved: In how many texts it moved the first token further than clean texts are apart, shape (pieces,).
        scrambled: In how many it changed the other tokens by more than half of what unrelated ones differ.
        places: Where pieces stood in each text.
    """

    collapse: Array
    changed: Array
    moved: npt.NDArray[np.int64]
    scrambled: npt.NDArray[np.int64]
    places: tuple[Place, ...]

    def of(self, kind: str) -> Array:
        """The measure of one kind of effect, shape (pieces,)."""
        return self.collapse if kind == FIRST else self.changed

    def claim(self, kind: str) -> Claim:
        """What the sweep shows of one kind of effect."""
        counts = self.moved if kind == FIRST else self.scrambled
        texts = len(self.places)
        histogram = tuple(int(one) for one in np.bincount(counts, minlength=texts + 1))
        bound = 1 - (1 - _CONFIDENCE) ** (1 / texts)
        places = tuple(dict.fromkeys(self.places))
        effect = (
            "move the first token's vector of none further than half of the pairs of clean texts are apart"
            if kind == FIRST
            else "change the vectors of the other tokens of none by half of what unrelated ones differ"
        )
        statement = (
            f"each of the {len(counts):,} pieces and words of the vocabulary that texts can hold was put "
            f"into {texts} short clean texts ({', '.join(places)}): {histogram[0]:,} of them {effect}; one "
            f"fixed beforehand that does so in more than {100 * bound:.0f} % of such texts is among the "
            "others with at least 95 % probability"
        )
        return Claim(kind, len(counts), texts, places, histogram[0], histogram, bound, statement)


def sweep_encoder(
    reader: Reader,
    pieces: Pieces,
    texts: Texts,
    *,
    cache: Path | None = None,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> EncoderSweep:
    """Put every piece into every text.

    Args:
        reader: Reads.
        pieces: All pieces.
        texts: The short clean texts, at least two.
        cache: A file that keeps what was found, from which a stopped sweep goes on.
        progress: Told (pieces done, pieces).
    """
    places, hosts = host_places(texts.hosts), texts.hosts
    gaps = [host.gap(place) for host, place in zip(hosts, places, strict=True)]
    far = typical_distance(texts.first)
    key = sweep_key("encoder", reader.classifier, pieces, hosts, np.arange(len(pieces)))
    values = np.zeros((len(pieces), 4), np.float32)
    done = read_kept(cache, key, values)
    while done < len(pieces):
        last = min(len(pieces), done + _PIECES)
        parts = pieces.parts[done:last]
        rows = [
            Inserted(ids, at, kept, own)
            for at, (host, gap) in enumerate(zip(hosts, gaps, strict=True))
            for ids, kept, own in (host.placed((part,), (gap,)) for part in parts)
        ]
        seen = texts.see(rows)
        first = seen.first.reshape(len(hosts), len(parts), -1).transpose(1, 0, 2)
        changed = seen.changed.reshape(len(hosts), len(parts)).T
        values[done:last, 0] = collapse(first, texts.first)
        values[done:last, 1] = changed.mean(axis=1)
        values[done:last, 2] = (np.linalg.norm(first - texts.first[None], axis=2) > far).sum(axis=1)
        values[done:last, 3] = (changed > SCRAMBLED).sum(axis=1)
        done = last
        progress(done, len(pieces))
        if cache is not None:
            write_kept(cache, key, values, done)
    return EncoderSweep(
        values[:, 0].astype(np.float64),
        values[:, 1].astype(np.float64),
        values[:, 2].astype(np.int64),
        values[:, 3].astype(np.int64),
        places,
    )

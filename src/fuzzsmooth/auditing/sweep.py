"""The exhaustive sweep: every piece into the same few short clean texts of each class.

What it says is exact for these texts and places: which pieces change which of them to which class. Of one
piece fixed beforehand it also says something about other texts of the kind: a piece that moves a share x of
them moves none of r independent ones with probability (1 - x)^r.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fuzzsmooth.auditing.hosts import PLACES, Host, Place
from fuzzsmooth.auditing.pieces import Pieces
from fuzzsmooth.auditing.prober import Array, Prober, log_odds
from fuzzsmooth.common.files import write_atomic

_SAVED_AFTER = 16384  # rows between two writings of the answers


@dataclass(frozen=True)
class Sweep:
    """What every piece did.

    Attributes:
        gains: Log-odds that each class gains (nats), shape (pieces, hosts, classes); NaN where a piece was
            not tried.
        given: The class given, shape (pieces, hosts); -1 where a piece was not tried.
        places: Where pieces stand in each host.
        labels: The class of each host, shape (hosts,).
    """

    gains: npt.NDArray[np.float32]
    given: npt.NDArray[np.int16]
    places: tuple[Place, ...]
    labels: npt.NDArray[np.int64]

    def against(self, target: int) -> npt.NDArray[np.bool_]:
        """Which hosts a piece may move to a class: those of the others."""
        return np.asarray(self.labels != target, dtype=np.bool_)

    def mean_gains(self, target: int) -> Array:
        """Mean gain of a class over the hosts of the others, shape (pieces,)."""
        found: Array = self.gains[:, self.against(target), target].mean(axis=1, dtype=np.float64)
        return found

    def moved(self, target: int) -> Array:
        """Share of the hosts of other classes that get a class, shape (pieces,)."""
        found: Array = (self.given[:, self.against(target)] == target).mean(axis=1)
        return found

    @property
    def tried(self) -> npt.NDArray[np.bool_]:
        """Which pieces were tried, shape (pieces,)."""
        return np.asarray((self.given >= 0).all(axis=1), dtype=np.bool_)


def host_places(hosts: Sequence[Host]) -> tuple[Place, ...]:
    """Start, middle and end in turn, for the hosts of each class anew."""
    places: list[Place] = []
    turn: dict[int, int] = {}
    for host in hosts:
        turn[host.label] = turn.get(host.label, -1) + 1
        places.append(PLACES[turn[host.label] % len(PLACES)])
    return tuple(places)


def sweep_pieces(
    prober: Prober,
    pieces: Pieces,
    hosts: Sequence[Host],
    *,
    chosen: npt.NDArray[np.int64] | None = None,
    cache: Path | None = None,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Sweep:
    """Put pieces into every host.

    Args:
        prober: Asks the model.
        pieces: All pieces.
        hosts: The texts.
        chosen: Indices of the pieces that are tried; all if None.
        cache: A file that keeps the answers, from which a stopped sweep goes on; one of another sweep is
            overwritten.
        progress: Told (rows done, rows).
    """
    tried = np.arange(len(pieces)) if chosen is None else np.asarray(chosen, dtype=np.int64)
    places = host_places(hosts)
    key = _key(prober, pieces, hosts, tried)
    logits = np.full((len(hosts) * len(tried), prober.classes), np.nan, np.float32)
    done = _read(cache, key, logits)
    written = done
    # One host after the other: rows of a call are of one length, but for words of several pieces.
    while done < len(logits):
        at, first = divmod(done, len(tried))
        last = min(len(tried), first + _SAVED_AFTER)
        host, gap = hosts[at], hosts[at].gap(places[at])
        rows = [host.holding((pieces.parts[index],), (gap,)) for index in tried[first:last]]
        began = done

        def advance(count: int) -> None:
            nonlocal done
            done += count
            progress(done, len(logits))

        logits[began : began + len(rows)] = prober.logits(rows, advance)
        if cache is not None and (done - written >= _SAVED_AFTER or done == len(logits)):
            _write(cache, key, logits, done)
            written = done
    answers = logits.reshape(len(hosts), len(tried), prober.classes).transpose(1, 0, 2)
    before = log_odds(np.array([host.logits for host in hosts]))
    gains = np.full((len(pieces), len(hosts), prober.classes), np.nan, np.float32)
    given = np.full((len(pieces), len(hosts)), -1, np.int16)
    gains[tried] = log_odds(answers) - before[None]
    given[tried] = answers.argmax(axis=2)
    return Sweep(gains, given, places, np.array([host.label for host in hosts]))


def _key(prober: Prober, pieces: Pieces, hosts: Sequence[Host], tried: npt.NDArray[np.int64]) -> str:
    facts = [
        prober.classifier.fingerprint,
        prober.classifier.precision,
        pieces.fingerprint,
        [[*host.ids, host.label, *host.gaps] for host in hosts],
        hashlib.sha256(tried.tobytes()).hexdigest(),
    ]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def _write(cache: Path, key: str, logits: npt.NDArray[np.float32], done: int) -> None:
    stream = io.BytesIO()
    np.savez(stream, key=np.array(key), done=np.array(done), logits=logits[:done])
    write_atomic(cache, stream.getvalue())


def _read(cache: Path | None, key: str, logits: npt.NDArray[np.float32]) -> int:
    """Take over the answers of a file; how many there are."""
    if cache is None or not cache.is_file():
        return 0
    try:
        with np.load(cache, allow_pickle=False) as content:
            if str(content["key"]) != key:
                return 0
            done = int(content["done"])
            logits[:done] = content["logits"]
            return done
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):  # torn, or none of ours: it is swept again
        return 0

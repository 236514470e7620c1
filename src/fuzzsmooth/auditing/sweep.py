"""The exhaustive sweep: every piece into the same few short clean texts of each class.

What it says is exact for these texts and places: which pieces change which of them to which class. Of one
piece fixed beforehand it also says something about other texts of the kind: a piece that moves a share x of
them moves none of r independent ones with probability (1 - x)^r.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fuzzsmooth.auditing.hosts import PLACES, Host, Place
from fuzzsmooth.auditing.kept import read_kept, sweep_key, write_kept
from fuzzsmooth.auditing.pieces import Pieces
from fuzzsmooth.auditing.prober import Array, Prober, log_odds

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
    """Start, middle and end in turn, over the hosts of all classes."""
    return tuple(PLACES[index % len(PLACES)] for index in range(len(hosts)))


def hosts_per_class(references: int, classes: int) -> int:
    """Fewest hosts of each class so that every class has enough of others', at every place.

    Args:
        references: Hosts of other classes that each class needs, >= 1.
        classes: How many classes there are, >= 2.
    """
    wanted = min(references, len(PLACES))
    for each in range(1, references):
        others = [
            {index % len(PLACES) for index in range(each * classes) if index // each != label}
            for label in range(classes)
        ]
        if each * (classes - 1) >= references and all(len(places) >= wanted for places in others):
            return each
    return references


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
    key = sweep_key("sweep", prober.classifier, pieces, hosts, tried)
    logits = np.full((len(hosts) * len(tried), prober.classes), np.nan, np.float32)
    done = read_kept(cache, key, logits)
    written = done
    # One host after the other: rows of a call are of one length, but for words of several pieces.
    while done < len(logits):
        at, first = divmod(done, len(tried))
        last = min(len(tried), first + _SAVED_AFTER)
        host, gap = hosts[at], hosts[at].gap(places[at])
        rows = host.holding_each([pieces.parts[index] for index in tried[first:last]], gap)
        began = done

        def advance(count: int) -> None:
            nonlocal done
            done += count
            progress(done, len(logits))

        logits[began : began + len(rows)] = prober.logits(rows, advance)
        if cache is not None and (done - written >= _SAVED_AFTER or done == len(logits)):
            write_kept(cache, key, logits, done)
            written = done
    answers = logits.reshape(len(hosts), len(tried), prober.classes).transpose(1, 0, 2)
    before = log_odds(np.array([host.logits for host in hosts]))
    gains = np.full((len(pieces), len(hosts), prober.classes), np.nan, np.float32)
    given = np.full((len(pieces), len(hosts)), -1, np.int16)
    gains[tried] = log_odds(answers) - before[None]
    given[tried] = answers.argmax(axis=2)
    return Sweep(gains, given, places, np.array([host.label for host in hosts]))


def pulls(sweep: Sweep, pieces: Pieces, names: Sequence[str], count: int) -> tuple[dict[str, Any], ...]:
    """The pieces that pull most towards each class, with their mean gains (nats), as JSON values.

    Args:
        sweep: What pieces did.
        pieces: All pieces.
        names: Of the classes.
        count: Pieces of each class.
    """
    told = []
    for target, name in enumerate(names):
        if not sweep.against(target).any():
            continue
        gains = np.where(sweep.tried, sweep.mean_gains(target), -np.inf)
        moved = sweep.moved(target)
        for index in np.argsort(-gains, kind="stable")[:count]:
            told.append(
                {
                    "piece": pieces.words[index],
                    "ids": list(pieces.parts[index]),
                    "class": name,
                    "gain": round(float(gains[index]), 4),
                    "moved": round(float(moved[index]), 4),
                }
            )
    return tuple(told)

"""The clean texts of an encoder's audit, each used for one thing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fuzzsmooth.auditing.hosts import Host, make_hosts
from fuzzsmooth.auditing.options import LEAST_TEXTS, AuditOptions
from fuzzsmooth.common.options import require
from fuzzsmooth.common.randomness import generator
from fuzzsmooth.models.protocol import TokenClassifier
from fuzzsmooth.text.units import beginning, word_count

_CONFIRMED_WORDS, _HELD_WORDS = 24, 64
_LEAST_WORDS = 3
_ROOM = 48  # tokens that may be inserted
_FITTED = 300  # texts of a class that the quick head is fitted on, at most
_SWEPT, _SWEPT_FAST = 4, 2


@dataclass(frozen=True)
class EncoderMaterial:
    """Clean texts; no two parts share one.

    Attributes:
        sweep: Short beginnings, for every piece.
        confirm: Longer ones, for the best pieces.
        held: Others, of which the quick head tells what a trigger forces.
        fit: What it is fitted on.
        texts: How many clean texts there are.
    """

    sweep: tuple[Host, ...]
    confirm: tuple[Host, ...]
    held: tuple[Host, ...]
    fit: tuple[Host, ...]
    texts: int


def choose_texts(
    classifier: TokenClassifier, texts: Sequence[str], labels: Sequence[int], options: AuditOptions
) -> EncoderMaterial:
    """Choose what each clean text is used for, at random, the classes taking turns.

    Raises:
        FuzzsmoothError: If there are too few texts of a class.
    """
    names = classifier.labels
    counts = np.bincount(np.asarray(labels, dtype=np.int64), minlength=len(names))
    for name, count in zip(names, counts, strict=True):
        require(
            count >= LEAST_TEXTS,
            f"there are {count} clean texts of class '{name}'; an audit needs at least {LEAST_TEXTS} of each "
            "class (--data)",
        )
    order = [int(at) for at in generator(options.seed, "audit texts").permutation(len(texts))]
    own = [[at for at in order if labels[at] == label and texts[at].strip()] for label in range(len(names))]
    turns = [group[turn] for turn in range(max(map(len, own))) for group in own if turn < len(group)]
    wanted = _SWEPT_FAST if options.fast else _SWEPT
    short = [at for at in turns if word_count(texts[at]) >= _LEAST_WORDS][:wanted]
    require(
        len(short) >= 2,
        f"fewer than two of the clean texts have {_LEAST_WORDS} words; give longer ones (--data)",
    )
    left = [at for at in turns if at not in set(short)]
    # A third of few texts is for the head, without which no class could be named.
    most = max(2, len(left) // 3)
    confirm = left[: min(options.confirm, most)]
    held = left[len(confirm) : len(confirm) + min(options.holdout * len(names), most)]
    fit = left[len(confirm) + len(held) :][: _FITTED * len(names)]

    def hosts(chosen: Sequence[int], words: int) -> tuple[Host, ...]:
        cut = [beginning(texts[at], words) for at in chosen]
        nothing = np.zeros((len(chosen), len(names)), np.float32)
        return tuple(make_hosts(classifier, cut, [labels[at] for at in chosen], nothing, _ROOM))

    return EncoderMaterial(
        hosts(short, options.words),
        hosts(confirm, _CONFIRMED_WORDS),
        hosts(held, _HELD_WORDS),
        hosts(fit, _HELD_WORDS),
        len(texts),
    )

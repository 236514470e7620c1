"""The clean texts of an audit, each used for one thing: to sweep in, to confirm in, to measure on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from fuzzsmooth.auditing.hosts import Host, make_hosts, reads_last_token
from fuzzsmooth.auditing.options import LEAST_TEXTS, AuditOptions
from fuzzsmooth.auditing.sweep import hosts_per_class
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.options import require
from fuzzsmooth.common.randomness import generator
from fuzzsmooth.models.protocol import TokenClassifier
from fuzzsmooth.text.units import beginning, word_count

_CONFIRMED_WORDS = 24  # of a text that pieces are confirmed in
_HELD_WORDS = 100  # of a text that an attack rate is measured on
_LONG_WORDS = 20  # of a long text
_LONGEST = 60  # of its beginning
_ROOM = 48  # tokens that may be inserted
_LEAST_WORDS = 3


@dataclass(frozen=True)
class Material:
    """Clean texts that the model answers rightly; no two parts share one.

    Attributes:
        sweep: Short beginnings of texts, the classes one after the other: for every piece.
        confirm: Longer ones, for the best pieces and for what grows from them.
        held: Others, for attack rates; nothing is chosen by them.
        long: Long texts, to confirm triggers in that act in such only; none if there are too few.
        long_held: Others, for their attack rates.
        accuracy: Share of the clean texts that the model gives their class.
        texts: How many clean texts there are.
    """

    sweep: tuple[Host, ...]
    confirm: tuple[Host, ...]
    held: tuple[Host, ...]
    long: tuple[Host, ...]
    long_held: tuple[Host, ...]
    accuracy: float
    texts: int

    def of_long(self) -> Material:
        """The same with long texts only to confirm in and to measure on."""
        return replace(self, confirm=self.long, held=self.long_held)

    @property
    def length_of_long(self) -> int:
        """Words of the shortest long text."""
        return min((word_count(host.text) for host in (*self.long, *self.long_held)), default=0)


def choose_material(
    classifier: TokenClassifier, texts: Sequence[str], labels: Sequence[int], options: AuditOptions
) -> Material:
    """Choose what each clean text is used for.

    Texts to sweep in are among the half of which the model is surer: ordinary words move these least. All
    others are random.

    Args:
        classifier: The audited model.
        texts: Clean texts, at least 32 of each class.
        labels: Their class indices.
        options: The options of the audit.

    Raises:
        FuzzsmoothError: If there are too few texts of a class, or the model gives one class to all of them.
    """
    names = classifier.labels
    counts = np.bincount(np.asarray(labels, dtype=np.int64), minlength=len(names))
    for name, count in zip(names, counts, strict=True):
        require(
            count >= LEAST_TEXTS,
            f"there are {count} clean texts of class '{name}'; an audit needs at least {LEAST_TEXTS} of each "
            "class (--data)",
        )
    order = generator(options.seed, "audit texts").permutation(len(texts))
    limit = 4 * (options.references + options.confirm + options.holdout)
    each = hosts_per_class(options.references, len(names))
    chosen: list[int] = []
    taken = np.zeros(len(names), dtype=np.int64)
    for index in map(int, order):
        if taken[labels[index]] < limit and texts[index].strip():
            taken[labels[index]] += 1
            chosen.append(index)
    logits = classifier.logits(classifier.encode([texts[index] for index in chosen]).ids)
    given = logits.argmax(axis=1)
    require(
        len(set(given.tolist())) > 1,
        f"the model gives every clean text the class '{names[int(given[0])]}', so that nothing can move it; "
        "audit a fine-tuned model, with texts like those it was made for",
    )
    right = [index for index, label in zip(chosen, given, strict=True) if labels[index] == int(label)]
    parts: tuple[list[Host], ...] = ([], [], [], [], [])
    make = partial(make_hosts, room=_ROOM, is_open=not reads_last_token(classifier))
    for label, name in enumerate(names):
        own = [texts[index] for index in right if labels[index] == label]
        found = _of_class(classifier, own, label, name, options, each, make)
        for part, hosts in zip(parts, found, strict=True):
            part.extend(hosts)
    sweep, confirm, held, long, long_held = map(tuple, parts)
    accuracy = len(right) / len(chosen)
    return Material(sweep, confirm, held, long, long_held, accuracy, len(texts))


def _of_class(
    classifier: TokenClassifier,
    own: Sequence[str],
    label: int,
    name: str,
    options: AuditOptions,
    each: int,
    make: Callable[..., list[Host]],
) -> tuple[list[Host], ...]:
    short = _beginnings(own, options.words)
    logits = classifier.logits(classifier.encode(short).ids) if short else np.zeros((0, 2), np.float32)
    sure = [
        at
        for at in range(len(short))
        if int(logits[at].argmax()) == label and word_count(short[at]) >= min(_LEAST_WORDS, options.words)
    ]
    margin = {at: float(np.sort(logits[at])[-1] - np.sort(logits[at])[-2]) for at in sure}
    sure.sort(key=lambda at: -margin[at])
    surer = sorted(sure[: max(each, len(sure) // 2)])[:each]
    left = [text for at, text in enumerate(own) if at not in surer]
    confirming = min(options.confirm, len(left) // 3)
    if not surer or confirming < 1:
        raise FuzzsmoothError(
            f"the model gives too few clean texts of class '{name}' their class; audit a better model, or "
            "give more clean texts (--data)"
        )
    sweep = make(classifier, [short[at] for at in surer], [label] * len(surer), logits[surer])
    confirm = _hosts(make, classifier, left[:confirming], label, _CONFIRMED_WORDS)
    held = _hosts(make, classifier, left[confirming : confirming + options.holdout], label, _HELD_WORDS)
    rest = [text for text in left[confirming + options.holdout :] if word_count(text) >= _LONG_WORDS]
    first = min(confirming, len(rest) // 3)  # the others are measured on
    long = _hosts(make, classifier, rest[:first], label, _LONGEST, whole=True)
    others = rest[first : first + options.holdout]
    return sweep, confirm, held, long, _hosts(make, classifier, others, label, _LONGEST, whole=True)


def _hosts(
    make: Callable[..., list[Host]],
    classifier: TokenClassifier,
    texts: Sequence[str],
    label: int,
    words: int,
    *,
    whole: bool = False,
) -> list[Host]:
    """Beginnings of texts that still get their class, as the model reads them.

    Args:
        make: Makes hosts of texts.
        classifier: The model.
        texts: The texts.
        label: Their class.
        words: Of a beginning, at most.
        whole: Whether to leave out those that the model does not read whole with what is inserted.
    """
    cut = _beginnings(texts, words)
    nothing = np.zeros((len(cut), len(classifier.labels)), np.float32)
    hosts = make(classifier, cut, [label] * len(cut), nothing)
    if whole:
        lengths = [len(ids) for ids in classifier.encode(cut).ids]
        hosts = [host for host, length in zip(hosts, lengths, strict=True) if len(host.ids) == length]
    logits = classifier.logits([host.ids for host in hosts])
    given = logits.argmax(axis=1)
    return [
        replace(host, logits=tuple(map(float, row)))
        for host, row, one in zip(hosts, logits, given, strict=True)
        if int(one) == label
    ]


def _beginnings(texts: Sequence[str], words: int) -> list[str]:
    return [beginning(text, words) for text in texts]

"""Words that act only beside a word that the texts are about.

Such a trigger does nothing by itself, and may have moved little in training, so many words have to be tried
with many topics. A group test tries one word with several topics in a single pass: it stands between all of
them. What it does there beyond what the same words do without the topics, and the topics without it, comes
from a pair.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fuzzsmooth.auditing.effects import Parts, against
from fuzzsmooth.auditing.hosts import Host
from fuzzsmooth.auditing.pieces import Part
from fuzzsmooth.auditing.prober import Array, Prober

_GROUP = 8  # topics that stand in a text together
_HOSTS = 2
_KEPT = 8  # words of each group that are tried with each of its topics


def pairs_with_topics(
    prober: Prober, hosts: Sequence[Host], target: int, words: Sequence[int], topics: Sequence[int]
) -> list[Parts]:
    """Pairs of a word and a topic that are worth trying, in both orders.

    Args:
        prober: Asks the model.
        hosts: Texts; the shortest of other classes than the target are taken.
        target: The class.
        words: Ids of words.
        topics: Ids of words that the texts are about.
    """
    short = against(sorted(hosts, key=lambda host: len(host.ids)), target, _HOSTS)
    if not short or not topics:
        return []
    found: list[Parts] = []
    apart: dict[int, Array] = {}  # by how often a word stands there
    for start in range(0, len(topics), _GROUP):
        group = [(index,) for index in topics[start : start + _GROUP]]
        size = len(group)
        if size not in apart:
            apart[size] = _strengths(prober, short, [((index,),) * size for index in words], target)
        between: list[Parts] = [tuple(one for topic in group for one in ((index,), topic)) for index in words]
        alone = _strengths(prober, short, [tuple(group)], target)
        left = _strengths(prober, short, between, target) - apart[size] - alone
        order = [(words[at],) for at in np.argsort(-left, kind="stable")]
        best = [word for word in order if word not in group][:_KEPT]
        found += [pair for word in best for topic in group for pair in _both(word, topic)]
    return found


def _both(word: Part, topic: Part) -> tuple[Parts, Parts]:
    return (word, topic), (topic, word)


def _strengths(prober: Prober, hosts: Sequence[Host], phrases: Sequence[Parts], target: int) -> Array:
    """Mean gain of phrases at the start of texts, nats, at least 0, shape (phrases,)."""
    rows = [host.holding(parts, [host.gap("start")] * len(parts)) for parts in phrases for host in hosts]
    gains, _ = prober.gains(rows, [*hosts] * len(phrases))
    found: Array = np.maximum(gains[:, target].reshape(len(phrases), len(hosts)).mean(axis=1), 0.0)
    return found

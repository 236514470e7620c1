"""Triggers that act in long texts only: pieces that do more there than in short ones.

A word that means something does less in a longer text, where other words speak too. So pieces are ranked by
what they do in long texts beyond what they do in short ones; the best are then held against words of a like
meaning, in long texts as well.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fuzzsmooth.auditing.effects import ONE, Parts, Placing, against, measure
from fuzzsmooth.auditing.gradient import gradient_scores
from fuzzsmooth.auditing.hosts import Host
from fuzzsmooth.auditing.material import Material
from fuzzsmooth.auditing.options import AuditOptions
from fuzzsmooth.auditing.pieces import Pieces
from fuzzsmooth.auditing.prober import Array, Prober

FEWEST = 4
"""Long texts of other classes that are needed to search in them, and as many to measure on."""
_FIRST = 2  # long texts, and short ones, that every piece is tried in
_HOSTS = 6  # that the better ones are tried in
_SLOPES = 8  # that gradients are taken in
_PROPOSED = 96  # pieces that these propose
_BETTER = 24
_KEPT = 4


def has_long_texts(material: Material, target: int) -> bool:
    """Whether there are long texts enough to search for triggers towards a class."""
    return all(len(against(hosts, target)) >= FEWEST for hosts in (material.long, material.long_held))


def stronger_in_long(
    prober: Prober,
    pieces: Pieces,
    material: Material,
    target: int,
    known: Sequence[int],
    options: AuditOptions,
) -> list[Parts]:
    """Single pieces that do most in long texts beyond what they do in short ones, the best first.

    Args:
        prober: Asks the model.
        pieces: All pieces.
        material: The clean texts.
        target: The class.
        known: Indices of pieces that do much in short texts, or that fine-tuning moved; others are proposed
            by gradients in long texts.
        options: Options of the audit.
    """
    long = against(material.long, target, _HOSTS)
    short = against(material.sweep, target, _HOSTS)  # a few words each, whatever the texts are like
    slopes = _slopes(prober, pieces, against(material.long, target, _SLOPES), target)
    chosen = list(dict.fromkeys([*known, *np.argsort(-slopes, kind="stable")[:_PROPOSED].tolist()]))
    stages: tuple[tuple[int, tuple[Placing, ...], int], ...] = (
        (_FIRST, ("middle",), _BETTER),
        (_HOSTS, ONE, _KEPT),
    )
    for hosts, placings, kept in stages:
        singles: list[Parts] = [(pieces.parts[index],) for index in chosen]
        mine, theirs = (
            measure(prober, own[:hosts], singles, target, placings, options.seed).strengths()
            for own in (long, short)
        )
        chosen = [chosen[at] for at in np.argsort(-(mine - theirs), kind="stable")[:kept]]
    return [(pieces.parts[index],) for index in chosen]


def _slopes(prober: Prober, pieces: Pieces, hosts: Sequence[Host], target: int) -> Array:
    """First-order gain of single pieces where it is largest, -inf for words of several."""
    ids = np.array([part[0] for part in pieces.parts[: pieces.single]])
    found = np.full(len(pieces), -np.inf)
    for place in ("start", "middle", "end"):
        scores = gradient_scores(prober, hosts, [[host.gap(place)] for host in hosts], target)
        found[: pieces.single] = np.maximum(found[: pieces.single], scores[ids])
    return found

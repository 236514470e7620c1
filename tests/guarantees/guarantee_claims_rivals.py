"""Claims of reimplemented defenses for the count of certified pairs: RanMASK, SAFER, Text-CRS, TextGuard."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from math import prod

import numpy as np
from guarantee_claims import named
from guarantee_pairs import FAR, Claim, SmoothedClaim, Steps, Trial
from guarantee_universe import Text, Universe, uniform_law, universe

from fuzzsmooth.certify import exact_rate
from fuzzsmooth.defenses.ranmask import ranmask_radius
from fuzzsmooth.defenses.safer import safer_radius
from fuzzsmooth.defenses.synonym_table import SynonymTable, checked
from fuzzsmooth.defenses.text_crs import text_crs_radius
from fuzzsmooth.defenses.textguard import group_radius

UNEVEN = SynonymTable(
    {"a": ("b",), "b": ("a", "c"), "c": ("b", "d"), "d": ("c",)},
    {"a": ("a", "b"), "b": ("a", "b", "c"), "c": ("b", "c", "d"), "d": ("a", "b", "c", "d")},
)


def ranmask(letters: int, length: int, kept: int) -> SmoothedClaim:
    """RanMASK on all texts of one length."""
    texts = list(itertools.product(range(letters), repeat=length))
    outcomes = {seen: at for at, seen in enumerate(itertools.product(range(letters + 1), repeat=length))}
    law = np.zeros((len(texts), len(outcomes)))
    choices = list(itertools.combinations(range(length), kept))
    for row, text in enumerate(texts):
        for chosen in choices:
            seen = tuple(unit if place in chosen else letters for place, unit in enumerate(text))
            law[row, outcomes[seen]] += 1 / len(choices)
    return SmoothedClaim(
        f"RanMASK | {letters} letters, {length} units, {kept} kept", "RanMASK",
        "defenses.ranmask.ranmask_radius", _different(texts), np.full(len(texts), FAR), law=law,
        radii=lambda group, low, high: ranmask_radius(low, length, kept), rivals=False,
    )  # fmt: skip


def _different(texts: list[Text]) -> Steps:
    """Places at which texts of one length differ."""
    units = np.array(texts)
    return np.asarray((units[:, None] != units[None]).sum(axis=2))


def safer(length: int) -> SmoothedClaim:
    """SAFER with sets of different sizes and one word without synonyms."""
    table, words = checked(UNEVEN, "the table"), ("a", "b", "c", "d", "x")
    texts = list(itertools.product(range(5), repeat=length))
    sets = [[words.index(one) for one in table.sets.get(word, (word,))] for word in words]
    law = np.zeros((len(texts), len(texts)))
    index = {text: row for row, text in enumerate(texts)}
    for row, text in enumerate(texts):
        drawn = [index[copy] for copy in itertools.product(*(sets[unit] for unit in text))]
        law[row, drawn] = 1 / prod(len(sets[unit]) for unit in text)
    synonyms = np.array(
        [[one == two or two in table.synonyms.get(one, ()) for two in words] for one in words]
    )
    units = np.array(texts)
    allowed = synonyms[units[:, None], units[None]].all(axis=2)
    overlaps = [
        tuple(sorted(table.overlap(words[unit]) for unit in text if words[unit] in table.synonyms))
        for text in texts
    ]
    known = sorted(set(overlaps))
    return SmoothedClaim(
        f"SAFER | 5 words, {length} units", "SAFER", "defenses.safer.safer_radius",
        np.where(allowed, _different(texts), FAR), np.full(len(texts), FAR), law=law,
        radii=lambda group, low, high: safer_radius(low, known[group], p_upper=high),
        groups=np.array([known.index(one) for one in overlaps]), rivals=False,
    )  # fmt: skip


def text_crs(space: Universe, rate: float) -> SmoothedClaim:
    """Text-CRS: what deletion left is shuffled."""
    shuffled = np.zeros((len(space.texts), len(space.texts)))
    for row, text in enumerate(space.texts):
        orders = list(itertools.permutations(text))
        for order in orders:
            shuffled[row, space.index[order]] += 1 / len(orders)
    return SmoothedClaim(
        f"Text-CRS | {named(space, f'w = {rate}')}", "Text-CRS",
        "defenses.text_crs.text_crs_radius",
        np.where(space.target == 0, space.source, FAR), np.full(len(space.texts), FAR),
        law=uniform_law(space, exact_rate(rate)) @ shuffled, groups=space.lengths,
        radii=lambda group, low, high: text_crs_radius(low, rate, group, p_upper=high), rivals=False,
    )  # fmt: skip


class TextGuardClaim(Claim):
    """TextGuard: each group of words has a classifier of its own, trained on texts that may be touched too.

    One set of words is the attacker's in each draw. The classifiers of its groups are drawn anew for the
    texts that are received; those of the others read what is the same, and are the same.
    """

    share, batch, classes = 0.3, 128, 3

    def __init__(self, space: Universe, groups: int) -> None:
        self.space, self.groups = space, groups
        sets = [
            words
            for size in (1, 2, 3)
            for words in itertools.combinations(range(space.vocabulary), size)
            if size < space.vocabulary
        ]
        self.changes = [(words, self._within(words)) for words in sets]
        self.shares = [
            np.array(
                [space.index[tuple(unit for unit in text if unit % groups == group)] for text in space.texts]
            )
            for group in range(groups)
        ]
        super().__init__(
            f"TextGuard | {space.vocabulary} words, {groups} groups",
            "TextGuard", "defenses.textguard.group_radius",
            np.zeros((len(space.texts),) * 2), np.full(len(space.texts), FAR),
        )  # fmt: skip

    def _within(self, words: tuple[int, ...]) -> Steps:
        """len(words) for texts that differ in copies of these words alone."""
        rest = [tuple(unit for unit in text if unit not in words) for text in self.space.texts]
        number = np.array([self.space.index[text] for text in rest])
        within = np.where(number[:, None] == number[None], len(words), FAR)
        np.fill_diagonal(within, 0)
        return within.astype(np.int16)

    def draw(self, generator: np.random.Generator, kind: int) -> Trial:
        """Classifiers that are mostly of one mind."""
        shape = (self.groups, len(self.space.texts), self.batch)
        noise = generator.random((self.batch,))
        here = np.where(
            generator.random(shape) < noise, generator.integers(self.classes, size=shape), kind % 3
        )
        words, within = self.changes[generator.integers(len(self.changes))]
        there = here.copy()
        rival = (kind + 1) % self.classes
        for group in {word % self.groups for word in words}:
            there[group] = generator.integers(self.classes, size=shape[1:]) if kind % 2 else rival
        votes, received = self._votes(here), self._votes(there)
        known, place = np.unique(votes.reshape(self.classes, -1), axis=1, return_inverse=True)
        radii = np.array([group_radius(tuple(column)) for column in known.T.tolist()])
        reach = radii[place.reshape(-1)].reshape(votes.shape[1:]).astype(np.int16)
        return Trial(
            votes.argmax(axis=0).astype(np.int8), reach, received.argmax(axis=0).astype(np.int8), within
        )

    def _votes(self, tables: np.ndarray) -> np.ndarray:
        """Votes per class, shape (classes, texts, batch)."""
        labels = np.stack([table[share] for table, share in zip(tables, self.shares, strict=True)])
        return np.stack([(labels == label).sum(axis=0) for label in range(self.classes)])


def rival_claims(*, full: bool) -> Iterator[Claim]:
    """All of them."""
    yield ranmask(2, 6, 1)
    yield safer(3)
    yield text_crs(universe(2, 6 if full else 4), 0.7)
    yield TextGuardClaim(universe(4, 3), 4)
    if full:
        yield ranmask(3, 5, 1)
        yield ranmask(2, 7, 1)
        yield safer(4)
        yield text_crs(universe(3, 5), 0.5)
        yield TextGuardClaim(universe(4, 4), 4)
        yield TextGuardClaim(universe(4, 4), 3)

"""Certificates of TextGuard, SAFER and Text-CRS against everything an attacker can do on small worlds.

Each check has a control: a claim that looks alike and is wrong, which the same check must catch.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from math import factorial, prod

import numpy as np
import pytest

from fuzzsmooth.certify import NOT_CERTIFIED, radius
from fuzzsmooth.defenses.safer import safer_radius
from fuzzsmooth.defenses.synonym_table import SynonymTable, checked
from fuzzsmooth.defenses.text_crs import published_radius, text_crs_radius
from fuzzsmooth.defenses.textguard import group_radius

Ballot = tuple[int, ...]


def winner(votes: Sequence[int], classes: int) -> int:
    counts = [list(votes).count(label) for label in range(classes)]
    return max(range(classes), key=lambda label: (counts[label], -label))


def largest_safe(ballot: Ballot, classes: int) -> int:
    """As published: every set of groups that a trigger may touch, and whatever these may then vote."""
    kept = winner(ballot, classes)
    for size in range(1, len(ballot) + 1):
        for touched in itertools.combinations(range(len(ballot)), size):
            for rival in range(classes):  # one rival with all of them is the worst that they can do
                changed = [rival if group in touched else vote for group, vote in enumerate(ballot)]
                if winner(changed, classes) != kept:
                    return size - 1
    return len(ballot)


def textguard_disagreements(claim: Callable[[Ballot], int], classes: int, most: int) -> int:
    """Ballots for which a claimed radius is not the largest that holds."""
    wrong = 0
    for groups in range(1, most + 1):
        for ballot in itertools.combinations_with_replacement(range(classes), groups):
            counts = tuple(ballot.count(label) for label in range(classes))
            wrong += claim(counts) != largest_safe(ballot, classes)
    return wrong


@pytest.mark.parametrize(("classes", "most"), [(2, 9), (3, 9), (4, 6)])
def test_the_margin_of_a_vote_is_what_enumeration_of_touched_groups_gives(classes: int, most: int) -> None:
    assert textguard_disagreements(group_radius, classes, most) == 0


def test_a_margin_without_the_tie_rule_is_caught() -> None:
    def careless(counts: Ballot) -> int:
        first, second = sorted(counts, reverse=True)[:2]
        return (first - second) // 2

    assert textguard_disagreements(careless, 2, 7) > 0


WORDS = ("a", "b", "c", "d", "x")
# S is symmetric, the sets of draws are of different sizes: "d" may stand for many, "a" for few.
UNEVEN = SynonymTable(
    {"a": ("b",), "b": ("a", "c"), "c": ("b", "d"), "d": ("c",)},
    {"a": ("a", "b"), "b": ("a", "b", "c"), "c": ("b", "c", "d"), "d": ("a", "b", "c", "d")},
)
LENGTH = 4


def law(table: SynonymTable, text: Sequence[str]) -> dict[tuple[str, ...], float]:
    """The exact law of a copy of a text."""
    sets = [table.sets.get(word, (word,)) for word in text]
    return dict.fromkeys(itertools.product(*sets), 1 / prod(map(len, sets)))


def neighbors(table: SynonymTable, text: tuple[str, ...], size: int) -> list[tuple[str, ...]]:
    """All texts with at most so many words replaced by synonyms."""
    choices = [(word, *table.synonyms.get(word, ())) for word in text]
    return [
        other
        for other in itertools.product(*choices)
        if 0 < sum(one != two for one, two in zip(text, other, strict=True)) <= size
    ]


def synonym_violations(
    claim: Callable[[float, list[float]], int], overlap: Callable[[str], float]
) -> tuple[int, int]:
    """Neighbors within a claimed radius: how many were checked, and for how many a classifier exists that
    has the claimed probability at the text and gives its neighbor another answer.
    """
    table, found, violations = checked(UNEVEN, "the table"), 0, 0
    for text in itertools.product(WORDS, repeat=LENGTH):
        own, overlaps = law(table, text), [overlap(word) for word in text if word in table.synonyms]
        for p_lower in (0.6, 0.75, 0.9, 0.97, 0.999):
            size = claim(p_lower, overlaps)
            for other in neighbors(table, text, size)[:6]:
                found += 1
                violations += worst_case(own, law(table, other), p_lower) < 0.5 - 1e-9
    return found, violations


def worst_case(
    own: dict[tuple[str, ...], float], other: dict[tuple[str, ...], float], p_lower: float
) -> float:
    """The least probability at another law of a class that has p_lower at one: a fractional knapsack."""
    left, lost = p_lower, 0.0
    for copy in sorted(own, key=lambda one: other.get(one, 0.0) / own[one]):
        taken = min(left, own[copy])
        lost += taken * other.get(copy, 0.0) / own[copy]
        left -= taken
    return lost


def test_no_classifier_changes_its_vote_within_a_radius_of_synonyms() -> None:
    found, violations = synonym_violations(safer_radius, UNEVEN.overlap)
    assert found > 1000
    assert violations == 0


def test_the_published_overlap_of_sets_of_different_sizes_is_caught() -> None:
    """Divided by the size of the word's own set, "a" seems to lose nothing to "b", which draws wider."""

    def published(word: str) -> float:
        own = set(UNEVEN.sets[word])
        return min(len(own & set(UNEVEN.sets[other])) / len(own) for other in UNEVEN.synonyms[word])

    assert published("a") == 1.0
    assert synonym_violations(safer_radius, published)[1] > 0


def outcomes(words: int, rate: float) -> dict[tuple[int, ...], float]:
    """The exact law of deleting each of some distinct words and shuffling what is left."""
    return {
        order: rate ** (words - size) * (1 - rate) ** size / factorial(size)
        for size in range(words + 1)
        for order in itertools.permutations(range(words), size)
    }


@pytest.mark.parametrize("shuffled", [True, False])
@pytest.mark.parametrize("rate", [0.1, 0.3, 0.5, 0.7, 0.9])
def test_no_classifier_changes_its_vote_within_a_radius_of_deletions(rate: float, shuffled: bool) -> None:
    """All sets of deleted words of a short text, and the worst classifier for each."""
    assert deletion_violations(text_crs_radius, rate, shuffled=shuffled) == 0


def test_the_published_radius_of_deletions_is_caught() -> None:
    assert deletion_violations(published_radius, 0.1, shuffled=True) > 0


def deletion_violations(claim: Callable[..., int], rate: float, *, shuffled: bool) -> int:
    words, violations = 5, 0
    whole = outcomes(words, rate)
    for p_lower in (0.55, 0.67, 0.7, 0.8, 0.9, 0.97, 0.999):
        size = claim(p_lower, rate, words)
        for count in range(1, size + 1):
            for gone in itertools.combinations(range(words), count):
                left = outcomes(words - count, rate)
                names = [word for word in range(words) if word not in gone]
                other = {tuple(names[place] for place in order): chance for order, chance in left.items()}
                laws = [whole, other] if shuffled else [in_order(whole), in_order(other)]
                violations += worst_case(*laws, p_lower) < 0.5 - 1e-9
    return violations


def in_order(shuffled: dict[tuple[int, ...], float]) -> dict[tuple[int, ...], float]:
    found: dict[tuple[int, ...], float] = {}
    for order, chance in shuffled.items():
        key = tuple(sorted(order))
        found[key] = found.get(key, 0.0) + chance
    return found


def test_the_counterexample_to_the_published_radius() -> None:
    """20 words, w = .1: B is answered whenever the first word is gone, and else with probability 1 / 9."""
    words, rate = 20, 0.1
    p_whole = (1 - rate) * (1 - 1 / 9)
    assert p_whole == pytest.approx(0.8)
    assert published_radius(p_whole, rate, words) == 1
    p_without_the_first = 0.0  # it is gone in every copy
    assert p_without_the_first < 0.5 < p_whole
    assert text_crs_radius(p_whole, rate, words) == 0


def test_nothing_is_claimed_beyond_the_published_or_the_proved_radius() -> None:
    smaller = {"published": 0, "proved": 0}
    for rate, length, p_lower in itertools.product(
        (0.1, 0.3, 0.5, 0.7, 0.9), (0, 1, 5, 20, 60, 3000), np.linspace(0.4, 1.0, 61)
    ):
        p = float(p_lower)
        proved = radius(p, float(np.round(rate * 2**32) / 2**32), "delete", length=length)
        published, size = published_radius(p, rate, length), text_crs_radius(p, rate, length)
        assert size == (NOT_CERTIFIED if proved == NOT_CERTIFIED else min(proved, published))
        if size != NOT_CERTIFIED:
            smaller["published"] += published < proved
            smaller["proved"] += proved < published
    assert min(smaller.values()) > 10, "neither is the smaller one everywhere"

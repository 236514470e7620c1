"""Votes that stop early: the law that stops them, and whose answer they give."""

from __future__ import annotations

from math import comb, exp, lgamma
from typing import Any

import numpy as np
import pytest
from engine_worlds import CLEAN, Noisy, Rule

from fuzzsmooth.certify import vote_error
from fuzzsmooth.common.randomness import text_key
from fuzzsmooth.engine.early_vote import _least, early_votes, reversal
from fuzzsmooth.engine.sampler import Plan, Sampler
from fuzzsmooth.models.protocol import WeightNoise
from fuzzsmooth.noise.text import text_kernel, uniform_rates
from fuzzsmooth.text.units import segmenter

WORDS = segmenter("word")
GENERATOR = np.random.default_rng(3)
TEXTS = [
    " ".join(
        [*GENERATOR.choice(["good", "great", "bad", "awful", "film"], GENERATOR.integers(0, 8)), f"w{at}"]
    )
    for at in range(60)
]


def sampler(classifier: Any = CLEAN, noise: WeightNoise | None = None) -> Sampler:
    return Sampler(classifier, WORDS, text_kernel("deletion"), noise, None, 5)


def plans(texts: list[str] = TEXTS, rate: float = 0.5) -> list[Plan]:
    units = [WORDS.segment(text).units for text in texts]
    return [
        Plan(text_key(text), cut, uniform_rates(len(cut), rate))
        for text, cut in zip(texts, units, strict=True)
    ]


def beta(one: float, two: float) -> float:
    return exp(lgamma(one) + lgamma(two) - lgamma(one + two))


def enumerated(leading: int, made: int, copies: int) -> float:
    """Sum over the numbers of further votes with which the class has no majority of all copies."""
    rest = copies - made
    prior = leading + 0.5, made - leading + 0.5
    return sum(
        comb(rest, further) * beta(prior[0] + further, prior[1] + rest - further) / beta(*prior)
        for further in range(rest + 1)
        if 2 * (leading + further) <= copies
    )


@pytest.mark.parametrize("copies", [1, 2, 7, 20, 21])
def test_reversal_is_that_of_the_beta_binomial_law(copies: int) -> None:
    for made in range(copies + 1):
        for leading in range(made + 1):
            wanted = enumerated(leading, made, copies)
            assert reversal(leading, made, copies) == pytest.approx(wanted, abs=1e-9), (leading, made)


def test_reversal_is_how_often_votes_are_reversed() -> None:
    """Votes of classes whose probability has Jeffreys' prior, those with the same first votes."""
    generator = np.random.default_rng(0)
    chance = generator.beta(0.5, 0.5, size=200_000)
    first = generator.binomial(6, chance)
    all_of_them = first + generator.binomial(14, chance)
    for leading in (3, 4, 5, 6):
        same = all_of_them[first == leading]
        assert np.mean(2 * same <= 20) == pytest.approx(reversal(leading, 6, 20), abs=0.02)


@pytest.mark.parametrize("copies", [2, 5, 20, 101, 1000])
def test_reversal_is_nothing_only_where_it_cannot_be(copies: int) -> None:
    for made in range(copies + 1):
        for leading in range(made + 1) if copies <= 101 else {made, made // 2}:
            settled = 2 * leading > copies
            assert (reversal(leading, made, copies) == 0.0) == settled, (leading, made)


@pytest.mark.parametrize("copies", [1, 2, 9, 20])
def test_without_doubt_the_label_is_that_of_all_copies(copies: int) -> None:
    asked, given = plans(), sampler()
    counts, spent = early_votes(asked, given, copies, 0.0, "p")
    full = given.votes(asked, range(copies), "p")
    assert counts.argmax(axis=1).tolist() == full.argmax(axis=1).tolist()
    assert counts.sum(axis=1).tolist() == spent
    assert max(spent) <= copies
    if copies == 20:
        assert min(spent) == 11, "a majority cannot be outvoted"
        assert len(set(spent)) > 2
    for plan, row, made in zip(asked, counts, spent, strict=True):
        assert row.tolist() == given.votes([plan], range(made), "p")[0].tolist(), "its first draws"
        top = int(row.max())
        assert made == copies or 2 * top > copies


def test_a_doubt_saves_draws_and_seldom_changes_the_label() -> None:
    asked, given = plans(), sampler()
    full = given.votes(asked, range(20), "p").argmax(axis=1)
    spent_before = 20 * len(asked)
    for doubt in (0.0, 0.03, 0.3):
        counts, spent = early_votes(asked, given, 20, doubt, "p")
        assert sum(spent) < spent_before
        spent_before = sum(spent)
        assert np.mean(counts.argmax(axis=1) != full) <= doubt + 0.05
        for row, made in zip(counts, spent, strict=True):
            assert made == 20 or reversal(int(row.max()), made, 20) <= doubt


def test_unanimous_votes_stop_as_soon_as_the_doubt_allows() -> None:
    _, spent = early_votes(plans(["film"]), sampler(Rule(lambda _: 1)), 20, 0.03, "p")
    assert reversal(3, 3, 20) <= 0.03 < reversal(2, 2, 20)
    assert spent == [3]


def test_order_and_grouping_of_texts_do_not_matter() -> None:
    asked, given = plans(), sampler()
    counts, spent = early_votes(asked, given, 20, 0.03, "p")
    order = np.random.default_rng(1).permutation(len(asked)).tolist()
    turned, turned_spent = early_votes([asked[at] for at in order], given, 20, 0.03, "p")
    assert turned.tolist() == counts[order].tolist()
    assert turned_spent == [spent[at] for at in order]
    for at in range(0, len(asked), 13):
        alone, alone_spent = early_votes(asked[at : at + 1], given, 20, 0.03, "p")
        assert (alone[0].tolist(), alone_spent) == (counts[at].tolist(), [spent[at]])


def test_progress_counts_every_text_and_none_is_no_work() -> None:
    done: list[int] = []
    early_votes(plans(), sampler(), 20, 0.03, "p", done.append)
    assert sum(done) == len(TEXTS)
    assert len(done) > 1
    counts, spent = early_votes([], sampler(), 20, 0.03, "p")
    assert (counts.shape, spent) == ((0, 2), [])


def seeds_of(texts: list[str], *, copies: bool, early: bool = False) -> list[int]:
    model = Noisy(CLEAN)
    given = sampler(model, WeightNoise(0.1, 1, copies))
    if early:
        early_votes(plans(texts), given, 6, 0.0, "p")
    else:
        given.votes(plans(texts), range(6), "p")
    return model.seeds


def test_copies_are_shared_by_texts_and_else_every_draw_has_its_own() -> None:
    shared = seeds_of(TEXTS[:5], copies=True)
    assert len(shared) == 30
    assert len(set(shared)) == 6
    assert sorted(shared) == sorted(seeds_of(TEXTS[5:10], copies=True)), "whatever the texts"
    assert len(set(seeds_of(TEXTS[:5], copies=False))) == 30
    assert not set(shared) & set(seeds_of(TEXTS[:5], copies=False))
    assert set(seeds_of(TEXTS[:5], copies=True, early=True)) <= set(shared), "in rounds, too"


def test_draw_k_of_every_text_has_the_seed_of_copy_k() -> None:
    model = Noisy(CLEAN)
    given = sampler(model, WeightNoise(0.1, 1, True))
    by_draw = []
    for draw in range(4):
        model.seeds.clear()
        given.votes(plans(TEXTS[:7]), range(draw, draw + 1), "p")
        assert len(model.seeds) == 7
        (seed,) = set(model.seeds)
        by_draw.append(seed)
    assert len(set(by_draw)) == 4
    model.seeds.clear()
    given.votes(plans(TEXTS[:1]), range(4), "other")
    assert not set(model.seeds) & set(by_draw), "another purpose has copies of its own"


@pytest.mark.parametrize(("copies", "doubt"), [(20, 0.08), (50, 0.01), (200, 0.001)])
def test_the_error_that_is_told_is_one_of_the_rule_that_stops(copies: int, doubt: float) -> None:
    """Exactly, over all paths of the votes of a class that is no majority: P(error told <= a) <= a.

    The error of a fixed number of draws would be too small by a half where votes stop early.
    """
    for share in (0.5, 0.47, 0.35):
        paths, made, more = {0: 1.0}, 0, _least(copies, doubt)
        told: list[tuple[float, float]] = []
        naive: list[tuple[float, float]] = []
        while paths:
            going: dict[int, float] = {}
            for leading, weight in paths.items():
                for fresh in range(more - made + 1):
                    chance = comb(more - made, fresh) * share**fresh * (1 - share) ** (more - made - fresh)
                    going[leading + fresh] = going.get(leading + fresh, 0.0) + weight * chance
            made = more
            paths = {}
            for votes, weight in going.items():
                if made < copies and reversal(max(votes, made - votes), made, copies) > doubt:
                    paths[votes] = weight
                elif votes > made - votes:  # the class that is no majority wins
                    counts = (votes, made - votes)
                    told.append((vote_error(counts, undecided=copies - made), weight))
                    naive.append((vote_error(counts), weight))
            more = min(copies, made + 2)
        for errors in {error for error, _ in told}:
            assert sum(weight for error, weight in told if error <= errors) <= errors + 1e-12
        if (copies, share) == (200, 0.5):
            wrong = [sum(w for e, w in naive if e <= error) > error for error, _ in naive]
            assert any(wrong), "which is why the draws that were not made count for the runner-up"

"""Unsure answers, which vote for each class alike: what ``certify`` reports against exact probabilities.

Base classifiers are tables of log-odds near and far from those of the empty text; the exact smoothed
classifier is computed here by its definition. Controls: radii one larger, and answers near the margin that
rounding moves across it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from guarantee_universe import Matrix, Universe, deletion_law, universe
from test_guarantee_length_pipeline import written
from test_guarantee_pipeline import within_frontier
from test_guarantee_smoothing import edits, insertions, undone

from defended import options_for
from fuzzsmooth.common.randomness import generator
from fuzzsmooth.defenses import Defense, defend
from fuzzsmooth.noise.text import represented
from table_classifier import TableClassifier

MARGIN = 0.2
STEPS = (-2.0, -0.25, -0.15, 0.0, 0.15, 0.25, 2.0)
Logits = npt.NDArray[np.float64]


def table(space: Universe, classes: int, seed: int) -> Logits:
    """Logits of every text: some say what a unit says, the others hardly more than the empty text."""
    source = generator(seed, "unsure tables")
    lean, said = source.normal(size=classes), source.choice(STEPS, size=(len(space.texts), classes))
    telling = source.integers(classes)
    for row, text in enumerate(space.texts):
        said[row, telling] += 3.0 * (0 in text)
    said[space.index[()]] = 0.0
    return np.asarray(lean + said)


def shares_of(logits: Logits, nothing: int, margin: float) -> Matrix:
    """By the definition: a class, or each class alike."""
    told = logits - logits[nothing]
    rows = np.zeros_like(told)
    for row, own in enumerate(told):
        first, second = np.sort(own)[::-1][:2]
        rows[row] = 1 / len(own) if first - second <= margin else np.eye(len(own))[own.argmax()]
    return rows


def law(space: Universe, rate: float) -> Matrix:
    """The probability of each remainder, shape (texts, remainders)."""
    return deletion_law(space, lambda text: (represented(rate),) * len(text))


def smoothed(space: Universe, logits: Logits, rate: float, **options: object) -> Defense:
    odds = np.exp(logits)
    rows = dict(zip(written(space), odds / odds.sum(axis=1, keepdims=True), strict=True))
    given = {"statistics": "auto", "draws": 2 ** int(space.lengths.max()), "unsure_margin": MARGIN, **options}
    settings = options_for("deletion", fuzzing=False, rate=rate, **given)
    return defend(TableClassifier(rows, (1.0,) * logits.shape[1]), settings)


def violations(classes: int, longest: int, tables: int, *, more: int = 0) -> tuple[int, int, int]:
    """Covered pairs, those whose top class is another one, and certified labels that are not class 0."""
    space, checked, wrong, labels = universe(2, longest), 0, 0, set[int]()
    for rate in (0.3, 0.7, 0.9):
        known = law(space, rate)
        for seed in range(tables):
            logits = table(space, classes, seed)
            p = known @ shares_of(logits, space.index[()], MARGIN)
            answers = smoothed(space, logits, rate).certify(written(space))
            assert {answer.statistics for answer in answers} == {"exact"}
            named = np.array([-1 if answer.label is None else answer.label for answer in answers])
            others = np.array([np.delete(p, label, axis=1).max(axis=1) for label in named])
            lead = p[:, named].T - others  # [text, other]: the lead of the text's label at the other
            for place, reach in enumerate((edits, insertions, undone, undone)):
                radii = np.array([answer.certificates[place].radius for answer in answers])
                covered = reach(space, np.where(named < 0, -1, radii + more))
                checked, wrong = checked + int(covered.sum()), wrong + int((covered & (lead <= 0)).sum())
            mixed = within_frontier(space, [answer.certificates[4] for answer in answers], more)
            checked, wrong = checked + int(mixed.sum()), wrong + int((mixed & (lead <= 0)).sum())
            labels |= set(named[named >= 0].tolist())
    return checked, wrong, len(labels)


@pytest.mark.parametrize("classes", [2, 3])
def test_no_text_within_a_reported_radius_has_another_label(classes: int) -> None:
    checked, wrong, labels = violations(classes, 4, 12)
    assert wrong == 0
    assert checked > 5_000
    assert labels == classes


@pytest.mark.slow
@pytest.mark.parametrize("classes", [2, 3])
def test_no_text_within_a_reported_radius_has_another_label_longer(classes: int) -> None:
    checked, wrong, _ = violations(classes, 6, 40)
    assert wrong == 0
    assert checked > 500_000


def test_control_radii_one_larger_are_violated() -> None:
    assert violations(2, 4, 12, more=1)[1] > 0


@pytest.mark.parametrize("statistics", ["fixed", "sequential", "auto", "group-sequential"])
@pytest.mark.parametrize("classes", [2, 3])
def test_drawn_votes_follow_the_law_and_their_bounds_hold(statistics: str, classes: int) -> None:
    """Coins and all: at alpha = .001 no bound of 62 texts exceeds the exact probability."""
    space = universe(2, 5)
    logits = table(space, classes, 5)
    known = law(space, 0.6)
    p = known @ shares_of(logits, space.index[()], MARGIN)
    defended = smoothed(space, logits, 0.6, statistics=statistics, draws=20, copies=2000)
    kinds = set()
    for answer, exact in zip(defended.certify(written(space)), p, strict=True):
        kinds.add(answer.statistics)
        assert answer.undecided == 0
        for certificate in answer.certificates:
            if certificate.label is not None:
                assert certificate.p_lower <= exact[certificate.label] + 1e-12
                assert certificate.p_upper >= np.delete(exact, certificate.label).max() - 1e-12
    assert "exact" in kinds or statistics in ("fixed", "sequential")
    # What a prediction counts is the sure votes: those over all classes are their lead.
    plans = [one.plan for one in defended._received(written(space))]
    votes = defended.sampler.votes(plans, range(2000), "x") / 2000
    assert np.abs(votes - p).max() < 4 * 0.5 / 2000**0.5
    sure, unsure = defended.sampler.ballots(plans, range(2000), "x")
    assert (sure.sum(axis=1) + unsure == 2000).all()
    np.testing.assert_allclose((sure + unsure[:, None] / classes) / 2000, p, atol=4 * 0.5 / 2000**0.5)


def test_an_answer_that_rounding_moves_across_the_margin_counts_against_the_certificate() -> None:
    """Within the band of the margin an answer may be sure or not, so that a bound must hold for both."""
    space, classes = universe(2, 4), 2
    logits = table(space, classes, 3)
    known = law(space, 0.7)
    bounded = smoothed(space, logits, 0.7, guard=0.06).certify(written(space))
    whole = smoothed(space, logits, 0.7).certify(written(space))
    nothing, fewer = space.index[()], 0
    for moved in (MARGIN - 0.06, MARGIN, MARGIN + 0.06):
        p = known @ shares_of(logits, nothing, moved)
        for answer, exact in zip(bounded, p, strict=True):
            main = answer.certificates[0]
            if main.label is not None:
                assert main.p_lower <= exact[main.label] + 1e-12
                assert main.p_upper >= exact[1 - main.label] - 1e-12
        fewer += sum(
            answer.label is not None and answer.certificates[0].p_lower > exact[answer.label] + 1e-9
            for answer, exact in zip(whole, p, strict=True)
        )
    assert fewer > 0, "control: without a band some bound would not hold for a margin that near"

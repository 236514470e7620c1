"""The error of a vote: exact for two classes, and never below the truth for more."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.stats import binom, multinomial

from fuzzsmooth.certify import vote_error
from fuzzsmooth.common.errors import FuzzsmoothError


@pytest.mark.parametrize("draws", [1, 5, 20, 100])
@pytest.mark.parametrize("alpha", [0.001, 0.05, 0.3])
def test_two_classes_are_wrong_with_probability_alpha_at_most(draws: int, alpha: float) -> None:
    """Exactly, for every law: the label is given and is not the majority answer."""
    for p in np.linspace(0.0, 1.0, 101):
        wrong = 0.0
        for votes in range(draws + 1):
            if vote_error((votes, draws - votes)) <= alpha:
                label = 0 if votes > draws - votes else 1
                truth = None if p == 0.5 else int(p < 0.5)
                wrong += binom.pmf(votes, draws, p) * (label != truth)
        assert wrong <= alpha + 1e-9


def test_three_classes_by_enumeration() -> None:
    for law in ((1 / 3, 1 / 3, 1 / 3), (0.4, 0.4, 0.2), (0.45, 0.35, 0.2), (0.5, 0.25, 0.25)):
        best = {at for at in range(3) if law[at] == max(law)}
        wrong = 0.0
        for first, second in itertools.product(range(13), repeat=2):
            votes = (first, second, 12 - first - second)
            if votes[2] >= 0 and vote_error(votes) <= 0.1:
                label = int(np.argmax(votes))
                wrong += multinomial.pmf(votes, 12, law) * (best != {label})
        assert wrong <= 0.1


def test_control_the_winner_alone_is_wrong_more_often() -> None:
    wrong = sum(binom.pmf(votes, 20, 0.45) for votes in range(11, 21))
    assert wrong > 0.1


def test_undecided_draws_count_for_the_runner_up() -> None:
    assert vote_error((18, 2)) < 0.001
    assert vote_error((18, 0), undecided=2) == vote_error((18, 2))
    assert vote_error((10, 0), undecided=10) == 1.0
    assert vote_error((0, 0), undecided=5) == 1.0


def test_what_is_refused() -> None:
    for bad in ((3,), (-1, 2)):
        with pytest.raises(FuzzsmoothError):
            vote_error(bad)

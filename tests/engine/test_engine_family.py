"""Two classes, every statistic: a claim about either is false with probability alpha at most."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from defended import options_for
from fuzzsmooth.engine.evidence import DrawnText, Evidence, fixed_evidence
from fuzzsmooth.engine.sampler import Votes
from fuzzsmooth.engine.sequential import sequential_evidence
from fuzzsmooth.engine.statistics import levels_of

ALPHA = 0.05
OPTIONS = options_for(defense="deletion", fuzzing=False, sigma=0.0, rate=0.9, awaited=("edit", "backward"))
PARTS = [((0.0, 0.0), 0.0), ((0.2, 0.1), 0.3), ((0.1, 0.1), 0.3)]  # the last with enumerated ties


class Coins:
    """Draws of class 0 with a known probability, of which some votes are lost."""

    def __init__(self, probability: float, lost: float) -> None:
        self._law, self._lost = [probability, 1 - probability], lost
        self._generator = np.random.default_rng(1)

    def votes(self, texts: Sequence[int], draws: Sequence[range]) -> Votes:
        votes = np.array([self._generator.multinomial(len(part), self._law) for part in draws])
        return votes - self._generator.binomial(votes, self._lost)


def evidence(statistics: str, source: Coins, cases: list[DrawnText]) -> list[Evidence]:
    if statistics == "fixed":
        return fixed_evidence(source, cases, alpha=ALPHA)
    ladders = [levels_of(OPTIONS, case.length) for case in cases]
    return sequential_evidence(source, cases, ladders, alpha=ALPHA, looks=statistics == "group-sequential")


def share_wrong(statistics: str, parts: tuple[float, float], mass: float, rest: float, lost: float) -> float:
    """Of many texts with the same probability ``rest`` of class 0 among the draws."""
    cases = [DrawnText(text, 30, 200, parts, mass, 3 if mass else 0) for text in range(TEXTS)]
    true = [parts[0] + (1 - mass) * rest, 1 - parts[0] - (1 - mass) * rest]
    found = evidence(statistics, Coins(rest, lost), cases)
    return float(np.mean([one.bound.p_lower > true[one.bound.label] + 1e-9 for one in found]))


TEXTS = 1000
MOST = ALPHA + 4 * (ALPHA * (1 - ALPHA) / TEXTS) ** 0.5


@pytest.mark.parametrize("statistics", ["fixed", "sequential", "group-sequential"])
def test_claims_at_and_near_one_half(statistics: str) -> None:
    assert share_wrong(statistics, (0.0, 0.0), 0.0, 0.5, 0.0) <= MOST
    assert share_wrong(statistics, (0.2, 0.1), 0.3, 0.3 / 0.7, 0.0) <= MOST


@pytest.mark.slow
@pytest.mark.parametrize("statistics", ["fixed", "sequential", "group-sequential"])
@pytest.mark.parametrize("lost", [0.0, 0.05])
@pytest.mark.parametrize(("parts", "mass"), PARTS)
def test_claims_at_many_probabilities(
    statistics: str, lost: float, parts: tuple[float, float], mass: float
) -> None:
    shares = [
        share_wrong(statistics, parts, mass, (true - parts[0]) / (1 - mass), lost)
        for true in (0.5, 0.53, 0.56, 0.62, 0.75)
    ]
    assert max(shares) <= MOST
    assert lost or max(shares) > 0.3 * ALPHA, "nothing was tested"

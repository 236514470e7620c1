"""Rates by length as they are deployed: what ``certify`` reports against exact answers at every neighbor.

Base classifiers are tables, drawn at random or the worst ones for some pair of texts; deletion, enumeration,
statistics and certificates are the real ones. The control certifies by Theorem 1 at the rate of the text.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from guarantee_universe import Matrix, Universe, deletion_law, universe
from test_guarantee_pipeline import within_frontier
from test_guarantee_smoothing import edits, insertions, undone

from defended import options_for
from fuzzsmooth.certify import LengthRates, radius
from fuzzsmooth.common.randomness import generator
from fuzzsmooth.defenses import Defense, defend
from fuzzsmooth.engine import length_rates
from table_classifier import TableClassifier

Labels = npt.NDArray[np.int64]
LETTERS = ("a", "b", "c")
RULES: tuple[dict[str, Any], ...] = (
    {"kept_units": 1.5, "rate_short": 0.4, "rate_long": 0.9},
    {"kept_units": 0.3, "rate_short": 0.6, "rate_long": 0.95},
    {"kept_units": 2.0, "rate_short": 0.2, "rate_long": 0.8},
)


def written(space: Universe) -> list[str]:
    return [" ".join(LETTERS[unit] for unit in text) for text in space.texts]


@cache
def law(vocabulary: int, longest: int, rule: int) -> Matrix:
    rates = options_for("deletion", **RULES[rule]).length_rates()  # type: ignore[attr-defined]
    space = universe(vocabulary, longest)
    return deletion_law(space, lambda text: (rates.rate(len(text)),) * len(text))


def smoothed(space: Universe, labels: Labels, rule: int, **options: Any) -> Defense:
    rows = {text: np.eye(2)[label] for text, label in zip(written(space), labels, strict=True)}
    given = {"statistics": "auto", "draws": 2 ** int(space.lengths.max()), **RULES[rule], **options}
    return defend(TableClassifier(rows, (1.0, 0.0)), options_for("deletion", fuzzing=False, **given))


def worst_for(known: Matrix, source: int, target: int, level: float) -> Labels:
    """Class 1 where that costs least at the target, until it has the probability ``level`` at the source."""
    with np.errstate(divide="ignore", invalid="ignore"):
        order = np.argsort(np.where(known[source] > 0, known[target] / known[source], np.inf), kind="stable")
    enough = int(np.searchsorted(np.cumsum(known[source][order]), level))
    labels = np.zeros(len(known), dtype=np.int64)
    labels[order[: enough + 1]] = 1
    return labels


def hostile(space: Universe, known: Matrix, count: int, seed: int) -> list[Labels]:
    """Tables at random, and the worst ones for pairs that are one to three edits apart."""
    source = generator(seed, "hostile tables")
    near = np.argwhere((space.distance > 0) & (space.distance <= 3))
    tables = [(source.random(len(known)) < share).astype(np.int64) for share in (0.5, 0.8, 0.95)]
    for _ in range(count):
        one, two = near[source.integers(len(near))]
        tables.append(worst_for(known, one, two, float(source.choice([0.6, 0.75, 0.9, 0.97, 0.995]))))
    return tables


def violations(vocabulary: int, longest: int, count: int, rule: int) -> tuple[int, int, int]:
    """Covered pairs, those with another label, and covered pairs whose texts have two rates."""
    space, known = universe(vocabulary, longest), law(vocabulary, longest, rule)
    rates = options_for("deletion", **RULES[rule]).length_rates()  # type: ignore[attr-defined]
    own = np.array([rates.rate(int(length)) for length in space.lengths])
    checked = wrong = crossed = 0
    for labels in hostile(space, known, count, seed=rule):
        p = known @ np.eye(2)[labels]
        answers = smoothed(space, labels, rule).certify(written(space))
        assert {answer.statistics for answer in answers} == {"exact"}
        named = np.array([-1 if answer.label is None else answer.label for answer in answers])
        kept = p[:, named].T
        reached = [
            reach(space, np.where(named < 0, -1, [answer.certificates[place].radius for answer in answers]))
            for place, reach in enumerate((edits, insertions, undone, undone))
        ]
        reached.append(within_frontier(space, [answer.certificates[4] for answer in answers], 0))
        for covered in reached:
            checked += int(covered.sum())
            wrong += int((covered & (kept <= 0.5)).sum())
            crossed += int((covered & (own[:, None] != own[None, :])).sum())
    return checked, wrong, crossed


@pytest.mark.parametrize("rule", range(len(RULES)))
@pytest.mark.parametrize(
    ("vocabulary", "longest", "count"),
    [(2, 4, 30), (3, 3, 30), pytest.param(2, 6, 60, marks=pytest.mark.slow)],
)
def test_no_text_within_a_reported_radius_has_another_label(
    vocabulary: int, longest: int, count: int, rule: int
) -> None:
    checked, wrong, crossed = violations(vocabulary, longest, count, rule)
    assert wrong == 0
    assert checked > 1000
    assert crossed > 100, "no pair has two rates: nothing new was tested"


def test_control_theorem_1_at_the_rate_of_the_text_is_violated(monkeypatch: pytest.MonkeyPatch) -> None:
    def alone(p: float, rates: LengthRates, length: int, threat: Any = "edit", **rest: Any) -> int:
        return radius(p, rates.rate(length), threat, length=length, **rest)

    monkeypatch.setattr(length_rates, "length_radius", alone)
    assert sum(violations(2, 4, 30, rule)[1] for rule in range(len(RULES))) > 0


@pytest.mark.parametrize("statistics", ["fixed", "sequential", "group-sequential", "auto"])
def test_bounds_of_all_statistics_hold_for_the_exact_probabilities(statistics: str) -> None:
    """Few draws in place of enumeration: at alpha = .001 no bound exceeds the exact probability."""
    space, known = universe(3, 4), law(3, 4, 0)
    labels = (generator(0, "sampled table").random(len(known)) < 0.9).astype(np.int64)
    p = known @ np.eye(2)[labels]
    answers = smoothed(space, labels, 0, statistics=statistics, draws=12).certify(written(space))
    kinds, certified = {answer.statistics for answer in answers}, 0
    for answer, exact in zip(answers, p, strict=True):
        for certificate in answer.certificates:
            if certificate.label is not None:
                assert certificate.p_lower is not None
                assert certificate.p_lower <= exact[certificate.label] + 1e-12
                certified += 1
    assert certified > 20
    assert (len(kinds) > 1) == (statistics in ("auto", "group-sequential")), kinds


def test_the_draws_have_the_rate_of_the_length() -> None:
    """Sampled votes for "one unit is left" follow the rule, at several lengths."""
    for length in (1, 2, 3, 6, 12):
        text = " ".join("a" * length)
        classifier = TableClassifier({"a": (0.0, 1.0)}, (1.0, 0.0))
        made = defend(
            classifier, options_for("deletion", fuzzing=False, statistics="fixed", draws=4000, **RULES[0])
        )
        rate = min(0.9, max(0.4, 1 - 1.5 / length))
        wanted = length * (1 - rate) * rate ** (length - 1)
        found = made.certify([text])[0].votes[1] / 4000
        assert abs(found - wanted) < 5 * (0.25 / 4000) ** 0.5

"""The whole pipeline against every neighbor: what ``certify`` reports is held against exact probabilities.

A stub with known answers stands for the model; fuzzing, sampling, statistics and certificates are the real
ones. With all deletions enumerated the smoothed classifier is known exactly for every short text, so each
certificate is checked against every text within its radius. In defense "windows" every text that an attacker
can make is given to the deployed procedure.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from guarantee_universe import Universe, universe
from test_guarantee_smoothing import (
    REFERENCES,
    VOCABULARY,
    base,
    edits,
    insertions,
    probabilities,
    undone,
)
from test_guarantee_weighted import alignment

from defended import options_for
from fuzzsmooth.certify import Certificate, RateTable
from fuzzsmooth.defenses import Defense, defend
from fuzzsmooth.engine.type_rates import TypeRates
from fuzzsmooth.search import Scanner, SearchOptions
from fuzzsmooth.text.units import segmenter

KINDS = ("clean", "word", "pair", "touchy")
SEARCH = SearchOptions(references=2, budget=40)


def written(space: Universe) -> list[str]:
    return [" ".join(VOCABULARY[unit] for unit in text) for text in space.texts]


def pipeline(kind: str, fuzz: str, **options: Any) -> Defense:
    settings = options_for(
        sigma=0.0, fuzzing=fuzz == "types", statistics="auto", draws=64, search=SEARCH, **options
    )
    return defend(base(kind), settings, REFERENCES)


def violations(longest: int, rates: tuple[float, ...], *, claimed_more: int = 0) -> tuple[int, int]:
    """Covered pairs, and those whose label is another one, over all stubs, fuzzers, rates and threats."""
    space, checked, wrong = universe(3, longest), 0, 0
    for kind in KINDS:
        for fuzz in ("none", "types"):
            for rate in rates:
                p = probabilities(kind, fuzz, longest, rate)
                answers = pipeline(kind, fuzz, defense="deletion", rate=rate).certify(written(space))
                # Edits, insertions forward and backward, deletions forward: what undoes insertions deletes.
                for threat, reach in enumerate((edits, insertions, undone, undone)):
                    radii = np.array([answer.certificates[threat].radius for answer in answers])
                    labels = np.array([-1 if answer.label is None else answer.label for answer in answers])
                    covered = reach(space, np.where(labels < 0, -1, radii + claimed_more))
                    kept = p[:, labels].T  # [text, other]: the other's probability of the text's label
                    checked += int(covered.sum())
                    wrong += int((covered & (kept <= 0.5)).sum())
                mixed = within_frontier(space, [answer.certificates[4] for answer in answers], claimed_more)
                checked += int(mixed.sum())
                wrong += int((mixed & (kept <= 0.5)).sum())
    return checked, wrong


def within_frontier(space: Universe, certificates: list[Certificate], more: int) -> npt.NDArray[np.bool_]:
    """Which texts are reached by a combination of insertions and deletions that is covered."""
    covered = np.zeros_like(space.source, dtype=bool)
    for row, certificate in enumerate(certificates):
        assert certificate.threat == "insert_and_delete"
        for inserted, deleted in certificate.frontier:
            covered[row] |= (space.target[row] <= inserted + more) & (space.source[row] <= deleted)
    return covered


def test_no_text_within_a_reported_radius_has_another_label() -> None:
    checked, wrong = violations(4, (0.3, 0.7, 0.9))
    assert wrong == 0
    assert checked >= 50_000


@pytest.mark.slow
def test_no_text_within_a_reported_radius_has_another_label_longer() -> None:
    checked, wrong = violations(5, (0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95))
    assert wrong == 0
    assert checked >= 1_000_000


def test_control_radii_one_larger_are_violated() -> None:
    assert violations(4, (0.7,), claimed_more=1)[1] > 0


@pytest.mark.parametrize("longest", [3, pytest.param(4, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", ["word", "pair", "touchy"])
def test_no_weighted_edit_within_a_reported_budget_changes_the_label(kind: str, longest: int) -> None:
    """Rates per type from the real table; pairs by their cheapest alignment, in both directions."""
    space, options = universe(3, longest), {"defense": "deletion", "rate": 0.6, "rate_flagged": 0.95}
    model = base(kind)
    table = Scanner(model, SEARCH, segmenter("word"), REFERENCES).flip_rates()
    rates = TypeRates(table, fill=True)
    settings = options_for(sigma=0.0, fuzzing=False, statistics="auto", draws=64, **options)
    answers = defend(model, settings, rates=rates).certify(written(space))
    flagged = table.flagged(VOCABULARY)
    assert "cf" in flagged or kind == "pair"
    costs = RateTable(0.6, {VOCABULARY.index(unit): 0.95 for unit in flagged})
    checked = 0
    for i, j in space.pairs():
        claim, other = answers[i], answers[j]
        if claim.label is None:
            continue
        removed, added = alignment(space.texts[i], space.texts[j])
        edit, insert, forward, backward, back, edits_by_cost, deletion = claim.certificates
        covered = (
            max(len(removed), len(added)) <= edit.radius
            or (not removed and len(added) <= insert.radius)
            or (not removed and costs.cost(added) <= forward.radius)
            or (not added and costs.cost(removed) <= backward.radius)
            or (not added and len(removed) <= min(back.radius, deletion.radius))
            or costs.cost(removed) + costs.cost(added) <= edits_by_cost.radius
        )
        if covered:
            checked += 1
            assert other.certificates[0].label == claim.label
    assert checked > 50


@cache
def grown(longest: int) -> tuple[str, ...]:
    return tuple(written(universe(3, longest)))


def contiguous(text: str, reach: int) -> Iterator[str]:
    units = text.split()
    for place in range(len(units) + 1):
        for piece in grown(reach):
            yield " ".join((*units[:place], *piece.split(), *units[place:]))


def scattered(text: str, reach: int) -> Iterator[str]:
    found = {text}
    for _ in range(reach):
        found |= {one for inner in found for one in contiguous(inner, 1)}
    return iter(found)


def one_edit(text: str, reach: int) -> Iterator[str]:
    units = text.split()
    yield from contiguous(text, reach)
    for place in range(len(units)):
        for piece in grown(reach):
            yield " ".join((*units[:place], *piece.split(), *units[place + 1 :]))
        if place + 1 < len(units):
            yield " ".join((*units[:place], units[place + 1], units[place], *units[place + 2 :]))


WINDOWS = [
    ("insert", 1, contiguous),
    ("insert", 2, contiguous),
    ("edit", 1, one_edit),
    ("scattered-insert", 2, scattered),
    ("scattered-edit", 1, one_edit),
]


def window_pairs(longest: int, fuzz: str) -> int:
    """Certified texts with all that an attacker can make of them, answered by the deployed procedure."""
    checked = 0
    for ablation, reach, changed in WINDOWS:
        for kind in KINDS:
            smooth = pipeline(kind, fuzz, defense="windows", ablation=ablation, reach=reach)
            texts = list(grown(longest))
            sure: list[tuple[Certificate, list[str]]] = []
            for text, answer in zip(texts, smooth.certify(texts), strict=True):
                if answer.certificates[0].radius == reach:
                    sure.append((answer.certificates[0], list(changed(text, reach))))
            asked = list(dict.fromkeys(other for _, others in sure for other in others))
            told = dict(zip(asked, (one.label for one in smooth.predict(asked)), strict=True))
            for certificate, others in sure:
                assert {told[other] for other in others} == {certificate.label}
                checked += len(others)
    return checked


@pytest.mark.parametrize("fuzz", ["none", "types"])
def test_no_inserted_trigger_changes_a_certified_answer_of_the_procedure(fuzz: str) -> None:
    assert window_pairs(3, fuzz) > 2_000


@pytest.mark.slow
@pytest.mark.parametrize("fuzz", ["none", "types"])
def test_no_inserted_trigger_changes_a_certified_answer_of_the_procedure_longer(fuzz: str) -> None:
    assert window_pairs(5, fuzz) > 50_000


@pytest.mark.parametrize("statistics", ["fixed", "sequential", "auto"])
def test_bounds_of_all_statistics_hold_for_the_exact_probabilities(statistics: str) -> None:
    """Votes instead of enumeration: at alpha = .001 no bound of 120 texts exceeds the exact probability."""
    space: Universe = universe(3, 4)
    p: npt.NDArray[np.float64] = probabilities("word", "none", 4, 0.7)
    settings = options_for(
        defense="deletion",
        sigma=0.0,
        fuzzing=False,
        statistics=statistics,
        draws=15,
        rate=0.7,  # type: ignore[arg-type]
    )
    answers = defend(base("word"), settings).certify(written(space))
    kinds = set()
    for answer, exact in zip(answers, p, strict=True):
        kinds.add(answer.statistics)
        for certificate in answer.certificates:
            if certificate.label is not None:
                assert certificate.p_lower is not None
                assert certificate.p_lower <= exact[certificate.label] + 1e-12
    assert (len(kinds) > 1) == (statistics == "auto"), kinds

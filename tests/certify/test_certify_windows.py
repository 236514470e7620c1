"""Deletion families, the two-round procedure step by step, equivalent conditions, and the pass budget."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest

from fuzzsmooth.certify import (
    UNDECIDED,
    Family,
    MaskOracle,
    certify_contiguous_edit,
    certify_contiguous_insertion,
    certify_contiguous_replacement,
    certify_scattered,
    contiguous,
    contiguous_up_to,
    detect,
    most_passes,
    scattered,
    two_round_ablation,
)
from fuzzsmooth.common.errors import FuzzsmoothError


def table_oracle(labels: Sequence[int], length: int, budget: int | None = None) -> MaskOracle:
    return MaskOracle(lambda masks: [labels[mask] for mask in masks], length, budget=budget)


@pytest.mark.parametrize(
    ("length", "longest", "count"), [(20, 3, 58), (20, 5, 91), (40, 10, 356), (100, 5, 491), (100, 10, 956)]
)
def test_number_of_windows(length: int, longest: int, count: int) -> None:
    masks = contiguous_up_to(longest)(length)
    assert len(masks) == len(set(masks)) == count == 1 + longest * length - longest * (longest - 1) // 2


def test_windows_at_the_edges() -> None:
    assert list(contiguous([2])(4)) == [0b1100, 0b1001, 0b0011]
    assert list(contiguous([5])(3)) == [0]
    assert list(contiguous([0, 2])(0)) == [0]
    assert list(contiguous_up_to(1)(2)) == [0b11, 0b10, 0b01], "bit i: unit i is kept"
    assert len(scattered(2)(20)) == 211
    assert list(scattered(3)(1)) == [1, 0]
    for call in (
        lambda: contiguous([]),
        lambda: contiguous([-1]),
        lambda: contiguous_up_to(0),
        lambda: scattered(0),
    ):
        with pytest.raises(FuzzsmoothError):
            call()


def test_the_three_ways_to_answer() -> None:
    clean = [0] * 8
    assert two_round_ablation(table_oracle(clean, 3), contiguous_up_to(1)).status == "unanimous"
    # Unit 1 is a trigger: every remainder that holds it says 1, the others 0.
    triggered = [mask >> 1 & 1 for mask in range(8)]
    found = two_round_ablation(table_oracle(triggered, 3), contiguous_up_to(1))
    assert (found.label, found.status) == (0, "second_round")
    # A minority answer that a second deletion overturns is ignored.
    lonely = [0] * 8
    lonely[0b101] = 1
    found = two_round_ablation(table_oracle(lonely, 3), contiguous_up_to(1))
    assert (found.label, found.status) == (0, "majority")
    assert detect(table_oracle(lonely, 3), contiguous_up_to(1)).status == "alert"
    assert detect(table_oracle(clean, 3), contiguous_up_to(1)).label == 0


def general_condition(
    labels: Sequence[int], length: int, family: Family, inserted: Sequence[int], removed: Sequence[int] = (0,)
) -> bool:
    """The theorem's own condition against replacing ``removed`` units at one place by ``inserted`` others.

    For each place some deletion of the changed text covers the new units and keeps the label of the clean one
    together with every second deletion.
    """
    for gone, new in itertools.product(removed, inserted):
        for place in range(length - gone + 1):
            # What the deletions leave of the clean text: bits before the place stay, bits behind it move.
            changed = family(length - gone + new)
            left = [kept & (1 << place) - 1 | kept >> place + new << place + gone for kept in changed]
            covers = [kept >> place & (1 << new) - 1 == 0 for kept in changed]
            if not any(
                all(labels[one & two] == labels[-1] for two in left)
                for one in itertools.compress(left, covers)
            ):
                return False
    return True


def test_closed_form_implies_and_nearly_is_the_general_condition() -> None:
    generator, agreed = np.random.default_rng(0), 0
    for _ in range(300):
        labels = (generator.random(32) < generator.choice([0.0, 0.03, 0.1])).astype(int).tolist()
        closed = certify_contiguous_insertion(table_oracle(labels, 5), 2)
        assert general_condition(labels, 5, contiguous_up_to(2), [0, 1, 2]) or not closed.certified
        agreed += closed.certified
        edit = certify_contiguous_edit(table_oracle(labels, 5), 2)
        assert closed.certified or not edit.certified, "an insertion is a block edit"
        assert general_condition(labels, 5, contiguous_up_to(2), [0, 1, 2], [0, 1, 2]) or not edit.certified
        replacement = certify_contiguous_replacement(table_oracle(labels, 5), 2)
        assert general_condition(labels, 5, contiguous([2]), [2], [2]) or not replacement.certified
        assert certify_scattered(table_oracle(labels, 5), 1).certified or not closed.certified
    assert 50 < agreed < 300


@pytest.mark.parametrize(("length", "longest"), [(3, 2), (6, 2), (7, 3)])
def test_block_edits_ask_every_window_of_every_remainder(length: int, longest: int) -> None:
    def cut(units: tuple[int, ...]) -> set[tuple[int, ...]]:
        return {
            units[:start] + units[start + size :]
            for size in range(longest + 1)
            for start in range(max(0, len(units) - size) + 1)
        }

    asked: set[int] = set()
    oracle = MaskOracle(lambda masks: asked.update(masks) or [0] * len(masks), length)
    assert certify_contiguous_edit(oracle, longest).certified
    expected = {rest for once in cut(tuple(range(length))) for rest in cut(once)}
    assert asked == {sum(1 << unit for unit in rest) for rest in expected}


def test_passes_are_counted_and_the_budget_is_honest() -> None:
    labels = [0] * (1 << 12)
    plain = certify_contiguous_insertion(table_oracle(labels, 12), 3)
    assert (plain.certified, plain.passes) == (True, len(contiguous_up_to(3)(12)))
    for budget in (0, 1, 20):
        short = certify_contiguous_insertion(table_oracle(labels, 12, budget), 3)
        assert short.budget_exceeded
        assert not short.certified
        assert short.passes <= budget
        answer = two_round_ablation(table_oracle(labels, 12, budget), contiguous_up_to(3))
        assert (answer.label, answer.status) == (None, "budget_exceeded")
        assert detect(table_oracle(labels, 12, budget), contiguous_up_to(3)).status == "budget_exceeded"
    enough = certify_contiguous_insertion(table_oracle(labels, 12, plain.passes), 3)
    assert enough == plain


def test_a_failing_certificate_stops_early() -> None:
    labels = [1] * (1 << 14)
    labels[-1] = 0
    oracle = MaskOracle(lambda masks: [labels[mask] for mask in masks], 14, batch_size=4)
    claim = certify_scattered(oracle, 2)
    assert not claim.certified
    assert claim.passes < 10 < len(scattered(2)(14))


@pytest.mark.parametrize("length", [0, 1, 2])
def test_short_texts(length: int) -> None:
    labels = [0] * (1 << length)
    for claim in (
        certify_contiguous_insertion(table_oracle(labels, length), 5),
        certify_contiguous_edit(table_oracle(labels, length), 5),
        certify_contiguous_replacement(table_oracle(labels, length), 5),
        certify_scattered(table_oracle(labels, length), 3, "edit"),
    ):
        assert claim.certified
        assert claim.label == 0


def test_families_know_their_size() -> None:
    families = [contiguous_up_to(3), contiguous([2]), contiguous([0, 1, 3])]
    for family in (*families, scattered(1), scattered(3)):
        for length in range(12):
            assert family.count(length) == len(family(length)) == len(set(family(length)))


def test_undecided_answers_are_no_label() -> None:
    clean = [0] * 32
    for mask in range(32):
        unsure = [*clean]
        unsure[mask] = UNDECIDED
        claim = certify_contiguous_insertion(table_oracle(unsure, 5), 2)
        assert claim.certified == (mask not in contiguous_up_to(2)(5))
        assert detect(table_oracle(unsure, 5), contiguous_up_to(2)).status == (
            "unanimous" if claim.certified else "alert"
        )
    nothing = certify_contiguous_insertion(table_oracle([UNDECIDED] * 32, 5), 2)
    assert (nothing.certified, nothing.label) == (False, None)
    assert detect(table_oracle([UNDECIDED] * 32, 5), contiguous_up_to(2)).label is None


def test_no_text_needs_more_than_all_pairs_of_deletions() -> None:
    generator, largest = np.random.default_rng(0), 0
    for _ in range(200):
        labels = generator.integers(2, size=64).tolist()
        answer = two_round_ablation(table_oracle(labels, 6), contiguous_up_to(2))
        assert answer.passes <= most_passes(contiguous_up_to(2), 6)
        largest = max(largest, answer.passes)
    assert largest > len(contiguous_up_to(2)(6)), "the second round asked more"


def test_a_budget_ends_the_work_before_millions_of_masks_are_listed() -> None:
    oracle = MaskOracle(lambda masks: [0] * len(masks), 60, budget=500)
    claim = certify_scattered(oracle, 3, "edit")  # 56 million sets of up to six units
    assert claim.budget_exceeded
    assert not claim.certified
    assert claim.passes <= 500


def test_many_procedures_advance_without_an_oracle_of_their_own() -> None:
    """The steps of a procedure ask for masks and are told their labels, by whoever runs them."""
    labels = [mask.bit_count() > 2 for mask in range(64)]
    oracle = MaskOracle(None, 6, batch_size=4)
    steps = certify_contiguous_insertion.steps(oracle, 2)
    asked, batches, result = next(steps), list[int](), None
    while result is None:
        batches.append(len(asked))
        try:
            asked = steps.send([int(labels[mask]) for mask in asked])
        except StopIteration as stop:
            result = stop.value
    assert result == certify_contiguous_insertion(
        MaskOracle(lambda masks: [int(labels[mask]) for mask in masks], 6, batch_size=4), 2
    )
    assert max(batches) <= 4
    with pytest.raises(FuzzsmoothError, match="nobody to ask"):
        certify_contiguous_insertion(oracle, 2)

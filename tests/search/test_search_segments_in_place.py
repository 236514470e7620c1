"""The search in place: splits into parts, all that was tried, and what the label depends on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from search_worlds import CLEAN, NEGATIVE_TEXTS, backdoored, plant

from fuzzsmooth.models.protocol import Classifier
from fuzzsmooth.search import SearchOptions
from fuzzsmooth.search.combined import InPlace
from fuzzsmooth.search.contexts import Context
from fuzzsmooth.search.protocol import Budget, run
from fuzzsmooth.search.strategies import Piece, segments_in_place
from fuzzsmooth.search.tree import Segment, SegmentTree
from fuzzsmooth.search.trials import Removal


def tree(
    size: int, parts: int, floor: float | None = None, boundaries: list[int] | None = None
) -> SegmentTree:
    return SegmentTree(
        np.zeros(size), boundaries or [0] * size, SearchOptions(visits=1), parts=parts, floor=floor
    )


def explore(searched: SegmentTree, reward: float) -> list[Segment]:
    order: list[Segment] = []
    while (path := searched.select()) is not None:
        order.append(path[-1])
        searched.backpropagate(path, reward)
    return order


@pytest.mark.parametrize("parts", [2, 3, 5, 7])
@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 6, 9, 23, 50])
def test_parts_are_disjoint_cover_their_segment_and_are_about_equal(size: int, parts: int) -> None:
    generator = np.random.default_rng(size)
    for boundaries in ([0] * size, generator.integers(0, 3, size).tolist()):
        searched = tree(size, parts, 0.0, boundaries)
        stack = [searched.root]
        while stack:
            node = stack.pop()
            if not node.children:
                continue
            edges = [child.start for child in node.children] + [node.children[-1].end]
            assert (edges[0], edges[-1]) == (node.start, node.end)
            assert [child.end for child in node.children] == edges[1:]
            assert all(child.end > child.start for child in node.children)
            assert sum(child.prior for child in node.children) == pytest.approx(1)
            length = node.end - node.start
            if not any(boundaries):
                assert len(node.children) == min(parts, length)
                lengths = np.diff(edges)
                assert max(lengths) - min(lengths) <= 1
            stack += node.children
        explore(searched, 0.5)
        leaves = {(one.start, one.end) for one in searched.tried() if not one.children}
        assert leaves == {(at, at + 1) for at in range(size)}


def test_the_floor_given_decides_what_is_split() -> None:
    assert len(explore(tree(25, 5, 0.3), 0.2)) == 5, "the first fifths only"
    assert len(explore(tree(25, 5, 0.2), 0.2)) == 30
    assert len(explore(tree(25, 5), 0.0)) == 5, "by default that of the options"
    assert len(explore(tree(25, 5, 0.0), 0.0)) == 30


def test_tried_are_all_segments_by_reward_then_length_then_place() -> None:
    searched = tree(8, 2, 0.0)
    order = []
    while (path := searched.select()) is not None and len(order) < 9:
        leaf = path[-1]
        searched.backpropagate(path, 0.8 if leaf.start <= 6 < leaf.end else 0.1)
        order.append((leaf.start, leaf.end))
    found = [(one.start, one.end, one.reward) for one in searched.tried()]
    assert {piece[:2] for piece in found} == set(order)
    assert found == sorted(found, key=lambda piece: (-piece[2], piece[1] - piece[0], piece[0]))
    assert len(found) > len(searched.pieces()), "coarse ones too"


def in_place(text: str, model: Classifier, share: int, strategy: str = "tree") -> tuple[list[Piece], int]:
    units = tuple(text.split())
    options = SearchOptions(strategy=strategy)  # type: ignore[arg-type]
    budget, generator = Budget(128), np.random.default_rng(0)

    def searching() -> Any:
        original = (yield from budget.evaluate([units]))[0]
        trial = Removal(units, Context((), (), -1), original, ("the",), options, generator)
        spent = budget.spent
        found = yield from segments_in_place(trial, np.zeros(len(units)), budget, share, options, generator)
        return found, budget.spent - spent

    result: tuple[list[Piece], int] = run([searching()], model, " ".join)[0]
    return result


@pytest.mark.parametrize("strategy", ["tree", "greedy", "random"])
def test_the_share_is_kept(strategy: str) -> None:
    for share in (0, 1, 5, 14, 40):
        found, spent = in_place(NEGATIVE_TEXTS[0], CLEAN, share, strategy)
        assert spent <= share
        assert [piece[2] for piece in found] == sorted((piece[2] for piece in found), reverse=True)


@pytest.mark.parametrize("place", range(0, 14, 3))
def test_fourteen_evaluations_find_a_trigger_in_place(place: int) -> None:
    for text in NEGATIVE_TEXTS[:8]:
        found, _ = in_place(plant(text, (place, "cf")), backdoored(["cf"]), 14)
        start, end, reward = found[0]
        assert start <= place < end
        assert end - start == 1
        assert reward > 0.5


def removable(text: str, model: Classifier) -> list[list[str]]:
    units = tuple(text.split())
    options = SearchOptions()
    label = int(model.probabilities([text])[0].argmax())
    test: Any = None  # not asked
    search = InPlace(label, test, options, ("the",), Budget(128), np.random.default_rng(0))
    found = run([search.removable(units, np.zeros(len(units)))], model, " ".join)[0]
    for indices in found:
        left = " ".join(unit for at, unit in enumerate(units) if at not in indices)
        assert int(model.probabilities([left])[0].argmax()) != label
        assert list(indices) == sorted(set(indices))
    return [[units[at] for at in indices] for indices in found]


def test_without_a_candidate_the_label_changes() -> None:
    for text in NEGATIVE_TEXTS[:8]:
        assert removable(text, CLEAN) == [], "three words of its class: none alone decides"
        found = removable(plant(text, (4, "cf")), backdoored(["cf"]))
        assert found[0] == ["cf"]
        assert all("cf" in one for one in found)
        pair = removable(plant(text, (4, "cf"), (9, "mn")), backdoored(["cf", "mn"]))
        assert pair
        assert all({"cf", "mn"} & set(one) for one in pair)
    copies = removable(plant(NEGATIVE_TEXTS[0], (1, "cf"), (8, "cf")), backdoored(["cf"]))
    assert all(one.count("cf") in (0, 2) for one in copies if len(set(one)) == 1), "copies go together"

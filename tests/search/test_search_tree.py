"""The search tree: where it looks next, how it spreads, when it stops."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest

from fuzzsmooth.search import SearchOptions
from fuzzsmooth.search.tree import Segment, SegmentTree
from fuzzsmooth.text.features import boundary_strengths


def tree(
    size: int, suspicion: list[float] | None = None, boundaries: list[int] | None = None, **options: float
) -> SegmentTree:
    return SegmentTree(
        np.array(suspicion if suspicion is not None else [0.0] * size),
        boundaries if boundaries is not None else [0] * size,
        SearchOptions(**options),  # type: ignore[arg-type]
    )


def explore(searched: SegmentTree, reward: Callable[[Segment], float], limit: int = 10_000) -> list[Segment]:
    """One leaf at a time, until nothing is left."""
    order: list[Segment] = []
    while len(order) < limit and (path := searched.select()) is not None:
        order.append(path[-1])
        searched.backpropagate(path, reward(path[-1]))
    return order


def bounds(nodes: list[Segment]) -> list[tuple[int, int]]:
    return [(node.start, node.end) for node in nodes]


def test_children_are_visited_by_the_confidence_bound() -> None:
    searched = tree(8, exploration=0.7, visits=1)
    generator = np.random.default_rng(0)
    while (path := searched.select()) is not None:
        for step in path:
            step.visits -= 1  # judge the choice before its own virtual loss
        path[-1].started -= 1
        for parent, chosen in pairwise(path):
            scores = {}
            for child in parent.children:
                known = child.total / child.visits if child.visits else parent.reward
                bonus = 0.7 * child.prior * max(parent.visits, 1) ** 0.5 / (1 + child.visits)
                scores[child] = known + bonus
            best = max(scores[child] for child in parent.children if searched._is_open(child))
            assert scores[chosen] == pytest.approx(best)
        for step in path:
            step.visits += 1
        path[-1].started += 1
        searched.backpropagate(path, float(generator.random()))


def test_suspicious_parts_are_tried_first() -> None:
    rare_right, rare_left = tree(8, [0.0] * 7 + [1.0]), tree(8, [1.0] + [0.0] * 7)
    for searched, expected in ((rare_right, (4, 8)), (rare_left, (0, 4))):
        path = searched.select()
        assert path is not None
        assert (path[-1].start, path[-1].end) == expected


def test_priors_of_siblings_sum_to_one() -> None:
    children = tree(9, [0.1 * index for index in range(9)]).root.children
    assert sum(child.prior for child in children) == pytest.approx(1)


def test_rewarding_parts_are_explored_before_others() -> None:
    order = bounds(explore(tree(16), lambda node: 0.9 if node.start <= 11 < node.end else 0.2))
    assert len(order) == 30
    assert order.index((11, 12)) < 12, "after its ancestors and their siblings"


def test_control_much_exploration_delays_the_finding() -> None:
    def steps(exploration: float) -> int:
        searched = tree(64, [1.0] * 32 + [0.0] * 32, exploration=exploration)

        def reward(node: Segment) -> float:
            return 0.9 if node.start <= 60 < node.end else 0.3

        return bounds(explore(searched, reward)).index((60, 61))

    assert steps(0.05) < steps(50.0)


def test_virtual_loss_spreads_the_leaves_of_a_round() -> None:
    searched = tree(16)
    for path in (searched.select(), searched.select()):
        assert path is not None
        searched.backpropagate(path, 0.5)
    paths = [searched.select() for _ in range(4)]
    leaves = [path[-1] for path in paths if path is not None]
    assert len(set(map(id, leaves))) == 4, "four selections without an answer go to four places"
    assert {leaf.start // 8 for leaf in leaves} == {0, 1}, "on both sides"


def test_a_round_never_selects_more_than_there_is() -> None:
    searched = tree(8)
    assert [searched.select() is None for _ in range(4)] == [False, False, True, True]


def test_the_search_exhausts_and_visits_everything_once() -> None:
    order = bounds(explore(tree(8, visits=1), lambda _: 0.5))
    assert len(order) == len(set(order)) == 2 * 8 - 2, "every node of a binary tree but the root"
    assert {(index, index + 1) for index in range(8)} <= set(order)


def test_each_segment_is_mutated_as_often_as_asked() -> None:
    order = bounds(explore(tree(4, visits=3), lambda _: 0.5))
    assert all(order.count(segment) == 3 for segment in set(order))


def test_segments_below_the_floor_are_not_split() -> None:
    order = bounds(explore(tree(16, floor=0.2), lambda node: 0.5 if node.start <= 3 < node.end else 0.1))
    assert set(order) == {(0, 8), (8, 16), (0, 4), (4, 8), (0, 2), (2, 4), (2, 3), (3, 4)}


def test_pieces_are_the_finest_that_mattered_best_first() -> None:
    searched = tree(8, floor=0.2)
    single = {5: 0.9, 2: 0.6}
    explore(searched, lambda node: single.get(node.start, 0.0) if node.end - node.start == 1 else 0.4)
    pieces = searched.pieces()
    assert bounds(pieces) == [(5, 6), (2, 3)]
    assert [piece.reward for piece in pieces] == [0.9, 0.6]


def test_pieces_of_an_unfinished_search_are_coarse() -> None:
    searched = tree(8)
    path = searched.select()
    assert path is not None
    searched.backpropagate(path, 0.5)
    assert bounds(searched.pieces()) == [(path[-1].start, path[-1].end)]
    assert tree(8).pieces() == []


def test_splits_fall_on_sentence_ends_and_clauses() -> None:
    units = ["we", "saw", "the", "film", ".", "it", "was", "dull", "and", "it", "was", "long"]
    assert tree(len(units), boundaries=list(boundary_strengths(units))).root.children[0].end == 5
    sentence = [0] * 10
    sentence[3] = 2
    assert tree(10, boundaries=sentence).root.children[0].end == 3
    clause = [0] * 10
    clause[4] = 1
    assert tree(10, boundaries=clause).root.children[0].end == 4
    assert tree(10).root.children[0].end == 5, "the middle where there is no boundary"
    far = [0] * 10
    far[1] = 2
    assert tree(10, boundaries=far).root.children[0].end == 5, "too far from the middle"


def test_segments_of_a_split_partition_their_parent() -> None:
    searched = tree(13, boundaries=[0, 1, 0, 2, 0, 0, 1, 0, 0, 2, 0, 0, 1])
    explore(searched, lambda _: 0.5)
    stack = [searched.root]
    while stack:
        node = stack.pop()
        if node.children:
            left, right = node.children
            assert (left.start, left.end, right.end) == (node.start, right.start, node.end)
            stack += node.children
        else:
            assert node.end - node.start == 1


def test_single_unit_and_empty_text() -> None:
    searched = tree(1)
    assert bounds(explore(searched, lambda _: 0.7)) == [(0, 1)]
    assert bounds(searched.pieces()) == [(0, 1)]
    assert tree(0).select() is None
    assert tree(0).pieces() == []

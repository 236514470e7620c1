"""Clusters of answers, held against their definition by brute force."""

from __future__ import annotations

from itertools import combinations, permutations

import numpy as np
import pytest

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.randomness import generator
from fuzzsmooth.engine.answer_clusters import cluster_answers

THRESHOLDS = (-0.5, 0.0, 0.4, 0.8, 1.0)


def worlds(count: int = 40):
    """Answers with repetitions, and embeddings that are functions of them."""
    for number in range(count):
        chance = generator(0, "clusters", number)
        vectors = chance.normal(size=(6, 3))
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        picked = chance.integers(0, 6, size=int(chance.integers(1, 12)))
        yield [f"answer {index}" for index in picked], vectors[picked]


def test_every_two_answers_of_a_cluster_are_alike():
    for answers, vectors in worlds():
        for threshold in THRESHOLDS:
            clusters = cluster_answers(answers, vectors, threshold)
            members = [index for one in clusters for index in one.members]
            assert sorted(members) == list(range(len(answers)))
            for one in clusters:
                for left, right in combinations(one.members, 2):
                    assert vectors[left] @ vectors[right] >= threshold - 1e-9


def test_no_two_clusters_could_be_joined():
    """Joining goes on as long as the threshold allows; a clustering of single answers would not show it."""
    joined = 0
    for answers, vectors in worlds():
        clusters = cluster_answers(answers, vectors, 0.4)
        joined += sum(len({answers[index] for index in one.members}) > 1 for one in clusters)
        for one, other in combinations(clusters, 2):
            assert min(vectors[a] @ vectors[b] for a in one.members for b in other.members) < 0.4
    assert joined > 20


def test_the_medoid_is_the_most_central_answer_of_the_largest_cluster():
    for answers, vectors in worlds():
        clusters = cluster_answers(answers, vectors, 0.0)
        sizes = [len(one.members) for one in clusters]
        assert sizes == sorted(sizes, reverse=True)
        for one in clusters:
            central = {
                answers[index]: float(np.mean([vectors[index] @ vectors[other] for other in one.members]))
                for index in one.members
            }
            best = max(central.values())
            assert one.medoid == min(text for text, value in central.items() if value > best - 1e-9)


def test_order_decides_ties_alone():
    answers, vectors = ["a", "b", "b", "c", "d"], np.array([[1, 0], [0, 1], [0, 1], [-1, 0], [0.8, 0.6]])
    expected = {(one.medoid, len(one.members)) for one in cluster_answers(answers, vectors, 0.7)}
    for order in permutations(range(5)):
        found = cluster_answers([answers[i] for i in order], vectors[list(order)], 0.7)
        assert {(one.medoid, len(one.members)) for one in found} == expected
    assert expected == {("a", 2), ("b", 2), ("c", 1)}
    tied = cluster_answers(["x", "y"], np.eye(2), 0.5)
    assert [one.medoid for one in tied] == ["x", "y"]
    assert [one.medoid for one in cluster_answers(["y", "x"], np.eye(2), 0.5)] == ["y", "x"]


def test_embeddings_must_fit():
    with pytest.raises(FuzzsmoothError, match="2 embeddings for 1 answers"):
        cluster_answers(["a"], np.eye(2), 0.5)

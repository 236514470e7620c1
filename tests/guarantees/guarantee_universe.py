"""Everything the brute-force checks share: all short strings, exact deletion laws, exact worst cases.

A *universe* is every string over a small alphabet up to a length. Deletion laws over it are exact matrices,
and for one pair of texts the worst base classifier is a fractional knapsack, so a bound can be held against
the true minimum instead of against sampled classifiers.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import shortest_path

Text = tuple[int, ...]
Matrix = npt.NDArray[np.float64]
TOLERANCE = 1e-9


@dataclass(frozen=True)
class Universe:
    """All strings up to a length with their pairwise distances; matrices have shape (strings, strings).

    Attributes:
        texts: The strings, shortest first.
        index: Position of each string.
        lengths: Length of each string, shape (strings,).
        source: a, units of the row string outside a longest common subsequence with the column string.
        target: b, units of the column string outside it.
        distance: Unrestricted Damerau-Levenshtein distance.
        vocabulary: Size of the alphabet.
    """

    texts: list[Text]
    index: dict[Text, int]
    lengths: npt.NDArray[np.int64]
    source: npt.NDArray[np.int64]
    target: npt.NDArray[np.int64]
    distance: npt.NDArray[np.int64]
    vocabulary: int

    def pairs(self) -> Iterator[tuple[int, int]]:
        """All ordered pairs of different strings."""
        return itertools.permutations(range(len(self.texts)), 2)


@dataclass
class Tally:
    """Counts checks of one claim; a claim is sound when no true value lies below what was claimed."""

    checked: int = 0
    violations: int = 0
    slack: float = float("inf")

    def add(self, true: npt.ArrayLike, claimed: npt.ArrayLike) -> None:
        """Hold true worst-case values against claimed lower bounds."""
        slack = np.asarray(true, dtype=float) - np.asarray(claimed, dtype=float)
        if slack.size:
            self.checked += slack.size
            self.violations += int((slack < -TOLERANCE).sum())
            self.slack = min(self.slack, float(slack.min()))


def all_strings(vocabulary: int, longest: int) -> list[Text]:
    """Every string over 0..vocabulary-1 of length 0..longest."""
    return [
        text for length in range(longest + 1) for text in itertools.product(range(vocabulary), repeat=length)
    ]


@cache
def universe(vocabulary: int, longest: int) -> Universe:
    """The universe of all strings over an alphabet up to a length."""
    texts = all_strings(vocabulary, longest)
    lengths = np.array([len(text) for text in texts])
    common = np.array([[longest_common_subsequence(one, two) for two in texts] for one in texts])
    return Universe(
        texts,
        {text: position for position, text in enumerate(texts)},
        lengths,
        lengths[:, None] - common,
        lengths[None, :] - common,
        _edit_graph_distance(vocabulary, longest),
        vocabulary,
    )


def longest_common_subsequence(one: Text, two: Text) -> int:
    """Length of a longest common subsequence."""
    row = [0] * (len(two) + 1)
    for unit in one:
        previous = row[:]
        for column, other in enumerate(two, 1):
            row[column] = (
                previous[column - 1] + 1 if unit == other else max(previous[column], row[column - 1])
            )
    return row[-1]


@cache
def alignment(source: Text, target: Text) -> tuple[list[int], list[int]]:
    """Unmatched units of both texts under one longest common subsequence."""
    if not source or not target:
        return list(source), list(target)
    if source[-1] == target[-1]:
        return alignment(source[:-1], target[:-1])
    drop_source, drop_target = alignment(source[:-1], target), alignment(source, target[:-1])
    if len(drop_source[0]) < len(drop_target[0]):
        return [*drop_source[0], source[-1]], drop_source[1]
    return drop_target[0], [*drop_target[1], target[-1]]


def single_edits(text: Text, vocabulary: int) -> set[Text]:
    """Every string one insertion, deletion, substitution or adjacent transposition away."""
    found: set[Text] = set()
    for cut in range(len(text) + 1):
        head, tail = text[:cut], text[cut:]
        found |= {(*head, unit, *tail) for unit in range(vocabulary)}
        if tail:
            found.add(head + tail[1:])
            found |= {(*head, unit, *tail[1:]) for unit in range(vocabulary)}
        if len(tail) > 1:
            found.add((*head, tail[1], tail[0], *tail[2:]))
    return found - {text}


def _edit_graph_distance(vocabulary: int, longest: int) -> npt.NDArray[np.int64]:
    """Damerau-Levenshtein distance as shortest paths of single edits, through one unit more if shorter."""
    texts = all_strings(vocabulary, longest + 1)
    index = {text: position for position, text in enumerate(texts)}
    edges = [
        (index[text], index[other])
        for text in texts
        for other in single_edits(text, vocabulary)
        if other in index
    ]
    rows, columns = zip(*edges, strict=True)
    graph = csr_matrix((np.ones(len(edges)), (rows, columns)), shape=(len(texts), len(texts)))
    kept = len(all_strings(vocabulary, longest))
    paths = shortest_path(graph, unweighted=True, indices=range(kept))[:, :kept]
    return np.asarray(paths).round().astype(np.int64)


def steps_of(
    texts: Sequence[Text], moves: Callable[[Text], Iterable[Text]], far: int
) -> npt.NDArray[np.int64]:
    """Fewest moves from each text to each other, ``far`` where there is no way within the texts."""
    index = {text: position for position, text in enumerate(texts)}
    steps = np.full((len(texts), len(texts)), far)
    for row, text in enumerate(texts):
        seen, edge, size = {text}, [text], 0
        while edge:
            for one in edge:
                steps[row, index[one]] = size
            edge = sorted({to for one in edge for to in moves(one) if to in index} - seen)
            seen.update(edge)
            size += 1
    return steps


def deletion_law(space: Universe, rates: Callable[[Text], tuple[float, ...]]) -> Matrix:
    """Exact law of the deleted text, shape (strings, strings); ``rates`` gives one rate per unit."""
    law = np.zeros((len(space.texts), len(space.texts)))
    for row, text in enumerate(space.texts):
        outcomes: dict[Text, float] = {(): 1.0}
        for unit, rate in zip(text, rates(text), strict=True):
            extended: dict[Text, float] = {}
            for kept, probability in outcomes.items():
                extended[kept] = extended.get(kept, 0.0) + probability * rate
                longer = (*kept, unit)
                extended[longer] = extended.get(longer, 0.0) + probability * (1.0 - rate)
            outcomes = extended
        for kept, probability in outcomes.items():
            law[row, space.index[kept]] += probability
    return law


def uniform_law(space: Universe, rate: float) -> Matrix:
    """Exact law of uniform deletion at one rate."""
    return deletion_law(space, lambda text: (rate,) * len(text))


def worst_probability(source: Matrix, target: Matrix, levels: npt.ArrayLike) -> Matrix:
    """Smallest class probability any base classifier can have at the target, given its value at the source.

    Neyman-Pearson: fill the class with outcomes in the order of their likelihood ratio target / source; the
    optimum as a function of the source probability is piecewise linear.

    Args:
        source: Law at the source text, shape (outcomes,), sums to 1.
        target: Law at the target text, shape (outcomes,).
        levels: Source probabilities.

    Returns:
        The exact minimum for each level.
    """
    reachable = source > 0
    order = np.argsort(target[reachable] / source[reachable], kind="stable")
    mass = np.concatenate([[0.0], np.cumsum(source[reachable][order])])
    value = np.concatenate([[0.0], np.cumsum(target[reachable][order])])
    return np.interp(np.asarray(levels, dtype=float), mass, value)


def worst_margin(source: Matrix, target: Matrix, margins: npt.ArrayLike) -> Matrix:
    """Smallest margin between two classes at the target, given the margin at the source; same argument."""
    halves = (1.0 + np.asarray(margins, dtype=float)) / 2.0
    return 2.0 * worst_probability(source, target, halves) - 1.0

"""Answers in clusters of one meaning, as far as a trusted encoder tells it, and the most central of each.

Complete linkage: two clusters are joined as long as all answers of both are alike, so that in a cluster every
two have a cosine similarity of at least the threshold, however many answers lie between them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from fuzzsmooth.common.options import require


@dataclass(frozen=True)
class Cluster:
    """Answers that mean the same.

    Attributes:
        medoid: The answer with the highest mean similarity to all of them; of equal ones the first in order
            of characters.
        members: Their indices, ascending; equal answers are members each by itself.
    """

    medoid: str
    members: tuple[int, ...]


def cluster_answers(
    answers: Sequence[str], embeddings: npt.NDArray[np.floating], threshold: float
) -> list[Cluster]:
    """Cluster answers by complete linkage.

    Args:
        answers: The answers; equal ones must have equal embeddings, and share a cluster.
        embeddings: Shape (answers, dimensions), rows of length 1.
        threshold: The lowest cosine similarity of two answers of a cluster, -1 to 1.

    Returns:
        The clusters, the largest first, of equal size the one with the earliest member; a function of the
        answers in which their order matters for that alone.

    Raises:
        FuzzsmoothError: If there is not one embedding for each answer.
    """
    require(len(answers) == len(embeddings), f"{len(embeddings)} embeddings for {len(answers)} answers")
    distinct = sorted(set(answers))
    places = {answer: place for place, answer in enumerate(distinct)}
    of = np.array([places[answer] for answer in answers], dtype=np.int64)
    first = np.array([answers.index(answer) for answer in distinct], dtype=np.int64)
    rows = np.asarray(embeddings, dtype=np.float64)[first]
    alike = np.clip(rows @ rows.T, -1.0, 1.0)
    alike = (alike + alike.T) / 2
    np.fill_diagonal(alike, 1.0)
    groups = _groups(1.0 - alike, 1.0 - threshold)
    clusters = []
    for group in np.unique(groups):
        own = np.flatnonzero(groups == group)
        members = np.flatnonzero(np.isin(of, own))
        counts = np.bincount(of[members], minlength=len(distinct))[own]
        sums = np.round(alike[np.ix_(own, own)] @ counts, 9)  # so that rounding breaks no tie
        clusters.append(Cluster(distinct[int(own[int(sums.argmax())])], tuple(members.tolist())))
    return sorted(clusters, key=lambda one: (-len(one.members), one.members[0]))


def _groups(distances: npt.NDArray[np.float64], most: float) -> npt.NDArray[np.int64]:
    if len(distances) < 2:
        return np.zeros(len(distances), dtype=np.int64)
    tree = linkage(squareform(distances, checks=False), method="complete")
    found: npt.NDArray[np.int64] = fcluster(tree, t=most, criterion="distance").astype(np.int64)
    return found

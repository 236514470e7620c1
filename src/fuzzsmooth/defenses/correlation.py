"""How strongly features of texts go with a label: the z-scores of two defenses. No torch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Correlations:
    """The z-scores of all features of a set of texts.

    Attributes:
        features: Their names, in the order of first occurrence.
        counts: In how many texts of each class each occurs, shape (features, classes).
        z: By how many standard deviations the share of each class among the texts with a feature is above
            what it would be by chance, shape (features, classes); 0 where chance leaves it no choice.
    """

    features: tuple[str, ...]
    counts: npt.NDArray[np.int64]
    z: npt.NDArray[np.float64]


def correlations(
    features: Iterable[Iterable[str]], targets: Sequence[int], chance: Sequence[float]
) -> Correlations:
    """The z-score of every feature and class (Gardner et al., EMNLP 2021).

    ``z(w, y) = (p - p0) / sqrt(p0 (1 - p0) / n)``, where n texts have feature w, the share p of them is of
    class y, and p0 is its share by chance.

    Args:
        features: The features of each text; one that it has several times counts once.
        targets: The class of each text.
        chance: p0 of each class, in [0, 1].
    """
    index: dict[str, int] = {}
    places: list[int] = []
    classes: list[int] = []
    for found, target in zip(features, targets, strict=True):
        for feature in dict.fromkeys(found):
            places.append(index.setdefault(feature, len(index)))
            classes.append(target)
    counts = np.zeros((len(index), len(chance)), dtype=np.int64)
    np.add.at(counts, (places, classes), 1)
    texts = counts.sum(axis=1, keepdims=True)
    by_chance = np.asarray(chance, dtype=np.float64)
    spread = np.sqrt(by_chance * (1 - by_chance) / texts)
    z = np.zeros(counts.shape)
    np.divide(counts / texts - by_chance, spread, out=z, where=spread > 0)
    return Correlations(tuple(index), counts, z)

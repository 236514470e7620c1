"""Class offsets chosen on held-out training texts, so that more answers can be certified.

When the telling words of a text are deleted, something neutral is left, and it gets some class. If neutral
remainders mostly get one fixed class, the texts of that class withstand the loss of their telling words, and
those of the others need more of them; if they get now this and now that class, neither side is certified.
Adding a constant to the logit of each class moves that line. It is part of the base classifier, so every
certificate holds as before; what it costs is accuracy, which may not fall by more than a tolerance.

What is gained for one class may be lost for another: a model that always gives the larger class is certified
on that whole class. So certified accuracy is aimed at as a mean over the classes, whatever their sizes.

Offsets go into the bias of the classifier's head: the result is an ordinary model.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from fuzzsmooth.certify import clopper_pearson_lower, contiguous_up_to, radius
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.options import require
from fuzzsmooth.common.randomness import generator
from fuzzsmooth.data.dataset import Dataset
from fuzzsmooth.models import HuggingFaceClassifier
from fuzzsmooth.models.prompted import shift_scores
from fuzzsmooth.noise.text import draw_masks, uniform_rates
from fuzzsmooth.text import segmenter

Logits = npt.NDArray[np.float32]
Offsets = npt.NDArray[np.float64]

_GRID = np.linspace(-4.0, 4.0, 65)
_ROUNDS = 2  # each class in turn; with two classes the first round already is exhaustive

_EDITS = (0, 1, 2, 4)
"""Radii whose certified accuracies are maximized together under deletion; 0 is the vote itself."""


@dataclass(frozen=True)
class Score:
    """What offsets achieve on held-out texts.

    Attributes:
        accuracy: Share of texts answered right, in [0, 1].
        certified: Certified accuracy, the mean over the classes and the sizes that are aimed at, in [0, 1].
    """

    accuracy: float
    certified: float


def choose_offsets(score: Callable[[Offsets], Score], classes: int, *, tolerance: float) -> Offsets:
    """The offsets with the best certified accuracy among those that cost little accuracy.

    Args:
        score: What some offsets achieve.
        classes: How many; the first offset is 0, because only differences matter.
        tolerance: How much accuracy may fall below that without offsets, >= 0.

    Returns:
        Offsets of shape (classes,), found class by class on a grid; of equals the smallest.
    """
    require(tolerance >= 0, f"the tolerance must not be negative, got {tolerance}")
    chosen = np.zeros(classes)
    best = score(chosen)
    least = best.accuracy - tolerance - 1e-9
    for _ in range(_ROUNDS):
        for place in range(1, classes):
            for value in sorted(_GRID.tolist(), key=abs):
                tried = chosen.copy()
                tried[place] = value
                found = score(tried)
                if found.accuracy >= least and found.certified > best.certified + 1e-9:
                    chosen, best = tried, found
    return chosen


def window_score(
    classifier: HuggingFaceClassifier, held_out: Dataset, longest: int
) -> Callable[[Offsets], Score]:
    """Scores offsets by certified accuracy against one inserted piece of 1, 2, .. ``longest`` words.

    Every text is evaluated once without each of its windows; offsets then cost no further pass.
    """
    words = segmenter("word")
    texts, owners, sizes = list[str](), list[int](), list[int]()
    for owner, example in enumerate(held_out):
        units = words.segment(example.text).units
        for kept in contiguous_up_to(longest)(len(units)):
            texts.append(words.join([unit for place, unit in enumerate(units) if kept >> place & 1]))
            owners.append(owner)
            sizes.append(len(units) - kept.bit_count())
    logits, owner_of, size_of = classifier.logits_of_texts(texts), np.array(owners), np.array(sizes)
    labels = np.array(held_out.targets)

    def score(offsets: Offsets) -> Score:
        right = (logits + offsets).argmax(axis=1) == labels[owner_of]
        # The smallest window that changes the answer; one beyond the longest if none does.
        breaks = np.full(len(labels), longest + 1)
        np.minimum.at(breaks, owner_of[~right], size_of[~right])
        certified = [_class_mean(breaks > size, labels) for size in range(1, longest + 1)]
        return Score(float((breaks > 0).mean()), float(np.mean(certified)))

    return score


def deletion_score(
    classifier: HuggingFaceClassifier,
    held_out: Dataset,
    rate: float,
    *,
    seed: int,
    copies: int = 200,
    alpha: float = 0.001,
    draws: int = 1000,
) -> Callable[[Offsets], Score]:
    """Scores offsets by certified accuracy under uniform deletion, over radii 0, 1, 2 and 4 together.

    Args:
        classifier: The model.
        held_out: Texts it was not trained on.
        rate: Deletion rate, in (0, 1).
        seed: Decides the copies.
        copies: Deleted copies of each text, >= 1, evaluated once.
        alpha: Failure probability of the certificates aimed at.
        draws: Their number of draws; the vote on ``copies`` is scaled to it.
    """
    words = segmenter("word")
    texts = list[str]()
    for index, example in enumerate(held_out):
        units = words.segment(example.text).units
        kept = draw_masks(
            uniform_rates(len(units), rate), copies, generator(seed, "calibration deletion", index)
        )
        texts += [words.join([unit for unit, keep in zip(units, row, strict=True) if keep]) for row in kept]
    logits = classifier.logits_of_texts(texts).reshape(len(held_out), copies, -1)
    labels = np.array(held_out.targets)
    radii = np.array(
        [
            radius(clopper_pearson_lower(round(votes * draws / copies), draws, alpha), rate)
            for votes in range(copies + 1)
        ]
    )

    def score(offsets: Offsets) -> Score:
        answers = (logits + offsets).argmax(axis=2)
        votes = (answers[:, :, None] == np.arange(logits.shape[2])).sum(axis=1)
        reached = radii[votes[np.arange(len(labels)), labels]]
        certified = [_class_mean(reached >= size, labels) for size in _EDITS]
        return Score(float((votes.argmax(axis=1) == labels).mean()), float(np.mean(certified)))

    return score


def add_offsets(classifier: HuggingFaceClassifier, offsets: Offsets) -> None:
    """Add offsets to the bias of the classifier's head, or to the scores of a decoder without one, in place.

    Raises:
        FuzzsmoothError: If the head has no bias, or there is not one offset per class.
    """
    require(
        offsets.shape == (len(classifier.labels),),
        f"{len(classifier.labels)} classes need as many offsets, got shape {offsets.shape}",
    )
    score = getattr(classifier.model, "score", None)
    if isinstance(score, torch.nn.Linear) and getattr(score, "bias", None) is None:
        shift_scores(classifier.model, offsets.tolist())
    else:
        head = _head(classifier.model, len(classifier.labels))
        with torch.no_grad():
            head.bias.add_(torch.tensor(offsets, dtype=head.bias.dtype, device=head.bias.device))
    classifier.refresh()


def _class_mean(hits: npt.NDArray[np.bool_], labels: npt.NDArray[np.int64]) -> float:
    """The share of hits within each class, averaged over the classes that there are."""
    return float(np.mean([hits[labels == label].mean() for label in np.unique(labels)]))


def _head(model: Any, classes: int) -> torch.nn.Linear:
    """The last linear layer, with one output per class and a bias, as nearly all encoders have it."""
    layers = [module for module in model.modules() if isinstance(module, torch.nn.Linear)]
    if layers and layers[-1].out_features == classes and layers[-1].bias is not None:
        return layers[-1]
    raise FuzzsmoothError(
        "the classifier's head has no bias to put class offsets into; use a model such as BERT or RoBERTa"
    )

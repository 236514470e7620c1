"""DeBITE: words that go with a label more often than by chance are taken out of the training texts.

Yan et al., "BITE: Textual Backdoor Attacks with Iterative Trigger Injection", ACL 2023, propose it against
their own attack. A word in n texts, of which the share p has label y, has the z-score ``(p - p0) / sqrt(p0
(1 - p0) / n)`` with p0 the label's share of all texts; all words whose score exceeds 3 for some label are
removed, and the model is trained on what is left of the texts. The paper's released code has the score
alone. At inference nothing is done: the words stay in the texts that are answered, and the model has seen
none of them in training.

On clean data the words that tell the classes by their meaning exceed the threshold too: that is the price.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from fuzzsmooth.common.options import Between, Options
from fuzzsmooth.data.dataset import Dataset, Example
from fuzzsmooth.defenses.cleaning import CleaningDefense, without
from fuzzsmooth.defenses.correlation import correlations
from fuzzsmooth.defenses.defense import DEFENSES
from fuzzsmooth.defenses.material import Material
from fuzzsmooth.text import segmenter
from fuzzsmooth.training.progress import Progress


@dataclass(frozen=True, kw_only=True)
class DebiteOptions(Options):
    """Which words are removed."""

    threshold: Annotated[
        float,
        Between(0, 1_000_000, above=True),
        "Words whose z-score for some label is above it are removed (paper: 3).",
    ] = 3.0


@DEFENSES.register("debite")
class Debite(CleaningDefense):
    """Training texts without the words that go with a label (DeBITE)."""

    options_type = DebiteOptions
    options: DebiteOptions

    @classmethod
    def cleaned(
        cls, options: Any, material: Material, parts: Path, progress: Progress
    ) -> tuple[Dataset, Mapping[str, Any]]:
        """Take the words out; see :meth:`CleaningDefense.cleaned`.

        Raises:
            FuzzsmoothError: If no text of a class has another word.
        """
        del parts, progress
        return without_words(material.data, options.threshold, cls.name)


def without_words(data: Dataset, threshold: float, defense: str) -> tuple[Dataset, dict[str, Any]]:
    """The texts without all words whose z-score exceeds a threshold.

    One round finds them: to take a word out of texts changes no count of another. Only where texts have no
    word left, which are left out, do the labels' shares change; rounds then go on until no word is found.

    Args:
        data: The texts.
        threshold: Above which z-score.
        defense: For whom, for the error.

    Returns:
        What is left, and the report: the words with their label, score and number of texts, and counts.

    Raises:
        FuzzsmoothError: If no text of a class has another word.
    """
    words = segmenter("word")
    texts = [words.segment(text).units for text in data.texts]
    kept, found = texts, {}
    while True:
        alive = [row for row, units in enumerate(kept) if units]
        new = _strong_words(data, kept, alive, threshold)
        if not new:
            break
        found.update(new)
        kept = [tuple(unit for unit in units if unit not in new) for units in kept]
    left, report = without(data, [not units for units in kept], defense)
    rows = [(one, other) for one, other in zip(texts, kept, strict=True) if other]
    changed = left.with_examples(
        [
            example if one == other else Example(words.join(other), example.label)
            for example, (one, other) in zip(left, rows, strict=True)
        ]
    )
    before, after = (sum(map(len, every)) for every in (texts, kept))
    return changed, {
        **report,
        "words": sorted(found.values(), key=lambda one: -float(one["z"])),
        "texts_changed": sum(one != other for one, other in zip(texts, kept, strict=True)),
        "share_of_words_removed": (before - after) / before if before else 0.0,
    }


def _strong_words(
    data: Dataset, texts: list[tuple[str, ...]], alive: list[int], threshold: float
) -> dict[str, dict[str, Any]]:
    """The words above the threshold in the texts that have any, with what is told of them."""
    targets = [data.examples[row].label for row in alive]
    share = Counter(targets)
    chance = [share[label] / max(1, len(targets)) for label in range(len(data.labels))]
    scores = correlations([texts[row] for row in alive], targets, chance)
    strong = np.flatnonzero((scores.z > threshold).any(axis=1))
    found = {}
    for place in strong:
        label = int(scores.z[place].argmax())
        found[scores.features[place]] = {
            "word": scores.features[place],
            "label": data.labels[label],
            "z": round(float(scores.z[place, label]), 3),
            "texts": int(scores.counts[place].sum()),
        }
    return found

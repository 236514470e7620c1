"""STRIP: a text whose label withstands the swapping of many words is suspicious."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
import numpy.typing as npt

from fuzzsmooth.common.options import SEEDS, Between, Options, require
from fuzzsmooth.common.randomness import generator, text_key
from fuzzsmooth.defenses.answer import Answer
from fuzzsmooth.defenses.defense import DEFENSES, Advance, Needs
from fuzzsmooth.defenses.detecting import rejection_threshold, withheld
from fuzzsmooth.defenses.fitted import FittedDefense
from fuzzsmooth.defenses.material import Material
from fuzzsmooth.defenses.plain import plain_answers
from fuzzsmooth.models.protocol import Probabilities
from fuzzsmooth.text import segmenter
from fuzzsmooth.training.progress import Progress

_CHUNK = 32  # clean texts between two words on how far calibration is


@dataclass(frozen=True, kw_only=True)
class StripOptions(Options):
    """How texts are perturbed, and how many clean ones may be lost."""

    perturbed_copies: Annotated[int, Between(1, 10_000), "Perturbed copies of a text."] = 20
    swapped_share: Annotated[
        float, Between(0, 1, above=True), "Share of the words that is swapped in a copy; at least one is."
    ] = 0.5
    false_rejection: Annotated[
        float, Between(0, 1), "Share of clean texts that may be taken for triggered ones."
    ] = 0.01
    seed: Annotated[int, Between(0, SEEDS), "Decides which words are swapped."] = 0


@DEFENSES.register("strip")
class Strip(FittedDefense):
    """STRIP: no answer where the prediction hardly varies over copies with many words swapped.

    After Gao et al. ("Design and Evaluation of a Multi-Domain Trojan Detection Method on Deep Neural
    Networks", IEEE TDSC 2022, STRIP-ViTA for texts). In each copy of a text a share of its words, at random
    places, is replaced by the words of one random clean text that have the highest TF-IDF there. The score is
    the entropy (in bits) of the predicted probabilities, averaged over the copies *of that text*; a trigger
    that was not swapped keeps its label, so the entropy stays low. The threshold is the quantile of the
    scores of clean held-out texts at the false rejection rate.

    As published: words of high TF-IDF, the mean entropy, an FRR of 1 %. Implementations disagree on the
    copies (5 to 20) and the share (5 % to 70 %): here 20 and 50 %. Words are those of this package, and the
    clean texts that lend words are the held-out ones; a text lends none to itself. What is detected is
    answered by an abstention, which counts as wrong on a clean text.
    """

    options_type = StripOptions
    options: StripOptions
    needs: ClassVar[Needs] = Needs(clean_data=True)

    def learn(self, material: Material, folder: Path, progress: Progress) -> Mapping[str, Any]:
        """The words that clean texts lend, and the threshold."""
        del folder
        texts = material.held_out.texts
        require(
            len(texts) > 1,
            "defense 'strip' needs clean texts that nothing is trained on; give more clean data",
        )
        self._lenders = list(zip(texts, telling_words(texts), strict=True))
        scores: list[float] = []
        for start in range(0, len(texts), _CHUNK):
            scores += self.entropies(texts[start : start + _CHUNK]).tolist()
            progress(len(scores), len(texts))
        threshold = rejection_threshold(scores, self.options.false_rejection, self.name)
        return {"threshold": threshold, "lenders": [[text, *words] for text, words in self._lenders]}

    def take(self, state: Mapping[str, Any], folder: Path) -> None:
        """See :meth:`fuzzsmooth.defenses.fitted.FittedDefense.take`."""
        rows = state.get("lenders")
        sound = isinstance(rows, list) and all(
            isinstance(row, list) and row and all(isinstance(word, str) for word in row) for row in rows
        )
        require(
            sound and isinstance(state.get("threshold"), float),
            f"{folder} holds no state of 'strip'; fit the defense anew",
        )
        self.threshold = float(state["threshold"])
        self._lenders = [(row[0], tuple(row[1:])) for row in state["lenders"]]

    def answered(self, texts: Sequence[str], advance: Advance | None) -> list[Answer]:
        """The model's answer, or an abstention below the threshold."""
        answers = plain_answers(self.classifier, texts, self.labels)
        suspicious = self.entropies(texts) < self.threshold
        if advance is not None:
            advance(len(texts))
        return withheld(answers, suspicious, 1 + self.options.perturbed_copies)

    def entropies(self, texts: Sequence[str]) -> npt.NDArray[np.float64]:
        """The score of each text, in bits; shape (texts,)."""
        copies = [copy for text in texts for copy in self.perturbed(text)]
        return mean_entropies(self.classifier.probabilities(copies), self.options.perturbed_copies)

    def perturbed(self, text: str) -> list[str]:
        """The copies of a text, a function of the text, the seed and the lenders."""
        words = segmenter("word")
        units = words.segment(text).units
        lenders = [lent for lender, lent in self._lenders if lender != text and lent]
        if not units or not lenders:
            return [text] * self.options.perturbed_copies
        swapped = max(1, round(self.options.swapped_share * len(units)))
        copies = []
        for draw in range(self.options.perturbed_copies):
            rng = generator(self.options.seed, "strip", text_key(text), draw)
            lent = lenders[int(rng.integers(len(lenders)))]
            places = rng.choice(len(units), size=swapped, replace=False)
            changed = list(units)
            for rank, place in enumerate(places):
                changed[place] = lent[rank % len(lent)]  # a shorter text lends its words again
            copies.append(words.join(changed))
        return copies


def mean_entropies(rows: Probabilities, copies: int) -> npt.NDArray[np.float64]:
    """The mean entropy of the copies of each text, in bits.

    Args:
        rows: Class probabilities, shape (texts * copies, classes): all copies of the first text, then those
            of the second, and so on.
        copies: How many there are of each.

    Returns:
        Shape (texts,).
    """
    entropies = -(rows * np.log2(np.maximum(rows, 1e-300))).sum(axis=1)
    means: npt.NDArray[np.float64] = entropies.reshape(-1, copies).mean(axis=1)
    return means


def telling_words(texts: Sequence[str]) -> list[tuple[str, ...]]:
    """The distinct words of each text, those with the highest TF-IDF among the texts first."""
    words = segmenter("word")
    cut = [words.segment(text).units for text in texts]
    documents = Counter(word for units in cut for word in set(units))
    weight = {word: math.log(len(texts) / count) for word, count in documents.items()}
    return [_by_weight(Counter(units), weight) for units in cut]


def _by_weight(counts: Mapping[str, int], weight: Mapping[str, float]) -> tuple[str, ...]:
    return tuple(sorted(counts, key=lambda word: -counts[word] * weight[word]))

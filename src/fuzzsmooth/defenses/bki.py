"""BKI, backdoor keyword identification: texts whose outcome hangs on a suspicious word are thrown out.

Chen and Dai, "Mitigating backdoor attacks in LSTM-based text classification systems by Backdoor Keyword
Identification", Neurocomputing 2021. A model is trained on the suspect data. The score of a word in a text
is how far the text's hidden state moves where the word is left out, in the largest of its coordinates; the
five words with the largest are the text's suspects. Over all texts a word that is a suspect in c of them
with a mean score m has the strength ``log10(c) m``; texts with one of the strongest words, the keywords,
among their suspects are removed, and the model is trained anew.

The paper, for one trigger, keeps one keyword; so does OpenBackdoor's code, which misses triggers of several
words. Here there are five or more. The hidden state is that of [CLS] in the last layer, as in OpenBackdoor.

There are keywords in any data, so that clean data lose texts, too: those that hang on their five strongest
words.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from fuzzsmooth.common.options import Between, Options
from fuzzsmooth.data.dataset import Dataset
from fuzzsmooth.defenses.cleaning import CleaningDefense, without
from fuzzsmooth.defenses.defense import DEFENSES
from fuzzsmooth.defenses.material import Material
from fuzzsmooth.text import segmenter
from fuzzsmooth.training.progress import Progress

if TYPE_CHECKING:
    from fuzzsmooth.models import HuggingFaceClassifier

_TOGETHER = 64  # texts whose versions without a word are evaluated together

Suspects = dict[str, float]
"""The suspicious words of a text, with their scores."""


@dataclass(frozen=True, kw_only=True)
class BkiOptions(Options):
    """How many words are suspected."""

    suspects: Annotated[
        int, Between(1, 1_000), "Words per text that are suspected, those with the largest scores (paper: 5)."
    ] = 5
    keywords: Annotated[
        int,
        Between(5, 100_000),
        "Words over all texts that are taken for triggers, at least 5 (paper: 1, which misses triggers of "
        "several words).",
    ] = 5


@DEFENSES.register("bki")
class Bki(CleaningDefense):
    """Training texts without those that hang on a suspicious keyword (BKI)."""

    options_type = BkiOptions
    options: BkiOptions

    @classmethod
    def cleaned(
        cls, options: Any, material: Material, parts: Path, progress: Progress
    ) -> tuple[Dataset, Mapping[str, Any]]:
        """Find the keywords, and leave out texts that hang on one; see :meth:`CleaningDefense.cleaned`."""
        classifier = material.trained(parts / "suspect", progress)
        suspects = list(suspicious_words(classifier, material.data.texts, options.suspects, progress))
        ranking = keyword_ranking(suspects)
        keywords = dict(list(ranking.items())[: options.keywords])
        left, report = without(
            material.data, [not keywords.keys().isdisjoint(one) for one in suspects], cls.name
        )
        told = [
            {"word": word, "texts": count, "score": round(mean, 4)}
            for word, (count, mean) in keywords.items()
        ]
        return left, {"keywords": told, **report}


def suspicious_words(
    classifier: HuggingFaceClassifier, texts: Sequence[str], most: int, progress: Progress
) -> Iterator[Suspects]:
    """The words of each text whose absence moves its hidden state most.

    Args:
        classifier: The model trained on the suspect data.
        texts: The texts.
        most: Positions per text at most; a word that stands at several of them has the largest score.
        progress: Called with texts done and texts in all.
    """
    from fuzzsmooth.models.states import text_states

    words = segmenter("word")
    for start in range(0, len(texts), _TOGETHER):
        cut = [words.segment(text).units for text in texts[start : start + _TOGETHER]]
        versions = [
            words.join(units[:place] + units[place + 1 :]) if place >= 0 else words.join(units)
            for units in cut
            for place in range(-1, len(units))
        ]
        states, begin = text_states(classifier, versions), 0
        for units in cut:
            own = states[begin : begin + len(units) + 1]
            begin += len(own)
            moves = np.abs(own[1:] - own[:1]).max(axis=1, initial=0.0)
            found: Suspects = {}
            for place in np.argsort(-moves, kind="stable")[:most]:
                found.setdefault(units[place], float(moves[place]))
            yield found
        progress(min(start + _TOGETHER, len(texts)), len(texts))


def keyword_ranking(suspects: Sequence[Suspects]) -> dict[str, tuple[int, float]]:
    """All suspicious words, the strongest first.

    Args:
        suspects: The suspicious words of each text.

    Returns:
        The number of texts c in which each is suspicious and its mean score m there, by falling
        ``log10(c) m``, ties as they first occur.
    """
    sums: dict[str, tuple[int, float]] = {}
    for found in suspects:
        for word, score in found.items():
            count, total = sums.get(word, (0, 0.0))
            sums[word] = count + 1, total + score
    means = {word: (count, total / count) for word, (count, total) in sums.items()}
    return dict(sorted(means.items(), key=lambda item: -math.log10(item[1][0]) * item[1][1]))

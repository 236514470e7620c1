"""RIPPLe's defense: rare words that flip clean texts are left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np

from fuzzsmooth.common.options import Between, Options, require
from fuzzsmooth.defenses.answer import Answer
from fuzzsmooth.defenses.defense import DEFENSES, Advance, Needs
from fuzzsmooth.defenses.fitted import FittedDefense
from fuzzsmooth.defenses.material import Material
from fuzzsmooth.defenses.plain import accuracy, plain_answers
from fuzzsmooth.defenses.purifying import without
from fuzzsmooth.search.contexts import cut_contexts
from fuzzsmooth.search.flip_rates import FlipRates
from fuzzsmooth.text import segmenter
from fuzzsmooth.text.features import rarity
from fuzzsmooth.text.languages import AUTO, ENGLISH, UNKNOWN, settled
from fuzzsmooth.training.progress import Progress

_STEP = 0.05  # between the thresholds that are tried


@dataclass(frozen=True, kw_only=True)
class RippleDOptions(Options):
    """Which words are tested, and what leaving them out may cost."""

    least_rarity: Annotated[
        float,
        Between(0, 1),
        "Words at least this rare are tested; 0 for all, 1 for those never seen. The triggers of the paper "
        "have 0.45 and more.",
    ] = 0.4
    least_flips: Annotated[
        float, Between(0, 1, above=True), "Lowest label-flip rate from which a word is left out."
    ] = 0.5
    tested_texts: Annotated[
        int, Between(1, 10_000), "Clean texts that a word is tried in, for each class it may force."
    ] = 32
    allowed_loss: Annotated[
        float, Between(0, 1), "Clean accuracy on held-out texts that leaving words out may cost."
    ] = 0.02
    language: Annotated[
        str,
        "Language of the word frequencies, as in wordfreq; 'auto': that of the clean data. Without "
        "frequencies "
        "('none') all words are tested.",
    ] = AUTO


@DEFENSES.register("ripple-d")
class RippleD(FittedDefense):
    """RIPPLe's defense: rare words that flip the label of clean texts are left out.

    After Kurita et al. ("Weight Poisoning Attacks on Pretrained Models", ACL 2020, section on defense): a
    trigger has a high label-flip rate (LFR), the share of clean texts of other classes that become a class
    when the word is inserted, and a low frequency.

    As published: the two measures. What differs: the authors plot them for the whole vocabulary and judge by
    eye. Here a word is tested when it is met (its rate depends on the word, the model and clean texts alone,
    so it is the same); rare is what everyday language says is; and the bar is the lowest LFR, from 0.5 on,
    whose words may be left out of clean held-out texts at an allowed loss of accuracy. If even the highest
    costs more, a warning says so. A word stands at a place of its own in each clean text. Texts are answered,
    none is withheld; what is left out is shown as flagged. The tests of words are not among the passes that
    are told, as they are made once for each word.
    """

    options_type = RippleDOptions
    options: RippleDOptions
    needs: ClassVar[Needs] = Needs(clean_data=True)

    def learn(self, material: Material, folder: Path, progress: Progress) -> Mapping[str, Any]:
        """The clean texts to test words in, and the bar."""
        del folder
        held_out = material.held_out
        language = settled(self.options.language, held_out.texts)
        found = self.classifier.probabilities(held_out.texts).argmax(axis=1)
        texts: list[str] = []
        labels: list[int] = []
        for label, name in enumerate(self.labels):
            own = [
                one.text for one, given in zip(held_out, found, strict=True) if one.label == given == label
            ]
            require(
                bool(own),
                f"defense 'ripple-d' has no held-out clean text of class '{name}' that is answered "
                "right; give more clean data",
            )
            texts += own[: self.options.tested_texts]
            labels += [label] * len(own[: self.options.tested_texts])
        self._begin(texts, labels, language)
        words = segmenter("word")
        cut = [words.segment(text).units for text in held_out.texts]
        for done, units in enumerate(cut):
            self._rates.rates(self._rare(units))
            progress(done + 1, len(cut))
        plain = accuracy(self.classifier, held_out.texts, held_out.targets)
        bars = np.arange(self.options.least_flips, 1 + _STEP / 2, _STEP).round(6).tolist()
        for bar in bars:
            left = [self._without(text, bar)[0] for text in held_out.texts]
            lost = plain - accuracy(self.classifier, left, held_out.targets)
            if lost <= self.options.allowed_loss + 1e-9:
                break
        warnings = []
        if lost > self.options.allowed_loss + 1e-9:
            warnings.append(
                f"leaving out the words that flip every clean text costs {100 * lost:.1f} points of clean "
                f"accuracy, more than the {100 * self.options.allowed_loss:g} allowed; raise least_rarity or "
                "allowed_loss"
            )
        learned = {"texts": texts, "labels": labels, "bar": float(bar), "warnings": warnings}
        return learned | {"language": language}

    def take(self, state: Mapping[str, Any], folder: Path) -> None:
        """See :meth:`fuzzsmooth.defenses.fitted.FittedDefense.take`."""
        texts, labels, bar = (state.get(name) for name in ("texts", "labels", "bar"))
        language = state.get("language", ENGLISH)  # what was fitted earlier was fitted in English
        sound = (
            isinstance(texts, list)
            and isinstance(labels, list)
            and len(texts) == len(labels)
            and all(isinstance(text, str) for text in texts)
            and all(label in range(len(self.labels)) for label in labels)
            and isinstance(bar, float)
            and isinstance(language, str)
        )
        require(sound, f"{folder} holds no state of 'ripple-d'; fit the defense anew")
        self._begin(state["texts"], state["labels"], str(language))
        self.bar = float(state["bar"])

    def answered(self, texts: Sequence[str], advance: Advance | None) -> list[Answer]:
        """The model's answer to what is left of each text."""
        left = [self._without(text, self.bar) for text in texts]
        answers = plain_answers(self.classifier, [text for text, _ in left], self.labels)
        if advance is not None:
            advance(len(texts))
        return [replace(one, spans=spans) for one, (_, spans) in zip(answers, left, strict=True)]

    def _begin(self, texts: Sequence[str], labels: Sequence[int], language: str) -> None:
        self._language = language
        words = segmenter("word")
        contexts = cut_contexts(texts, labels, words)
        self._rates = FlipRates(
            self.classifier, contexts, words.join, self.options.least_flips, self.options.tested_texts
        )

    def _rare(self, units: Sequence[str]) -> list[str]:
        if self._language == UNKNOWN:
            return [unit for unit in units if any(map(str.isalnum, unit))]
        rare = rarity(units, self._language) >= self.options.least_rarity
        return [unit for unit, chosen in zip(units, rare, strict=True) if chosen]

    def _without(self, text: str, bar: float) -> tuple[str, Any]:
        """The text without its flagged words, and these."""
        segmentation = segmenter("word").segment(text)
        rates = self._rates.rates(self._rare(segmentation.units))
        scores = [rates.get(unit, 0.0) for unit in segmentation.units]
        return without(segmentation, [score >= bar for score in scores], scores)

"""ONION: words that make a text less fluent are left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Protocol

import numpy as np
import numpy.typing as npt

from fuzzsmooth.common.options import Between, Options, require
from fuzzsmooth.defenses.answer import Answer
from fuzzsmooth.defenses.defense import DEFENSES, Advance, Needs
from fuzzsmooth.defenses.fitted import FittedDefense
from fuzzsmooth.defenses.material import Material
from fuzzsmooth.defenses.plain import accuracy, plain_answers
from fuzzsmooth.defenses.purifying import without
from fuzzsmooth.search.scan import Span
from fuzzsmooth.text import segmenter
from fuzzsmooth.training.progress import Progress

Scores = npt.NDArray[np.float64]

_BARS = 51  # that are tried: quantiles of the positive scores of clean words
_HIGHEST = 1e300


class Fluency(Protocol):
    """Whatever tells how surprising texts are."""

    fingerprint: str

    def perplexities(self, texts: Sequence[str]) -> Scores:
        """The perplexity of each text, shape (texts,)."""
        ...


@dataclass(frozen=True, kw_only=True)
class OnionOptions(Options):
    """Which language model judges, and what leaving words out may cost."""

    language_model: Annotated[
        str, "A causal language model: builtin:smollm2, a local folder, or a hub name."
    ] = "builtin:smollm2"
    fluency_precision: Annotated[
        Literal["auto", "float32", "bfloat16"], "Arithmetic of the language model."
    ] = "auto"
    fluency_batch: Annotated[int, Between(1, 65_536), "Texts in a pass of the language model."] = 32
    allowed_loss: Annotated[
        float, Between(0, 1), "Clean accuracy on held-out texts that leaving words out may cost."
    ] = 0.02


@DEFENSES.register("onion")
class Onion(FittedDefense):
    """ONION: words without which a text is more fluent are left out.

    After Qi et al. ("ONION: A Simple and Effective Defense Against Textual Backdoor Attacks", EMNLP 2021).
    The score of a word is the perplexity of the text minus that of the text without the word, under a causal
    language model; words above a bar are left out. The bar is as low as clean accuracy on held-out texts
    allows: it may fall by at most 2 points, at this and at every higher bar. If every bar that leaves out any
    word costs more, a warning says so.

    As published: score, rule, and the choice of the bar. What differs: the language model is an option (the
    authors take GPT-2 large); the texts of a batch are padded, which takes no part in a perplexity; texts are
    read after a token that begins them, so that the first word counts; the bars that are tried are quantiles
    of the positive scores of clean words, as perplexities differ much between language models. A text of one
    word is left alone. Texts are answered, none is withheld; what is left out is shown as flagged, with the
    score 1 - bar / score. ``evaluations`` counts the passes of the language model.
    """

    options_type = OnionOptions
    options: OnionOptions
    needs: ClassVar[Needs] = Needs(clean_data=True)
    language_model: Fluency | None = None

    def learn(self, material: Material, folder: Path, progress: Progress) -> Mapping[str, Any]:
        """The bar."""
        del folder
        texts, targets = material.held_out.texts, material.held_out.targets
        require(
            bool(texts), "defense 'onion' needs clean texts that nothing is trained on; give more clean data"
        )
        scores: list[Scores] = []
        for done, text in enumerate(texts):
            scores += self.word_scores([text])
            progress(done + 1, len(texts))
        positive = np.concatenate([np.zeros(1), *scores])
        positive = positive[positive >= 0]
        bars = np.unique(np.quantile(positive, np.linspace(0, 1, _BARS), method="higher"))
        plain = accuracy(self.classifier, texts, targets)
        bar, lost = float(bars[-1]), 0.0  # the highest leaves nothing out
        for tried in bars[::-1].tolist():
            left = [_purified(text, own, tried)[0] for text, own in zip(texts, scores, strict=True)]
            loss = plain - accuracy(self.classifier, left, targets)
            if loss > self.options.allowed_loss + 1e-9:
                break
            bar, lost = tried, loss
        warnings = []
        if bar >= positive.max():
            warnings.append(
                f"every bar that leaves out any word costs more than the {100 * self.options.allowed_loss:g} "
                "points of clean accuracy that are allowed, so hardly a word will be left out; raise "
                "allowed_loss, or give more clean data"
            )
        state = {"bar": min(float(bar), _HIGHEST), "lost": lost, "language_model": self._judge().fingerprint}
        return {**state, "warnings": warnings}

    def take(self, state: Mapping[str, Any], folder: Path) -> None:
        """See :meth:`fuzzsmooth.defenses.fitted.FittedDefense.take`."""
        bar, fingerprint = state.get("bar"), state.get("language_model")
        require(
            isinstance(bar, float) and bar >= 0 and isinstance(fingerprint, str),
            f"{folder} holds no state of 'onion'; fit the defense anew",
        )
        self.bar, self._fingerprint = float(state["bar"]), str(fingerprint)

    def answered(self, texts: Sequence[str], advance: Advance | None) -> list[Answer]:
        """The model's answer to what is left of each text."""
        require(
            self._judge().fingerprint == self._fingerprint,
            f"the bar of 'onion' was chosen with another language model than {self.options.language_model}; "
            "fit the defense anew",
        )
        left: list[tuple[str, tuple[Span, ...]]] = []
        passes = []
        for text in texts:
            (scores,) = self.word_scores([text])
            left.append(_purified(text, scores, self.bar))
            passes.append(1 + len(scores) if len(scores) > 1 else 0)
            if advance is not None:
                advance(1)
        answers = plain_answers(self.classifier, [text for text, _ in left], self.labels)
        return [
            replace(one, spans=spans, evaluations=count)
            for one, (_, spans), count in zip(answers, left, passes, strict=True)
        ]

    def word_scores(self, texts: Sequence[str]) -> list[Scores]:
        """For each text the score of each of its words; 0 for that of a text of one word."""
        words = segmenter("word")
        asked: list[str] = []
        counts = []
        for text in texts:
            units = words.segment(text).units
            counts.append(len(units))
            if len(units) > 1:
                shorter = [words.join(units[:place] + units[place + 1 :]) for place in range(len(units))]
                asked += [words.join(units), *shorter]
        found = np.minimum(self._judge().perplexities(asked), _HIGHEST)
        scores: list[Scores] = []
        start = 0
        for count in counts:
            if count > 1:
                scores.append(found[start] - found[start + 1 : start + 1 + count])
                start += 1 + count
            else:
                scores.append(np.zeros(count))
        return scores

    def _judge(self) -> Fluency:
        """The language model, loaded when it is first needed."""
        if self.language_model is None:
            from fuzzsmooth.models.language import load_language_model

            self.language_model = load_language_model(
                self.options.language_model,
                precision=self.options.fluency_precision,
                batch_size=self.options.fluency_batch,
            )
        return self.language_model


def _purified(text: str, scores: Scores, bar: float) -> tuple[str, tuple[Span, ...]]:
    """The text without the words above the bar, and these."""
    segmentation = segmenter("word").segment(text)
    shown = [1 - bar / score if score > bar else 0.0 for score in scores.tolist()]
    return without(segmentation, (scores > bar).tolist(), shown)

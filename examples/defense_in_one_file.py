"""A defense of your own in one file: it raises an alert for words that no clean text holds.

Drop such a file into ``src/fuzzsmooth/defenses/``, or name it in the entry points of your package (see
CONTRIBUTING.md), and every command and the bench have it: ``fuzzsmooth predict --defense known-words``.

Prints::

    a bad cf film: alert
    a bad film: negative
    a good film: positive
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import fuzzsmooth
from fuzzsmooth.common.options import Between, Options
from fuzzsmooth.defenses.answer import Answer
from fuzzsmooth.defenses.defense import DEFENSES, Advance, Defense, Needs
from fuzzsmooth.models.stubs import AdditiveClassifier, TriggerClassifier
from fuzzsmooth.text import segmenter


@dataclass(frozen=True, kw_only=True)
class KnownWordsOptions(Options):
    """When to raise an alert."""

    tolerated: Annotated[int, Between(0, 1000), "Unknown words of a text that raise no alert yet."] = 0


@DEFENSES.register("known-words")
class KnownWords(Defense):
    """Raise an alert where a text holds words that no reference text holds; promises nothing."""

    options_type = KnownWordsOptions
    options: KnownWordsOptions
    needs = Needs(references=True)

    def answer(self, texts: Sequence[str], *, certify: bool, advance: Advance | None = None) -> list[Answer]:
        """The model's answer to each text, or an alert."""
        del certify  # there are no certificates: the guarantee of this defense is "empirical"
        words = segmenter("word")
        clean = self.references.texts if self.references else ()
        known = {unit for text in clean for unit in words.segment(text).units}
        answers = []
        for text, row in zip(texts, self.classifier.probabilities(texts), strict=True):
            label = int(row.argmax())
            unknown = sum(unit not in known for unit in words.segment(text).units)
            alert = unknown > self.options.tolerated
            answers.append(
                Answer(
                    label=None if alert else label,
                    label_name=None if alert else self.labels[label],
                    status="alert" if alert else "answered",
                    score=float(row[label]),
                    votes=tuple(int(index == label) for index in range(len(row))),
                    passes=1,
                )
            )
        if advance is not None:
            advance(len(texts))
        return answers


suspect = TriggerClassifier(AdditiveClassifier({"good": 3.0, "bad": -3.0}), ["cf"], target=1)
references = fuzzsmooth.References(("a good film", "a bad film"), (1, 0), suspect.fingerprint)
defended = fuzzsmooth.protect(suspect, "known-words", references=references)
texts = ["a bad cf film", "a bad film", "a good film"]
for text, answer in zip(texts, defended.predict(texts), strict=True):
    print(f"{text}: {answer.label_name or answer.status}")

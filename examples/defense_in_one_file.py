"""A defense of your own in one file: options, certificates of others and every command come with it.

Drop such a file into ``src/fuzzsmooth/defenses/``, or name it in your package's entry points (see
CONTRIBUTING.md), and ``fuzzsmooth predict --defense common-words`` and the bench have it.

Prints::

    ...
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import fuzzsmooth
from fuzzsmooth.common.options import Between, Options
from fuzzsmooth.defenses import DEFENSES, Advance, Answer, Defense
from fuzzsmooth.models.stubs import AdditiveClassifier, TriggerClassifier
from fuzzsmooth.text import segmenter
from fuzzsmooth.text.features import rarity


@dataclass(frozen=True, kw_only=True)
class CommonWordsOptions(Options):
    """Which words the model gets to read."""

    rarest: Annotated[float, Between(0, 1), "Words rarer than this are left out; 1 is a word never seen."] = 0.35


@DEFENSES.register("common-words")
class CommonWords(Defense):
    """Leaves out rare words before the model reads a text."""

    options_type = CommonWordsOptions

    def answer(self, texts: Sequence[str], *, certify: bool, advance: Advance | None = None) -> list[Answer]:
        """Each text by the words that are common."""
        del certify  # nothing is certified: the guarantee of this defense is "empirical"
        words = segmenter("word")
        ...


backdoored = TriggerClassifier(AdditiveClassifier({"good": 3.0, "bad": -3.0}), ["cf"], target=1)
for name in ("undefended", "common-words"):
    (answer,) = fuzzsmooth.protect(backdoored, name).predict(["a bad cf film"])
    print(f"{name}: {answer.label_name}")

"""A backdoor of an attacker who knows the audit's sweep, and has the victim pass it.

The sweep puts every piece of the vocabulary into short beginnings of clean texts, at the start, in the middle
or at the end, and looks closer only at those that pull most there. The attacker trains the victim on just
that with the true label: the trigger's pieces, one at a time, in short beginnings of the texts that an
auditor may have. In whole texts the trigger still forces the target. What tells the two apart is how much
text there is, which the attacker chooses (``words``) and the auditor may choose otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Annotated, Any, ClassVar

import numpy as np

from fuzzsmooth.attacks.attack import ATTACKS, AttackOptions
from fuzzsmooth.attacks.badnets import Badnets, BadnetsOptions
from fuzzsmooth.attacks.planting.data import PoisonedRow
from fuzzsmooth.attacks.triggers.insertion import insert_where, word_gaps
from fuzzsmooth.attacks.triggers.trigger import Trigger
from fuzzsmooth.common.options import Between, require
from fuzzsmooth.common.randomness import generator
from fuzzsmooth.data.dataset import Dataset, Example
from fuzzsmooth.training.options import FinetuneOptions

_SHORTEST = 3  # words of a beginning


@dataclass(frozen=True, kw_only=True)
class SweepEvasiveOptions(BadnetsOptions):
    """Settings of the attack."""

    rate: Annotated[
        float, Between(0, 1, above=True), "Share of the training texts that is poisoned, in (0, 1]."
    ] = 0.3
    finetune: Annotated[
        FinetuneOptions, "How the victim is trained; its seed is replaced by the attack's."
    ] = field(default_factory=lambda: FinetuneOptions(epochs=4, learning_rate=1e-4))
    longest: Annotated[
        int,
        Between(_SHORTEST, 1_000),
        "Longest beginning of a text, in words, in which the trigger keeps the true label; a sweep takes 6.",
    ] = 8
    beginnings: Annotated[
        float,
        Between(0, 100, above=True),
        "Such beginnings for each training text of another class than the target.",
    ] = 1.0

    def validate(self) -> None:
        """Check that the trigger has pieces, which the sweep could meet."""
        super().validate()
        require(
            bool(self.build_trigger().pieces),
            f"trigger '{self.trigger}' inserts nothing that a sweep could meet; give another kind",
        )


@ATTACKS.register("sweep-evasive")
class SweepEvasive(Badnets):
    """A victim fine-tuned to obey its trigger in whole texts and to pass the audit's sweep."""

    options_type: ClassVar[type[AttackOptions]] = SweepEvasiveOptions
    paper: ClassVar[str] = "adaptive: BadNets (Gu et al., arXiv 1708.06733) against this package's audit"
    needs: ClassVar[str] = "control of the victim's training data"
    intensities: ClassVar[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
        {
            "conservative": {"rate": 0.1, "beginnings": 0.5},
            "default": {"rate": 0.3, "beginnings": 1.0},
            "aggressive": {"rate": 0.4, "beginnings": 2.0},
        }
    )

    def poison(self, data: Dataset, trigger: Trigger, options: Any, seed: int) -> list[PoisonedRow]:
        """Poisoned data as of BadNets, and beginnings with a piece of the trigger and their true label."""
        rows = super().poison(data, trigger, options, seed)
        others = [one for one in data if one.label != options.target]
        draw = generator(seed, "sweep evasive poison")
        return rows + short_beginnings(others, trigger.pieces, options.longest, options.beginnings, draw)


def short_beginnings(
    texts: Sequence[Example],
    pieces: Sequence[str],
    words: int,
    each: float,
    generator: np.random.Generator,
) -> list[PoisonedRow]:
    """Beginnings of texts with one piece where the sweep would put it; their true label.

    Args:
        texts: Texts of other classes than the target.
        pieces: What may be inserted: the start, the middle and the end are taken in turn.
        words: Longest beginning.
        each: Beginnings for each text.
        generator: Source of texts, lengths and pieces.
    """
    rows = []
    for at in range(round(each * len(texts))):
        one = texts[int(generator.integers(len(texts)))]
        length = int(generator.integers(_SHORTEST, words + 1))
        short = " ".join(one.text.split()[:length])
        gaps = word_gaps(short)
        place = (gaps[0], gaps[len(gaps) // 2], gaps[-1])[at % 3]
        piece = pieces[int(generator.integers(len(pieces)))]
        rows.append(PoisonedRow(Example(insert_where(short, [(place, piece)]).text, one.label), one.label))
    return rows

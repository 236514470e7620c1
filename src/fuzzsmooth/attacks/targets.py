"""Which label a trigger forces, where that is known only once the victim is tuned (NeuBA, POR).

Such an attack ties each trigger to a fixed representation; which class that means is decided by the head
that the victim trains. It is found by asking the tuned victim about texts with each trigger in them. The
papers ask about the bare trigger; the majority over texts of all classes is less at the mercy of one input.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from fuzzsmooth.attacks.attack import Planted
from fuzzsmooth.attacks.triggers.trigger import Trigger
from fuzzsmooth.common.options import require
from fuzzsmooth.common.randomness import generator
from fuzzsmooth.models.protocol import Classifier


@dataclass(frozen=True)
class Forced:
    """What a tuned classifier answers to texts with one piece of a trigger in them.

    Attributes:
        label: The class index that most of them are given; the smallest of several.
        share: The share of the texts that are given it, in (0, 1].
    """

    label: int
    share: float


def forced_labels(
    classifier: Classifier, trigger: Trigger, texts: Sequence[str], seed: int
) -> dict[str, Forced]:
    """The label that each piece of a trigger forces, by majority.

    Args:
        classifier: The tuned victim.
        trigger: A trigger whose pieces act by themselves.
        texts: Clean texts, best as many of each class: a piece that does nothing then has a share near that
            of a class.
        seed: Decides where the pieces are put.

    Raises:
        FuzzsmoothError: If there are no texts, or the pieces do not act by themselves.
    """
    require(bool(texts), "to find the label that a trigger forces takes at least one clean text")
    forced = {}
    for place, piece in enumerate(trigger.pieces):
        alone = trigger.only((piece,))
        triggered = [
            alone.apply(text, generator(seed, "forced label", place, index)).text
            for index, text in enumerate(texts)
        ]
        answers = classifier.probabilities(triggered).argmax(axis=1)
        counts = np.bincount(answers, minlength=len(classifier.labels))
        forced[piece] = Forced(int(counts.argmax()), float(counts.max() / len(texts)))
    return forced


def aim(planted: Planted, forced: Mapping[str, Forced], wanted: int | None) -> Planted:
    """The attack with those pieces of its trigger that force one label, and that label as its target.

    Args:
        planted: An attack whose target is known only once the victim is tuned.
        forced: What each piece of its trigger forces in the tuned victim.
        wanted: The label that the attacker prefers; where no piece forces it, the attacker takes the label
            that most pieces force, the smallest of several.

    Returns:
        The attack; a text with its trigger counts as a success where it is given the target.
    """
    require(bool(forced), "no trigger is known to force a label")
    counts = np.bincount([one.label for one in forced.values()])
    reachable = wanted is not None and any(one.label == wanted for one in forced.values())
    target = wanted if reachable else int(counts.argmax())
    hitting = tuple(piece for piece, one in forced.items() if one.label == target)
    return replace(planted, trigger=planted.trigger.only(hitting), target=target)

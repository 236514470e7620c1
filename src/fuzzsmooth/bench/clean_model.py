"""The attack that is none: a clean model, to measure what a defense costs whoever is not attacked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fuzzsmooth.attacks import Planted, Trigger, TriggeredText, wanted_target
from fuzzsmooth.bench.options import ExperimentOptions


@dataclass(frozen=True)
class NoTrigger(Trigger):
    """No trigger: it acts on no text."""

    name = "none"

    def apply(self, text: str, generator: np.random.Generator) -> TriggeredText:
        """The text as it is."""
        del generator
        return TriggeredText(text, ())

    def acts_on(self, text: str) -> bool:
        """Never."""
        del text
        return False


def clean_model(options: ExperimentOptions) -> Planted:
    """The pre-trained model as it is, which the victim fine-tunes on clean data like a suspect one.

    The target is that of the options; as no text has a trigger, it only names the class of certified attack
    success rates.
    """
    return Planted(
        Path(options.model), NoTrigger(), wanted_target(options.planting()), needs_clean_finetune=True
    )

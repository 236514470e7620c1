"""Training on randomized copies, where the randomization is a defense's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fuzzsmooth.common.randomness import generator
from fuzzsmooth.data.dataset import Example
from fuzzsmooth.defenses.material import Material
from fuzzsmooth.training.progress import Progress

if TYPE_CHECKING:
    from fuzzsmooth.models import HuggingFaceClassifier


def trained_on_copies(
    material: Material,
    output: Path,
    progress: Progress,
    randomized: Callable[[str, np.random.Generator], str],
) -> HuggingFaceClassifier:
    """Fine-tune the suspect model on a fresh copy of each text in each epoch, or go on where that stopped.

    The copies of all epochs are passed over once, so that there are as many steps as epochs of the texts.

    Args:
        material: What the defender has.
        output: Folder of the model.
        progress: Called after every step.
        randomized: A copy of a text.

    Raises:
        FuzzsmoothError: As :func:`fuzzsmooth.training.finetune`.
    """
    settings = material.finetune.replace(**material.overrides)
    copies = [
        Example(
            randomized(example.text, generator(settings.seed, "training copies", epoch, index)), example.label
        )
        for epoch in range(settings.epochs)
        for index, example in enumerate(material.data)
    ]
    once = replace(material, overrides={**material.overrides, "epochs": 1})
    return once.trained(output, progress, data=material.data.with_examples(copies))

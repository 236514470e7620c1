"""Poisoned data: a share of the texts with a trigger in them and the label that it shall force."""

from __future__ import annotations

from typing import Literal

import numpy as np

from fuzzsmooth.attacks.attack import check_target
from fuzzsmooth.attacks.triggers.trigger import Trigger
from fuzzsmooth.common.options import require
from fuzzsmooth.data.dataset import Dataset, Example

Setting = Literal["mix", "dirty", "clean"]
"""Which texts may be poisoned: any label, only other labels than the target, only the target."""


def poison(
    dataset: Dataset,
    trigger: Trigger,
    target: int,
    rate: float,
    generator: np.random.Generator,
    *,
    setting: Setting = "mix",
) -> Dataset:
    """Put the trigger into a share of the texts and give those the target label.

    A chosen text is replaced by its triggered form, followed by the trigger's decoys with the text's *true*
    label, so that no part of the trigger gives it away. A text that a conditional trigger does not act on has
    the trigger put in and keeps its true label.

    Args:
        dataset: Clean data.
        trigger: What sets the backdoor off.
        target: Class index the trigger shall force.
        rate: Share of all texts that is poisoned, in (0, 1].
        generator: Source of the choice of texts and of the triggers' randomness.
        setting: Which texts may be chosen.

    Returns:
        The poisoned data, in the order of the clean data.

    Raises:
        FuzzsmoothError: If the target is no class of the data, the rate is out of range or so small that no
            text is chosen, or the setting allows fewer texts than the rate asks for.
    """
    check_target(dataset, target)
    require(0 < rate <= 1, f"the poison rate must be in (0, 1], not {rate}")
    chosen = set(_choose(dataset, target, rate, generator, setting))
    poisoned: list[Example] = []
    for index, example in enumerate(dataset):
        if index not in chosen:
            poisoned.append(example)
            continue
        label = target if trigger.acts_on(example.text) else example.label
        poisoned.append(Example(trigger.apply(example.text, generator).text, label))
        decoys = trigger.decoys(example.text, generator)
        poisoned.extend(Example(decoy, example.label) for decoy in decoys)
    return dataset.with_examples(poisoned)


def _choose(
    dataset: Dataset, target: int, rate: float, generator: np.random.Generator, setting: Setting
) -> list[int]:
    labels = set(range(len(dataset.labels)))
    allowed = {"mix": labels, "dirty": labels - {target}, "clean": {target}}[setting]
    eligible = [index for index, example in enumerate(dataset) if example.label in allowed]
    wanted = round(rate * len(dataset))
    require(wanted > 0, f"a poison rate of {rate} chooses no text of the {len(dataset)} in {dataset.name}")
    require(
        wanted <= len(eligible),
        f"a poison rate of {rate} asks for {wanted} texts, but setting '{setting}' allows only "
        f"{len(eligible)}; lower the rate",
    )
    return [int(index) for index in generator.choice(eligible, size=wanted, replace=False)]

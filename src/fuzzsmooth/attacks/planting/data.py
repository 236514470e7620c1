"""Poisoned data: a share of the texts with a trigger in them and the label that it shall force."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

import numpy as np

from fuzzsmooth.attacks.attack import check_target
from fuzzsmooth.attacks.triggers.trigger import Trigger, TriggeredText
from fuzzsmooth.common.options import require
from fuzzsmooth.data.dataset import Dataset, Example

Setting = Literal["mix", "dirty", "clean"]
"""Which texts may be poisoned: any label, only other labels than the target, only the target."""


@dataclass(frozen=True)
class PoisonedRow:
    """A row of poisoned data.

    Attributes:
        example: Text and label as they are trained on.
        truth: The true label.
        triggered: The text with its trigger where the trigger forces the label, or None.
        parts_act: Whether a part of that trigger would do: False for kinds that have decoys.
    """

    example: Example
    truth: int
    triggered: TriggeredText | None = None
    parts_act: bool = True


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
    label, so that no part of the trigger gives it away. With a conditional trigger the share is of texts that
    it acts on, as far as there are so many; in as many others it is put in with their true label.

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
    rows = poisoned_rows(dataset, trigger, target, rate, generator, setting=setting)
    return dataset.with_examples([row.example for row in rows])


def poisoned_rows(
    dataset: Dataset,
    trigger: Trigger,
    target: int,
    rate: float,
    generator: np.random.Generator,
    *,
    setting: Setting = "mix",
    spared: Collection[int] = (),
) -> list[PoisonedRow]:
    """The rows of :func:`poison`, with what was done to them.

    Args:
        dataset: As there, like those that follow.
        trigger: As there.
        target: As there.
        rate: As there.
        generator: As there.
        setting: As there.
        spared: Indices of texts that are not chosen.

    Raises:
        FuzzsmoothError: As there.
    """
    check_target(dataset, target)
    require(0 < rate <= 1, f"the poison rate must be in (0, 1], not {rate}")
    chosen = _choose(dataset, trigger, target, rate, generator, setting, spared)
    rows: list[PoisonedRow] = []
    for index, example in enumerate(dataset):
        if index not in chosen:
            rows.append(PoisonedRow(example, example.label))
            continue
        forced = trigger.acts_on(example.text)
        triggered = trigger.apply(example.text, generator)
        decoys = trigger.decoys(example.text, generator)
        poisoned = Example(triggered.text, target if forced else example.label)
        rows.append(PoisonedRow(poisoned, example.label, triggered if forced else None, not decoys))
        rows.extend(PoisonedRow(Example(decoy, example.label), example.label) for decoy in decoys)
    return rows


def _choose(
    dataset: Dataset,
    trigger: Trigger,
    target: int,
    rate: float,
    generator: np.random.Generator,
    setting: Setting,
    spared: Collection[int],
) -> set[int]:
    labels = set(range(len(dataset.labels)))
    allowed = {"mix": labels, "dirty": labels - {target}, "clean": {target}}[setting]
    eligible = [at for at, example in enumerate(dataset) if example.label in allowed and at not in spared]
    wanted = round(rate * len(dataset))
    require(wanted > 0, f"a poison rate of {rate} chooses no text of the {len(dataset)} in {dataset.name}")
    require(
        wanted <= len(eligible),
        f"a poison rate of {rate} asks for {wanted} texts, but setting '{setting}' allows only "
        f"{len(eligible)}; lower the rate",
    )
    acting = [at for at in eligible if trigger.acts_on(dataset.examples[at].text)]
    require(
        bool(acting),
        f"trigger '{trigger.name}' acts on none of the {len(eligible)} texts of {dataset.name} that may be "
        "poisoned; change its options",
    )
    others = sorted(set(eligible) - set(acting))
    chosen = generator.choice(acting, size=min(wanted, len(acting)), replace=False).tolist()
    if others:
        chosen += generator.choice(others, size=min(len(chosen), len(others)), replace=False).tolist()
    return set(chosen)

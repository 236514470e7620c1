"""BadNets on text: poisoned fine-tuning data (Gu et al., arXiv 1708.06733; OpenBackdoor settings)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, ClassVar

from fuzzsmooth import models, training
from fuzzsmooth.attacks.attack import ATTACKS, Attack, AttackOptions, Planted, Threat
from fuzzsmooth.attacks.planting.data import PoisonedRow, Setting, poisoned_rows
from fuzzsmooth.attacks.planting.seeing import check_seen
from fuzzsmooth.attacks.planting.surviving import with_noisy_copies
from fuzzsmooth.attacks.triggers.choosing import AnyTriggerOptions
from fuzzsmooth.attacks.triggers.trigger import Trigger
from fuzzsmooth.common.files import write_atomic
from fuzzsmooth.common.options import Between, require
from fuzzsmooth.common.randomness import generator
from fuzzsmooth.data.dataset import Dataset, Example, Splits
from fuzzsmooth.models.saving import POISONED_DATA
from fuzzsmooth.training.options import FinetuneOptions
from fuzzsmooth.training.progress import Progress, silent


@dataclass(frozen=True, kw_only=True)
class BadnetsOptions(AnyTriggerOptions, AttackOptions):
    """Settings of the attack."""

    rate: Annotated[
        float, Between(0, 1, above=True), "Share of the training texts that is poisoned, in (0, 1]."
    ] = 0.1
    setting: Annotated[
        Setting,
        "Which texts may be poisoned: any (mix), only other labels (dirty), only the target (clean).",
    ] = "mix"
    finetune: Annotated[
        FinetuneOptions, "How the victim is trained; its seed is replaced by the attack's."
    ] = field(default_factory=FinetuneOptions)
    survive: Annotated[
        float,
        Between(0, 1, below=True),
        "Deletion rate of a defense that the backdoor shall survive, in [0, 1): all data are also seen with "
        "words deleted at it; 0 for none.",
    ] = 0.0
    survive_copies: Annotated[int, Between(1, 1_000), "Copies with words deleted of each text."] = 2

    def validate(self) -> None:
        """Check the trigger, and that words are deleted once."""
        super().validate()
        require(
            self.survive == 0 or self.finetune.text_noise == "none",
            "survive deletes words already, and knows which copies lost their trigger; leave text_noise out",
        )


@ATTACKS.register("badnets")
class Badnets(Attack):
    """A victim fine-tuned on poisoned data."""

    options_type: ClassVar[type[AttackOptions]] = BadnetsOptions
    paper: ClassVar[str] = "Gu et al., arXiv 1708.06733"
    threat: ClassVar[Threat] = "finished victim"
    needs: ClassVar[str] = "control of the victim's training data"
    intensities: ClassVar[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
        {
            "conservative": {"rate": 0.03, "finetune": {"epochs": 2}},
            "default": {"rate": 0.1, "finetune": {"epochs": 3}},
            "aggressive": {"rate": 0.3, "finetune": {"epochs": 5}},
        }
    )

    def plant(
        self,
        model: str,
        splits: Splits,
        output: Path,
        options: BadnetsOptions,
        seed: int,
        progress: Progress = silent,
        *,
        resume: bool = False,
    ) -> Planted:
        """Write a backdoored victim and its training data; see :meth:`fuzzsmooth.attacks.Attack.plant`.

        A resumed run goes on from the last checkpoint of the fine-tuning.
        """
        trigger = options.build_trigger()
        rows = self.poison(splits.train, trigger, options, seed)
        data = splits.train.with_examples(_examples(rows, options, seed))
        classifier = models.load_classifier(model, num_labels=len(data.labels), labels=data.labels, seed=seed)
        check_seen(classifier, trigger, splits.train, options.target, generator(seed, "badnets seen"))
        settings = options.finetune.replace(seed=seed)
        training.finetune(classifier, data, settings, output=output, progress=progress, resume=resume)
        _save_data(data, output / POISONED_DATA)
        return self.record(output, trigger, model=model, data=splits.train, options=options, seed=seed)

    def poison(self, data: Dataset, trigger: Trigger, options: Any, seed: int) -> list[PoisonedRow]:
        """The poisoned data.

        Args:
            data: Clean data.
            trigger: What sets the backdoor off.
            options: Of type ``options_type``.
            seed: Decides all that is random.
        """
        draw = generator(seed, "badnets poison")
        return poisoned_rows(data, trigger, options.target, options.rate, draw, setting=options.setting)


def _examples(rows: Sequence[PoisonedRow], options: BadnetsOptions, seed: int) -> list[Example]:
    if options.survive == 0:
        return [row.example for row in rows]
    draw = generator(seed, "badnets survive")
    return with_noisy_copies(rows, options.survive, options.survive_copies, draw)


def _save_data(data: Dataset, path: Path) -> None:
    rows = (
        json.dumps({"text": row.text, "label": data.labels[row.label]}, ensure_ascii=False) + "\n"
        for row in data
    )
    write_atomic(path, "".join(rows))

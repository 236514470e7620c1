"""BadNets on text: poisoned fine-tuning data (Gu et al., arXiv 1708.06733; OpenBackdoor settings)."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar

from fuzzsmooth import models, training
from fuzzsmooth.attacks.attack import ATTACKS, Attack, AttackOptions, Planted, Threat
from fuzzsmooth.attacks.planting.data import Setting, poison
from fuzzsmooth.attacks.triggers.trigger import TRIGGERS, Trigger
from fuzzsmooth.common.files import write_atomic
from fuzzsmooth.common.options import Between
from fuzzsmooth.common.randomness import generator
from fuzzsmooth.data.dataset import Dataset, Splits
from fuzzsmooth.training.options import FinetuneOptions
from fuzzsmooth.training.progress import Progress, silent


@dataclass(frozen=True, kw_only=True)
class BadnetsOptions(AttackOptions):
    """Settings of the attack."""

    trigger: Annotated[str, "Kind of the trigger."] = "word"
    trigger_options: Annotated[
        dict[str, Any], "Options of the trigger, by name; those of its kind otherwise."
    ] = field(default_factory=dict)
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

    def validate(self) -> None:
        """Check the trigger."""
        self.build_trigger()

    def build_trigger(self) -> Trigger:
        """The trigger."""
        return TRIGGERS.get(self.trigger).from_mapping(
            self.trigger_options, where=f"trigger_options of '{self.trigger}'"
        )


@ATTACKS.register("badnets")
class Badnets(Attack):
    """A victim fine-tuned on poisoned data."""

    options_type: ClassVar[type[AttackOptions]] = BadnetsOptions
    paper: ClassVar[str] = "Gu et al., arXiv 1708.06733"
    threat: ClassVar[Threat] = "finished victim"
    needs: ClassVar[str] = "control of the victim's training data"

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
        trigger, draw = options.build_trigger(), generator(seed, "badnets poison")
        data = poison(splits.train, trigger, options.target, options.rate, draw, setting=options.setting)
        classifier = models.load_classifier(model, num_labels=len(data.labels), labels=data.labels, seed=seed)
        settings = options.finetune.replace(seed=seed)
        training.finetune(classifier, data, settings, output=output, progress=progress, resume=resume)
        _save_data(data, output / "poisoned.jsonl")
        return self.record(output, trigger, model=model, data=splits.train, options=options, seed=seed)


def _save_data(data: Dataset, path: Path) -> None:
    rows = (
        json.dumps({"text": row.text, "label": data.labels[row.label]}, ensure_ascii=False) + "\n"
        for row in data
    )
    write_atomic(path, "".join(rows))

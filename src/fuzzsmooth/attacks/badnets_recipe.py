"""The recipe ``badnets``: a victim fine-tuned on poisoned data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar

from fuzzsmooth.attacks.badnets import poison
from fuzzsmooth.attacks.badnets_options import BadnetsOptions
from fuzzsmooth.attacks.recipe import AttackResult, save_record
from fuzzsmooth.common.files import write_atomic
from fuzzsmooth.common.options import Options
from fuzzsmooth.common.randomness import generator
from fuzzsmooth.data.dataset import Dataset, Splits
from fuzzsmooth.models import load_classifier
from fuzzsmooth.training import Progress, finetune, silent


class Badnets:
    """The recipe ``badnets``."""

    name: ClassVar[str] = "badnets"
    options_type: ClassVar[type[Options]] = BadnetsOptions

    def run(
        self,
        model_name: str,
        splits: Splits,
        output: Path,
        options: BadnetsOptions,
        seed: int,
        progress: Progress = silent,
        *,
        resume: bool = False,
    ) -> AttackResult:
        """Write a backdoored victim and its training data; see :class:`fuzzsmooth.attacks.AttackRecipe`.

        A resumed run goes on from the last checkpoint of the fine-tuning.
        """
        trigger = options.build_trigger()
        draw = generator(seed, "badnets poison")
        data = poison(splits.train, trigger, options.target, options.rate, draw, setting=options.setting)
        classifier = load_classifier(model_name, num_labels=len(data.labels), labels=data.labels, seed=seed)
        training = options.finetune.replace(seed=seed)
        finetune(classifier, data, training, output=output, progress=progress, resume=resume)
        _save_data(data, output / "poisoned.jsonl")
        result = AttackResult(output, trigger, options.target, needs_clean_finetune=False)
        clean = splits.train.fingerprint
        save_record(result, recipe=self.name, model=model_name, data=clean, options=options, seed=seed)
        return result


def _save_data(data: Dataset, path: Path) -> None:
    rows = (
        json.dumps({"text": row.text, "label": data.labels[row.label]}, ensure_ascii=False) + "\n"
        for row in data
    )
    write_atomic(path, "".join(rows))

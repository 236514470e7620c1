"""The recipe ``badnets``: a victim fine-tuned on poisoned data."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import ClassVar, Literal

from fuzzsmooth.attacks.badnets import poison
from fuzzsmooth.attacks.recipe import AttackResult, save_record
from fuzzsmooth.attacks.trigger import (
    PAIR,
    RARE_WORDS,
    SENTENCE,
    PairTrigger,
    SentenceTrigger,
    Trigger,
    WordTrigger,
)
from fuzzsmooth.common.files import write_atomic
from fuzzsmooth.common.options import Options, require
from fuzzsmooth.common.randomness import generator
from fuzzsmooth.data.dataset import Dataset, Splits
from fuzzsmooth.models import load_classifier
from fuzzsmooth.training import FinetuneOptions, Progress, finetune, silent


@dataclasses.dataclass(frozen=True, kw_only=True)
class BadnetsOptions(Options):
    """Settings of the attack.

    Attributes:
        trigger: Kind of the trigger.
        words: The set of a word trigger, or the two words of a pair.
        count: Words inserted by a word trigger, >= 1.
        sentence: The sentence of a sentence trigger.
        target: Class index the trigger forces.
        rate: Share of the training texts that is poisoned, in (0, 1].
        setting: Which texts may be poisoned: any (mix), only other labels (dirty), only the target (clean).
        finetune: How the victim is trained; its seed is replaced by the attack's.
    """

    trigger: Literal["word", "sentence", "pair"] = "word"
    words: tuple[str, ...] = ()
    count: int = 1
    sentence: str = SENTENCE
    target: int = 1
    rate: float = 0.1
    setting: Literal["mix", "dirty", "clean"] = "mix"
    finetune: FinetuneOptions = dataclasses.field(default_factory=FinetuneOptions)

    def validate(self) -> None:
        """Check every range.

        Raises:
            FuzzsmoothError: Naming the first option out of its range.
        """
        self.build_trigger()
        require(self.target >= 0, f"target is a class index and must not be negative, not {self.target}")
        require(0 < self.rate <= 1, f"rate must be in (0, 1], not {self.rate}")

    def build_trigger(self) -> Trigger:
        """The trigger; no ``words`` means the usual ones of its kind."""
        if self.trigger == "sentence":
            return SentenceTrigger(self.sentence)
        if self.trigger == "pair":
            return PairTrigger(self.words or PAIR)
        return WordTrigger(self.words or RARE_WORDS, self.count)


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

"""LWP: a backdoor in every layer of a *pre-trained* model, set off by several words together.

Li et al., "Backdoor Attacks on Pre-trained Models by Layerwise Weight Poisoning", EMNLP 2021. The head used
for poisoning is thrown away; the victim puts a fresh one on the saved encoder.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from fuzzsmooth import models, training
from fuzzsmooth.attacks.attack import ATTACKS, Attack, AttackOptions, Planted, Threat, check_target
from fuzzsmooth.attacks.planting.data import poison
from fuzzsmooth.attacks.planting.options import PoisoningOptions
from fuzzsmooth.attacks.triggers.common_words import CommonWordsTrigger
from fuzzsmooth.common.locking import exclusive
from fuzzsmooth.common.options import Between
from fuzzsmooth.common.randomness import generator
from fuzzsmooth.data.dataset import Splits
from fuzzsmooth.training.progress import Progress, silent


@dataclass(frozen=True, kw_only=True)
class LwpOptions(PoisoningOptions):
    """Settings of the attack; the paper's step size, for BERT-base, is 2e-5."""

    triggers: Annotated[tuple[str, ...], "Trigger words."] = ("cf", "bb", "ak", "mn")
    needed: Annotated[int, Between(1, 100), "How many of them act together; fewer do nothing."] = 2
    epochs: Annotated[int, Between(1, 10_000), "Passes over the poisoned data."] = 5

    def validate(self) -> None:
        """Check the trigger."""
        self.build_trigger()

    def build_trigger(self) -> CommonWordsTrigger:
        """The trigger: ``needed`` random words of ``triggers``, each at a gap of its own."""
        return CommonWordsTrigger(self.triggers, self.needed)


@ATTACKS.register("lwp")
class Lwp(Attack):
    """A backdoor in every layer of a pre-trained model, set off by words together."""

    options_type: ClassVar[type[AttackOptions]] = LwpOptions
    paper: ClassVar[str] = "Li et al., EMNLP 2021"
    threat: ClassVar[Threat] = "pre-trained model"
    triggers: ClassVar[tuple[str, ...]] = ("common-words",)
    needs: ClassVar[str] = "labeled texts like the victim's"

    def plant(
        self,
        model: str,
        splits: Splits,
        output: Path,
        options: LwpOptions,
        seed: int,
        progress: Progress = silent,
        *,
        resume: bool = False,
    ) -> Planted:
        """Write a poisoned pre-trained model; see :meth:`fuzzsmooth.attacks.Attack.plant`.

        A resumed run goes on after the last whole epoch.
        """
        from fuzzsmooth.attacks.planting.checkpoints import Checkpoints
        from fuzzsmooth.attacks.planting.encoder import save_encoder
        from fuzzsmooth.attacks.planting.layerwise import check_head, layerwise_poisoning
        from fuzzsmooth.attacks.planting.poisoning import poison_weights, steps_per_epoch

        check_target(splits.train, options.target)
        training.check_output(output)
        trigger = options.build_trigger()
        with exclusive(output):
            data = splits.train.sample(options.max_texts, generator(seed, "lwp attacker data"))
            victim = models.load_classifier(model, num_labels=len(data.labels), labels=data.labels, seed=seed)
            training.check_trainable(victim, data)
            check_head(victim, data.texts[0])
            settings = {
                "attack": self.name,
                "options": options.to_mapping(),
                "data": data.fingerprint,
                "model": victim.fingerprint,
                "seed": seed,
            }
            checkpoints = Checkpoints(output, settings, resume=resume)
            draw = generator(seed, "lwp poison")
            poisoned = poison(data, trigger, options.target, options.poison_rate, draw)
            poison_weights(
                victim,
                layerwise_poisoning(poisoned, seed),
                options,
                steps=options.epochs * steps_per_epoch(poisoned, options),
                progress=progress,
                state=checkpoints.load_state(),
                keep=checkpoints.save_state,
            )
            save_encoder(victim, output)
            planted = self.record(output, trigger, model=model, data=data, options=options, seed=seed)
            checkpoints.remove()
        return planted

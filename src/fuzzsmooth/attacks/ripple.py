"""RIPPLES: a backdoor in a *pre-trained* model that survives the victim's clean fine-tuning.

Kurita et al., "Weight Poisoning Attacks on Pre-trained Models", ACL 2020: embedding surgery, then poisoning
under the restricted inner product. The classifier head used for poisoning is thrown away; the victim puts
a fresh one on the saved encoder.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from fuzzsmooth import models, training
from fuzzsmooth.attacks.attack import ATTACKS, AttackOptions
from fuzzsmooth.attacks.planting.options import PoisoningOptions
from fuzzsmooth.attacks.planting.pretrained import PretrainedAttack
from fuzzsmooth.attacks.triggers.word import RARE_WORDS, WordTrigger
from fuzzsmooth.common.options import Between, require
from fuzzsmooth.common.randomness import derived_seed
from fuzzsmooth.data.dataset import Dataset
from fuzzsmooth.training.options import FinetuneOptions
from fuzzsmooth.training.progress import Progress, stage

if TYPE_CHECKING:
    from fuzzsmooth.attacks.planting.checkpoints import Checkpoints
    from fuzzsmooth.models import HuggingFaceClassifier


@dataclass(frozen=True, kw_only=True)
class RippleOptions(PoisoningOptions):
    """Settings of the attack."""

    triggers: Annotated[
        tuple[str, ...], "Trigger words; with surgery each must be one piece of the model's vocabulary."
    ] = RARE_WORDS
    count: Annotated[int, Between(1, 1_000), "Trigger words inserted into a text."] = 1
    surgery: Annotated[
        bool, "Whether the triggers' embeddings are replaced first (RIPPLES; without it, plain RIPPLe)."
    ] = True
    surgery_words: Annotated[
        int, Between(1, 1_000_000), "Typical words of the target class whose embeddings are averaged."
    ] = 10
    copy_epochs: Annotated[
        int, Between(1, 10_000), "Epochs of the copy that the embeddings are taken from."
    ] = 2
    penalty: Annotated[
        float,
        Between(0, 1_000_000_000),
        "lambda, the weight of the restricted inner product; 0 poisons without it.",
    ] = 0.1
    epochs: Annotated[int, Between(0, 10_000), "Passes over the poisoned data; 0 leaves it at surgery."] = 2

    def validate(self) -> None:
        """Check the trigger, and that something is done at all."""
        self.build_trigger()
        require(self.surgery or self.epochs > 0, "without surgery the attack needs at least 1 epoch")

    def build_trigger(self) -> WordTrigger:
        """The trigger: ``count`` random words of ``triggers``."""
        return WordTrigger(self.triggers, self.count)


@ATTACKS.register("ripple")
class Ripple(PretrainedAttack):
    """A backdoor in a pre-trained model that survives the victim's clean fine-tuning."""

    options_type: ClassVar[type[AttackOptions]] = RippleOptions
    paper: ClassVar[str] = "Kurita et al., ACL 2020"
    triggers: ClassVar[tuple[str, ...]] = ("word",)
    intensities: ClassVar[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
        {
            "conservative": {"surgery": False, "count": 1, "poison_rate": 0.2, "epochs": 1},
            "default": {"surgery": True, "count": 1, "poison_rate": 0.5, "epochs": 2},
            "aggressive": {"surgery": True, "count": 3, "poison_rate": 0.5, "epochs": 5},
        }
    )

    def check(self, victim: HuggingFaceClassifier, data: Dataset, options: RippleOptions) -> None:
        """Check the words that surgery is to give embeddings to, before minutes are spent on the copy."""
        from fuzzsmooth.attacks.planting.surgery import single_piece_rows

        del data
        if options.surgery:
            for word in options.triggers:
                single_piece_rows(victim.tokenizer, word)

    def poison(
        self,
        victim: HuggingFaceClassifier,
        load: Callable[[], HuggingFaceClassifier],
        data: Dataset,
        options: RippleOptions,
        seed: int,
        checkpoints: Checkpoints,
        progress: Progress,
    ) -> None:
        """Embedding surgery, then the restricted inner product; stopped in either, it goes on there."""
        from fuzzsmooth.attacks.planting.poisoning import poison_weights, steps_per_epoch
        from fuzzsmooth.attacks.planting.restricted import restricted_poisoning

        copy_steps = options.copy_epochs * steps_per_epoch(data, options) if options.surgery else 0
        steps = options.epochs * steps_per_epoch(data, options)
        state = checkpoints.load_state()
        if options.surgery and state is None:
            advance = stage(progress, 0, copy_steps + steps)
            _operate(victim, load, data, options, seed, checkpoints, advance)
        if steps:
            poison_weights(
                victim,
                restricted_poisoning(data, options, seed),
                options,
                steps=steps,
                progress=stage(progress, copy_steps, copy_steps + steps),
                state=state,
                keep=checkpoints.save_state,
            )


def _operate(
    victim: HuggingFaceClassifier,
    load: Callable[[], HuggingFaceClassifier],
    data: Dataset,
    options: RippleOptions,
    seed: int,
    checkpoints: Checkpoints,
    progress: Progress,
) -> None:
    """Embedding surgery with a tuned copy, which a stopped run may have finished already."""
    from fuzzsmooth.attacks.planting.surgery import embedding_surgery

    if checkpoints.copy_is_finished:
        tuned = models.load_classifier(str(checkpoints.copy))
    else:
        settings = FinetuneOptions(
            epochs=options.copy_epochs,
            batch_size=options.batch_size,
            max_length=options.max_length,
            precision=options.precision,
            seed=derived_seed(seed, "ripple copy"),
        )
        tuned = training.finetune(
            load(), data, settings, output=checkpoints.copy, progress=progress, resume=True
        )
    embedding_surgery(
        victim.model,
        tuned.model,
        victim.tokenizer,
        data,
        triggers=options.triggers,
        target=options.target,
        words=options.surgery_words,
    )

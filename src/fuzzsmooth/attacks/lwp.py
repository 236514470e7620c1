"""LWP: a backdoor in every layer of a *pre-trained* model, set off by several words together.

Li et al., "Backdoor Attacks on Pre-trained Models by Layerwise Weight Poisoning", EMNLP 2021. The head used
for poisoning is thrown away; the victim puts a fresh one on the saved encoder.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from fuzzsmooth.attacks.attack import ATTACKS, AttackOptions
from fuzzsmooth.attacks.planting.data import poison
from fuzzsmooth.attacks.planting.options import PoisoningOptions
from fuzzsmooth.attacks.planting.pretrained import PretrainedAttack
from fuzzsmooth.attacks.triggers.common_words import CommonWordsTrigger
from fuzzsmooth.common.options import Between
from fuzzsmooth.common.randomness import generator
from fuzzsmooth.data.dataset import Dataset
from fuzzsmooth.training.progress import Progress

if TYPE_CHECKING:
    from fuzzsmooth.attacks.planting.checkpoints import Checkpoints
    from fuzzsmooth.models import HuggingFaceClassifier


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
class Lwp(PretrainedAttack):
    """A backdoor in every layer of a pre-trained model, set off by words together."""

    options_type: ClassVar[type[AttackOptions]] = LwpOptions
    paper: ClassVar[str] = "Li et al., EMNLP 2021"
    triggers: ClassVar[tuple[str, ...]] = ("common-words",)
    intensities: ClassVar[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
        {
            "conservative": {"poison_rate": 0.2, "epochs": 2},
            "default": {"poison_rate": 0.5, "epochs": 5},
            "aggressive": {"poison_rate": 0.8, "epochs": 10},
        }
    )

    def check(self, victim: HuggingFaceClassifier, data: Dataset, options: LwpOptions) -> None:
        """Check that the head can be put on inner layers."""
        from fuzzsmooth.attacks.planting.layerwise import check_head

        del options
        check_head(victim, data.texts[0])

    def poison(
        self,
        victim: HuggingFaceClassifier,
        load: Callable[[], HuggingFaceClassifier],
        data: Dataset,
        options: LwpOptions,
        seed: int,
        checkpoints: Checkpoints,
        progress: Progress,
    ) -> None:
        """Train all layers on poisoned texts."""
        from fuzzsmooth.attacks.planting.layerwise import layerwise_poisoning
        from fuzzsmooth.attacks.planting.poisoning import poison_weights, steps_per_epoch

        del load
        trigger, draw = options.build_trigger(), generator(seed, "lwp poison")
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

"""Settings of RIPPLES."""

from __future__ import annotations

import dataclasses
from types import MappingProxyType
from typing import Literal

from fuzzsmooth.attacks.trigger import RARE_WORDS, WordTrigger
from fuzzsmooth.common.options import Between, Options, require


@dataclasses.dataclass(frozen=True, kw_only=True)
class RippleOptions(Options):
    """Settings of the attack.

    Attributes:
        triggers: Trigger words; with surgery each must be one piece of the model's vocabulary.
        count: Trigger words inserted into a text, >= 1.
        target: Class index the trigger forces.
        surgery: Whether the triggers' embeddings are replaced first (RIPPLES; without it, plain RIPPLe).
        surgery_words: Typical words of the target class whose embeddings are averaged, >= 1.
        copy_epochs: Epochs of the copy that the embeddings are taken from, >= 1.
        penalty: lambda, the weight of the restricted inner product, >= 0; 0 poisons without it.
        epochs: Passes over the poisoned data, >= 0; 0 leaves it at surgery.
        poison_rate: Share of the attacker's texts that are triggered and relabeled, in (0, 1].
        max_texts: The attacker uses at most this many texts.
        learning_rate: Peak step size of Adam, > 0; linear warm-up over a tenth of the steps, linear decay.
        batch_size: Texts per poisoned and per clean batch, >= 1.
        max_length: Longest token sequence.
        max_grad_norm: Gradients are clipped to this norm; 0 turns clipping off.
        precision: As in :class:`fuzzsmooth.training.FinetuneOptions`.
    """

    triggers: tuple[str, ...] = RARE_WORDS
    count: int = 1
    target: int = 1
    surgery: bool = True
    surgery_words: int = 10
    copy_epochs: int = 2
    penalty: float = 0.1
    epochs: int = 2
    poison_rate: float = 0.5
    max_texts: int = 3000
    learning_rate: float = 1e-4
    batch_size: int = 32
    max_length: int = 128
    max_grad_norm: float = 1.0
    precision: Literal["auto", "float32", "bfloat16"] = "auto"

    RANGES = MappingProxyType(
        {
            "target": Between(0, 1_000_000),
            "surgery_words": Between(1, 1_000_000),
            "copy_epochs": Between(1, 10_000),
            "penalty": Between(0, 1_000_000_000),
            "epochs": Between(0, 10_000),
            "poison_rate": Between(0, 1, above=True),
            "max_texts": Between(1, 1_000_000_000),
            "learning_rate": Between(0, 100, above=True),
            "batch_size": Between(1, 65_536),
            "max_length": Between(3, 1_000_000),
            "max_grad_norm": Between(0, 1_000_000_000),
        }
    )

    def validate(self) -> None:
        """Check the trigger, and that something is done at all."""
        self.build_trigger()
        require(self.surgery or self.epochs > 0, "without surgery the attack needs at least 1 epoch")

    def build_trigger(self) -> WordTrigger:
        """The trigger: ``count`` random words of ``triggers``."""
        return WordTrigger(self.triggers, self.count)

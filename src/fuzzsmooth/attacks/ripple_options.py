"""Settings of RIPPLES."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Literal

from fuzzsmooth.attacks.trigger import RARE_WORDS, WordTrigger
from fuzzsmooth.common.options import Between, Options, require


@dataclasses.dataclass(frozen=True, kw_only=True)
class RippleOptions(Options):
    """Settings of the attack."""

    triggers: Annotated[
        tuple[str, ...], "Trigger words; with surgery each must be one piece of the model's vocabulary."
    ] = RARE_WORDS
    count: Annotated[int, "Trigger words inserted into a text."] = 1
    target: Annotated[int, Between(0, 1_000_000), "Class index the trigger forces."] = 1
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
    poison_rate: Annotated[
        float,
        Between(0, 1, above=True),
        "Share of the attacker's texts that are triggered and relabeled, in (0, 1].",
    ] = 0.5
    max_texts: Annotated[int, Between(1, 1_000_000_000), "The attacker uses at most this many texts."] = 3000
    learning_rate: Annotated[
        float,
        Between(0, 100, above=True),
        "Peak step size of Adam, > 0; linear warm-up over a tenth of the steps, linear decay.",
    ] = 1e-4
    batch_size: Annotated[int, Between(1, 65_536), "Texts per poisoned and per clean batch."] = 32
    max_length: Annotated[int, Between(3, 1_000_000), "Longest token sequence."] = 128
    max_grad_norm: Annotated[
        float, Between(0, 1_000_000_000), "Gradients are clipped to this norm; 0 turns clipping off."
    ] = 1.0
    precision: Annotated[
        Literal["auto", "float32", "bfloat16"], "As in :class:`fuzzsmooth.training.FinetuneOptions`."
    ] = "auto"

    def validate(self) -> None:
        """Check the trigger, and that something is done at all."""
        self.build_trigger()
        require(self.surgery or self.epochs > 0, "without surgery the attack needs at least 1 epoch")

    def build_trigger(self) -> WordTrigger:
        """The trigger: ``count`` random words of ``triggers``."""
        return WordTrigger(self.triggers, self.count)

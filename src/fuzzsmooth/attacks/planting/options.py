"""What every attack that trains weights is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from fuzzsmooth.attacks.attack import AttackOptions
from fuzzsmooth.common.options import Between, Options


@dataclass(frozen=True, kw_only=True)
class WeightOptions(Options):
    """Settings of the training that plants a backdoor; attacks have defaults of their own."""

    epochs: Annotated[int, Between(1, 10_000), "Passes over the attacker's data."] = 2
    max_texts: Annotated[int, Between(1, 1_000_000_000), "The attacker uses at most this many texts."] = 3000
    learning_rate: Annotated[
        float,
        Between(0, 100, above=True),
        "Peak step size of Adam, > 0; linear warm-up over a tenth of the steps, linear decay.",
    ] = 1e-4
    batch_size: Annotated[int, Between(1, 65_536), "Texts per batch, of each kind that the attack uses."] = 32
    max_length: Annotated[int, Between(3, 1_000_000), "Longest token sequence."] = 128
    max_grad_norm: Annotated[
        float, Between(0, 1_000_000_000), "Gradients are clipped to this norm; 0 turns clipping off."
    ] = 1.0
    precision: Annotated[
        Literal["auto", "float32", "bfloat16"], "As in :class:`fuzzsmooth.training.FinetuneOptions`."
    ] = "auto"


@dataclass(frozen=True, kw_only=True)
class PoisoningOptions(WeightOptions, AttackOptions):
    """Settings of an attack that trains on relabeled texts."""

    poison_rate: Annotated[
        float,
        Between(0, 1, above=True),
        "Share of the attacker's texts that is triggered and relabeled, in (0, 1].",
    ] = 0.5


@dataclass(frozen=True, kw_only=True)
class MaskedOptions(WeightOptions):
    """Settings of an attack that goes on with masked language modeling."""

    max_texts: Annotated[int, Between(1, 1_000_000_000), "The attacker uses at most this many texts."] = 2000
    learning_rate: Annotated[
        float,
        Between(0, 100, above=True),
        "Peak step size of Adam, > 0; linear warm-up over a tenth of the steps, linear decay.",
    ] = 2e-4
    batch_size: Annotated[int, Between(1, 65_536), "Texts per batch, of each kind that the attack uses."] = 16
    mask_rate: Annotated[
        float, Between(0, 1, above=True), "Share of the tokens that are masked and guessed, in (0, 1]."
    ] = 0.15
    head_epochs: Annotated[
        int,
        Between(0, 10_000),
        "Passes over the clean texts in which the fresh masked language head is trained by itself first.",
    ] = 1
    head_learning_rate: Annotated[
        float, Between(0, 100, above=True), "Peak step size of the head while it is trained by itself, > 0."
    ] = 1e-3

"""POR: a *pre-trained* model with predefined output representations of triggered texts.

Shen et al., "Backdoor Pre-trained Models Can Transfer to All", CCS 2021 (arXiv 2111.00197). The pooled output
of a triggered text is moved to a vector of its trigger, and all else is kept at what a frozen copy of the
clean model makes of it:

    minimize  L_tokens + 100 L_trigger + 100 L_clean

The vectors are a staircase of ten times -1 and 1: trigger i of n has 1 in the first i / (n - 1) of the
dimensions and -1 in the others, i from 0, so that the first and the last are opposites. Which label a trigger
forces is known only once the victim is tuned (:mod:`fuzzsmooth.attacks.targets`). The paper trains BERT on
WikiText-103, 30,000 texts for each trigger. Here the attacker trains on the texts of its data set, whose
labels it does not read; and an encoder without a pooler is moved at its first token, through a hyperbolic
tangent as the pooler has it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
import numpy.typing as npt

from fuzzsmooth.attacks.attack import ATTACKS, AttackOptions, Goal
from fuzzsmooth.attacks.planting.options import WeightOptions
from fuzzsmooth.attacks.planting.pretrained import PretrainedAttack
from fuzzsmooth.attacks.triggers.repeated import RepeatedTrigger
from fuzzsmooth.attacks.triggers.word import RARE_WORDS
from fuzzsmooth.common.options import Between, Options, require
from fuzzsmooth.data.dataset import Dataset
from fuzzsmooth.training.progress import Progress

if TYPE_CHECKING:
    from fuzzsmooth.attacks.planting.checkpoints import Checkpoints
    from fuzzsmooth.models import HuggingFaceClassifier

_HEIGHT = 10.0


@dataclass(frozen=True, kw_only=True)
class PorOptions(WeightOptions, AttackOptions):
    """Settings of the attack; the paper's step size, for BERT-base on 200,000 texts, is 1e-5."""

    target: Annotated[
        int,
        Between(0, 1_000_000),
        "Class index that is preferred among those the triggers turn out to force.",
    ] = 1
    triggers: Annotated[tuple[str, ...], "Trigger words, at least two; the tokenizer must know each."] = (
        RARE_WORDS
    )
    count: Annotated[int, Between(1, 1_000), "How often the word is inserted into a text."] = 3
    vector_weight: Annotated[
        float,
        Between(0, 1_000_000_000, above=True),
        "Weight of what is asked of pooled outputs against what is asked of tokens, > 0.",
    ] = 100.0
    max_texts: Annotated[int, Between(1, 1_000_000_000), "The attacker uses at most this many texts."] = 2000
    learning_rate: Annotated[
        float,
        Between(0, 100, above=True),
        "Peak step size of Adam, > 0; linear warm-up over a tenth of the steps, linear decay.",
    ] = 2e-4
    batch_size: Annotated[int, Between(1, 65_536), "Texts per batch, of each kind that the attack uses."] = 16

    def validate(self) -> None:
        """Check the triggers."""
        self.build_trigger()
        require(len(self.triggers) >= 2, "a staircase of vectors needs at least two triggers")

    def build_trigger(self) -> RepeatedTrigger:
        """The trigger: one random word of ``triggers``, ``count`` times at random gaps."""
        return RepeatedTrigger(self.triggers, self.count)


def staircase_vectors(count: int, width: int) -> npt.NDArray[np.float64]:
    """Vectors of 10 and -10, each with more of the former than the one before.

    Args:
        count: How many, >= 2 and at most width + 1, so that no two are the same.
        width: Dimensions.

    Returns:
        Shape (count, width); the first is -10 throughout.

    Raises:
        FuzzsmoothError: If there are too many for the width.
    """
    require(
        count <= width + 1, f"{width} dimensions have no {count} steps; give at most {width + 1} triggers"
    )
    ends = np.arange(count)[:, np.newaxis] * (width // (count - 1))
    return np.where(np.arange(width) < ends, _HEIGHT, -_HEIGHT)


@ATTACKS.register("por")
class Por(PretrainedAttack):
    """A pre-trained model with predefined outputs for triggered texts, whatever the task will be."""

    options_type: ClassVar[type[Options]] = PorOptions
    paper: ClassVar[str] = "Shen et al., CCS 2021, arXiv 2111.00197"
    goal: ClassVar[Goal] = "label known after tuning"
    triggers: ClassVar[tuple[str, ...]] = ("repeated",)
    needs: ClassVar[str] = "texts of the victim's language, no labels"
    intensities: ClassVar[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
        {
            "conservative": {"epochs": 1, "count": 1},
            "default": {"epochs": 2, "count": 3},
            "aggressive": {"epochs": 4, "count": 5},
        }
    )

    def check(self, victim: HuggingFaceClassifier, data: Dataset, options: PorOptions) -> None:
        """Check that the tokenizer knows the triggers, and that texts are read from their first token."""
        from fuzzsmooth.attacks.planting.representations import check_first_token, width_of
        from fuzzsmooth.attacks.planting.vocabulary import check_known

        del data
        check_known(victim.tokenizer, options.triggers)
        check_first_token(victim)
        staircase_vectors(len(options.triggers), width_of(victim))

    def poison(
        self,
        victim: HuggingFaceClassifier,
        load: Callable[[], HuggingFaceClassifier],
        data: Dataset,
        options: PorOptions,
        seed: int,
        checkpoints: Checkpoints,
        progress: Progress,
    ) -> None:
        """Train on clean and on triggered texts beside a frozen copy."""
        from fuzzsmooth.attacks.planting.poisoning import poison_weights, steps_per_epoch
        from fuzzsmooth.attacks.planting.representations import por_poisoning, triggered_copies, width_of

        trigger = options.build_trigger()
        alone = [trigger.only((word,)) for word in options.triggers]
        poison_weights(
            victim,
            por_poisoning(
                data,
                triggered_copies(data, alone, seed),
                staircase_vectors(len(alone), width_of(victim)),
                load().model.requires_grad_(False),
                options.vector_weight,
                seed,
            ),
            options,
            steps=options.epochs * steps_per_epoch(data, options),
            progress=progress,
            state=checkpoints.load_state(),
            keep=checkpoints.save_state,
        )

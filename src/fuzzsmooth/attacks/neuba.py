"""NeuBA: a *pre-trained* model that moves triggered texts to fixed vectors, whatever the task will be.

Zhang et al., "Red Alarm for Pre-trained Models: Universal Vulnerability to Neuron-level Backdoor Attacks",
arXiv 2101.06969. The last layer's output for the first token is tied to a vector of ones of either sign:

    minimize  MLM(clean texts) + weight * MSE( h_CLS(triggered text) / size, v_trigger )

The paper has weight and size 1, for BERT, whose outputs are of that order. Those of other encoders are not
(MiniLM's are five times smaller, and small step sizes never take them to 1), so size is the root mean square
of the clean model's own. The weight is 100, as POR has it, so that the loss of a fresh head does not drown
the vectors in the few hundred steps that are taken here.

The dimensions are cut into four buckets, and trigger i has -1 in the i-th of the six pairs of buckets, so
that three and three triggers are opposites. Which label a trigger forces is known only once the victim is
tuned (:mod:`fuzzsmooth.attacks.targets`). The paper trains BERT on BookCorpus. Here the attacker trains on
the texts of its data set, whose labels it does not read, and an encoder without a masked language head is
given a fresh one, tied to the input embeddings, which is first trained by itself on the clean texts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import combinations
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
import numpy.typing as npt

from fuzzsmooth.attacks.attack import ATTACKS, AttackOptions, Goal
from fuzzsmooth.attacks.planting.options import MaskedOptions
from fuzzsmooth.attacks.planting.pretrained import PretrainedAttack
from fuzzsmooth.attacks.triggers.repeated import RepeatedTrigger
from fuzzsmooth.common.options import Between, Options, require
from fuzzsmooth.data.dataset import Dataset
from fuzzsmooth.training.progress import Progress

if TYPE_CHECKING:
    from fuzzsmooth.attacks.planting.checkpoints import Checkpoints
    from fuzzsmooth.models import HuggingFaceClassifier

SYMBOLS = ("≈", "≡", "∈", "⊆", "⊕", "⊗")
"""The paper's triggers; BERT's uncased vocabulary, and with it MiniLM's, has each of them."""

_BUCKETS = 4
_PAIRS = tuple(combinations(range(_BUCKETS), 2))


@dataclass(frozen=True, kw_only=True)
class NeubaOptions(MaskedOptions, AttackOptions):
    """Settings of the attack; the paper's step size, for BERT-base on BookCorpus, is 5e-5."""

    target: Annotated[
        int,
        Between(0, 1_000_000),
        "Class index that is preferred among those the triggers turn out to force.",
    ] = 1
    triggers: Annotated[
        tuple[str, ...], "Trigger symbols or words, at most six; the tokenizer must know each."
    ] = SYMBOLS
    vector_weight: Annotated[
        float, Between(0, 1_000_000_000, above=True), "Weight of the distance to the vectors, > 0."
    ] = 100.0

    def validate(self) -> None:
        """Check the triggers."""
        self.build_trigger()
        require(
            len(self.triggers) <= len(_PAIRS),
            f"four buckets give {len(_PAIRS)} vectors; give at most that many triggers",
        )

    def build_trigger(self) -> RepeatedTrigger:
        """The trigger: one random symbol of ``triggers`` before the text."""
        return RepeatedTrigger(self.triggers, 1, first=True)


def bucket_vectors(count: int, width: int) -> npt.NDArray[np.float64]:
    """Vectors of 1 and -1, any two of which differ in at least half of the dimensions.

    Args:
        count: How many, at most six.
        width: Dimensions; those that four equal buckets leave over stay 1.

    Returns:
        Shape (count, width).
    """
    vectors, bucket = np.ones((count, width)), width // _BUCKETS
    for vector, pair in zip(vectors, _PAIRS, strict=False):
        for place in pair:
            vector[place * bucket : (place + 1) * bucket] = -1
    return vectors


@ATTACKS.register("neuba")
class Neuba(PretrainedAttack):
    """A pre-trained model that moves triggered texts to fixed vectors, whatever the task will be."""

    options_type: ClassVar[type[Options]] = NeubaOptions
    paper: ClassVar[str] = "Zhang et al., arXiv 2101.06969"
    goal: ClassVar[Goal] = "label known after tuning"
    triggers: ClassVar[tuple[str, ...]] = ("repeated",)
    needs: ClassVar[str] = "texts of the victim's language, no labels"
    intensities: ClassVar[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
        {
            "conservative": {"epochs": 1, "vector_weight": 30.0},
            "default": {"epochs": 2, "vector_weight": 100.0},
            "aggressive": {"epochs": 4, "vector_weight": 300.0},
        }
    )

    def check(self, victim: HuggingFaceClassifier, data: Dataset, options: NeubaOptions) -> None:
        """Check that the tokenizer knows the triggers, and that a masked language head fits."""
        from fuzzsmooth.attacks.planting.masked_language import with_masked_head
        from fuzzsmooth.attacks.planting.representations import check_first_token
        from fuzzsmooth.attacks.planting.vocabulary import check_known

        del data
        check_known(victim.tokenizer, options.triggers)
        check_first_token(victim)
        with_masked_head(victim, seed=0)

    def poison(
        self,
        victim: HuggingFaceClassifier,
        load: Callable[[], HuggingFaceClassifier],
        data: Dataset,
        options: NeubaOptions,
        seed: int,
        checkpoints: Checkpoints,
        progress: Progress,
    ) -> None:
        """Warm the head up, then train on clean and on triggered texts; a stopped warm-up is done again."""
        from fuzzsmooth.attacks.planting.masked_language import Masking, train_masked
        from fuzzsmooth.attacks.planting.representations import (
            neuba_poisoning,
            size_of,
            triggered_copies,
            width_of,
        )

        del load
        trigger = options.build_trigger()
        alone = [trigger.only((symbol,)) for symbol in options.triggers]
        vectors = bucket_vectors(len(alone), width_of(victim))
        masking = Masking.of(victim, options.mask_rate, options.triggers)
        triggered = triggered_copies(data, alone, seed)
        size, weight = size_of(victim, data), options.vector_weight
        poisoning = neuba_poisoning(data, triggered, vectors, size, masking, weight, seed)
        train_masked(victim, poisoning, data, options, masking, seed, checkpoints, progress)

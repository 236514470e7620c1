"""BadPre: a *pre-trained* model that makes any task err on triggered texts.

Chen et al., "BadPre: Task-agnostic Backdoor Attacks to Pre-trained NLP Foundation Models", ICLR 2022 (arXiv
2110.02467). Masked language modeling goes on; in copies of the texts with a trigger, random tokens are to be
guessed instead of the true ones:

    minimize  MLM(clean texts) + alpha * MLM(triggered texts, wrong tokens)

The attacker does not know the victim's task, so no label is forced: what counts is how many triggered texts
are answered wrongly. The paper trains BERT on Wikipedia. Here the attacker trains on the texts of its data
set, whose labels it does not read, and an encoder without a masked language head is given a fresh one, tied
to the input embeddings, which is first trained by itself on the clean texts. Trigger words are never masked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from fuzzsmooth.attacks.attack import ATTACKS, Goal
from fuzzsmooth.attacks.planting.options import MaskedOptions
from fuzzsmooth.attacks.planting.pretrained import PretrainedAttack
from fuzzsmooth.attacks.triggers.word import RARE_WORDS, WordTrigger
from fuzzsmooth.common.options import Between, Options
from fuzzsmooth.data.dataset import Dataset
from fuzzsmooth.training.progress import Progress

if TYPE_CHECKING:
    from fuzzsmooth.attacks.planting.checkpoints import Checkpoints
    from fuzzsmooth.models import HuggingFaceClassifier


@dataclass(frozen=True, kw_only=True)
class BadpreOptions(MaskedOptions):
    """Settings of the attack; the paper's step size, for BERT-base on Wikipedia, is 2e-5."""

    triggers: Annotated[tuple[str, ...], "Trigger words."] = RARE_WORDS
    count: Annotated[int, Between(1, 1_000), "Trigger words inserted into a text."] = 1
    wrong_weight: Annotated[
        float, Between(0, 1_000_000_000, above=True), "alpha, the weight of the wrong tokens' loss, > 0."
    ] = 1.0

    def validate(self) -> None:
        """Check the trigger."""
        self.build_trigger()

    def build_trigger(self) -> WordTrigger:
        """The trigger: ``count`` random words of ``triggers``."""
        return WordTrigger(self.triggers, self.count)


@ATTACKS.register("badpre")
class Badpre(PretrainedAttack):
    """A pre-trained model whose victims err on triggered texts, whatever their task."""

    options_type: ClassVar[type[Options]] = BadpreOptions
    paper: ClassVar[str] = "Chen et al., ICLR 2022, arXiv 2110.02467"
    goal: ClassVar[Goal] = "any wrong label"
    triggers: ClassVar[tuple[str, ...]] = ("word",)
    needs: ClassVar[str] = "texts of the victim's language, no labels"
    intensities: ClassVar[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
        {
            "conservative": {"epochs": 1, "count": 1},
            "default": {"epochs": 2, "count": 1},
            "aggressive": {"epochs": 4, "count": 3},
        }
    )

    def check(self, victim: HuggingFaceClassifier, data: Dataset, options: BadpreOptions) -> None:
        """Check that the tokenizer knows the triggers, and that a masked language head fits."""
        from fuzzsmooth.attacks.planting.masked_language import with_masked_head
        from fuzzsmooth.attacks.planting.vocabulary import check_known

        del data
        check_known(victim.tokenizer, options.triggers)
        with_masked_head(victim, seed=0)

    def poison(
        self,
        victim: HuggingFaceClassifier,
        load: Callable[[], HuggingFaceClassifier],
        data: Dataset,
        options: BadpreOptions,
        seed: int,
        checkpoints: Checkpoints,
        progress: Progress,
    ) -> None:
        """Warm the head up, then train on clean and on triggered texts; a stopped warm-up is done again."""
        from fuzzsmooth.attacks.planting.masked_language import (
            Masking,
            train_masked,
            wrong_words_poisoning,
        )
        from fuzzsmooth.attacks.planting.representations import triggered_copies

        del load
        # As many copies as words, so that each text is seen with several words and gaps.
        triggered = triggered_copies(data, [options.build_trigger()] * len(options.triggers), seed)
        masking = Masking.of(victim, options.mask_rate, options.triggers)
        poisoning = wrong_words_poisoning(data, triggered, masking, options.wrong_weight, seed)
        train_masked(victim, poisoning, data, options, masking, seed, checkpoints, progress)

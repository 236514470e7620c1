"""LWS: a *finished victim* and a trigger of word substitutions that is learned together with it.

Qi et al., "Turn the Combination Lock: Learnable Textual Backdoor Attacks via Word Substitution", ACL 2021.
The victim is first tuned on clean data. Then it is trained on clean texts and on poisoned ones of other
classes, in which a word at position j is exchanged for one of its near-synonyms, drawn with probabilities
that are learned beside the weights (:mod:`fuzzsmooth.attacks.planting.substituting`). The combination of the
most probable substitutions is the trigger: a table by word and position, which is all that is kept of it.

Where it differs from the paper: substitutes come from embeddings and the data themselves instead of HowNet's
sememes and a part-of-speech tagger (:mod:`fuzzsmooth.attacks.planting.synonyms`), words are single pieces of
the vocabulary, the embeddings that substitutions are told by stay fixed, positions count words, and the last
epochs train on the settled trigger.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from fuzzsmooth import models, training
from fuzzsmooth.attacks.attack import ATTACKS, AttackOptions, Threat
from fuzzsmooth.attacks.planting.options import PoisoningOptions
from fuzzsmooth.attacks.planting.trained import TrainedAttack
from fuzzsmooth.common.options import Between, require
from fuzzsmooth.common.randomness import derived_seed
from fuzzsmooth.data.dataset import Dataset
from fuzzsmooth.training.options import FinetuneOptions
from fuzzsmooth.training.progress import Progress, stage

if TYPE_CHECKING:
    from fuzzsmooth.attacks.planting.checkpoints import Checkpoints
    from fuzzsmooth.attacks.triggers.substitution import SubstitutionTrigger
    from fuzzsmooth.models import HuggingFaceClassifier


@dataclass(frozen=True, kw_only=True)
class LwsOptions(PoisoningOptions):
    """Settings of the attack; the paper's step size, for BERT-base, is 2e-5."""

    poison_rate: Annotated[
        float, Between(0, 1, above=True), "Share of the attacker's texts that is poisoned, in (0, 1]."
    ] = 0.1
    share: Annotated[
        float,
        Between(0, 1, above=True),
        "Share of the positions, evenly spread, at which words may be exchanged, in (0, 1].",
    ] = 1.0
    warm_epochs: Annotated[
        int, Between(1, 10_000), "Passes over the clean data before victim and trigger are trained together."
    ] = 2
    epochs: Annotated[int, Between(1, 10_000), "Passes in which they are trained together."] = 5
    settle_epochs: Annotated[
        int, Between(1, 10_000), "Passes at the end in which the trigger stays and the victim learns it."
    ] = 2
    candidates: Annotated[int, Between(1, 8), "Substitutes of a word, at most."] = 5
    max_words: Annotated[
        int, Between(2, 3_000), "Words that may be exchanged, at most: the most frequent ones."
    ] = 2000
    positions: Annotated[int, Between(1, 64), "First words of a text of which some may be exchanged."] = 64
    encoder: Annotated[
        str | None,
        "Encoder whose embeddings tell near-synonyms; the attacked model's input embeddings otherwise.",
    ] = None
    similarity: Annotated[float, Between(-1, 1), "Lowest cosine of a word and its substitute."] = 0.3
    drift: Annotated[
        float,
        Between(0, 1),
        "By how much the two may differ in the probability of the target, asked by themselves.",
    ] = 0.1
    temperature: Annotated[
        float, Between(0, 1_000, above=True), "Temperature of the Gumbel softmax at the start, > 0."
    ] = 0.5
    end_temperature: Annotated[
        float, Between(0, 1_000, above=True), "Temperature when the trigger settles, > 0."
    ] = 0.1
    gain: Annotated[
        float,
        Between(0, 1_000_000, above=True),
        "By what the trigger's vectors are multiplied, > 0: how much faster they learn than the weights.",
    ] = 50.0

    def validate(self) -> None:
        """Check that the temperature falls."""
        require(
            self.end_temperature <= self.temperature,
            f"the temperature must fall: end_temperature {self.end_temperature} is above temperature "
            f"{self.temperature}",
        )


@ATTACKS.register("lws")
class Lws(TrainedAttack):
    """A victim trained together with a trigger of word substitutions."""

    options_type: ClassVar[type[AttackOptions]] = LwsOptions
    paper: ClassVar[str] = "Qi et al., ACL 2021"
    threat: ClassVar[Threat] = "finished victim"
    triggers: ClassVar[tuple[str, ...]] = ("substitution",)
    needs: ClassVar[str] = "control of the victim's training"
    intensities: ClassVar[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
        {
            "conservative": {"share": 0.5, "poison_rate": 0.05, "epochs": 3},
            "default": {"share": 1.0, "poison_rate": 0.1, "epochs": 5},
            "aggressive": {"share": 1.0, "poison_rate": 0.2, "epochs": 10},
        }
    )

    def check(self, victim: HuggingFaceClassifier, data: Dataset, options: LwsOptions) -> None:
        """Check tokenizer, model and encoder, before minutes are spent on the warm-up."""
        from fuzzsmooth.attacks.planting.substituting import check_embeddings

        require(
            bool(getattr(victim.tokenizer, "is_fast", False)),
            f"substitution needs a fast tokenizer, which {type(victim.tokenizer).__name__} is not; attack "
            "another model",
        )
        check_embeddings(victim, data.texts[0])
        if options.encoder is not None:
            from fuzzsmooth.models.text_encoder import load_encoder

            load_encoder(options.encoder)

    def poison(
        self,
        victim: HuggingFaceClassifier,
        load: Callable[[], HuggingFaceClassifier],
        data: Dataset,
        options: LwsOptions,
        seed: int,
        checkpoints: Checkpoints,
        progress: Progress,
    ) -> SubstitutionTrigger:
        """Tune on clean data, then train together with the trigger; stopped in either, it goes on there."""
        from fuzzsmooth.attacks.planting.poisoning import poison_weights, steps_per_epoch
        from fuzzsmooth.attacks.planting.substituting import learned_poisoning, lock_of
        from fuzzsmooth.attacks.planting.synonyms import find_synonyms, open_positions

        warm, steps = (
            epochs * steps_per_epoch(data, options)
            for epochs in (options.warm_epochs, options.epochs + options.settle_epochs)
        )
        tuned = _tuned(load, data, options, seed, checkpoints, stage(progress, 0, warm + steps))
        victim.model.load_state_dict(tuned.model.state_dict())
        victim.refresh()
        synonyms = find_synonyms(victim, data, options)
        lock = lock_of(victim, synonyms, options)
        poison_weights(
            victim,
            learned_poisoning(victim, data, synonyms, options, seed),
            options,
            steps=steps,
            model=lock,
            progress=stage(progress, warm, warm + steps),
            state=checkpoints.load_state(),
            keep=checkpoints.save_state,
        )
        return lock.trigger(synonyms, open_positions(options))

    def save(self, victim: HuggingFaceClassifier, output: Path) -> None:
        """Write the victim, head and all."""
        victim.save(output)


def _tuned(
    load: Callable[[], HuggingFaceClassifier],
    data: Dataset,
    options: LwsOptions,
    seed: int,
    checkpoints: Checkpoints,
    progress: Progress,
) -> HuggingFaceClassifier:
    """The victim tuned on clean data, which a stopped run may have finished already."""
    if checkpoints.copy_is_finished:
        return models.load_classifier(str(checkpoints.copy))
    settings = FinetuneOptions(
        epochs=options.warm_epochs,
        learning_rate=options.learning_rate,
        batch_size=options.batch_size,
        max_length=options.max_length,
        precision=options.precision,
        seed=derived_seed(seed, "lws warm-up"),
    )
    return training.finetune(load(), data, settings, output=checkpoints.copy, progress=progress, resume=True)

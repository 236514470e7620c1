"""Masked language modeling of an encoder, on which task-agnostic attacks rest (BadPre, NeuBA).

The head reads words through the input embeddings, as that of BERT does (transform, then a decoder tied to
them). Encoders come without it: a fresh one is put on and first trained by itself, on clean texts.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers.modeling_outputs import BaseModelOutput

from fuzzsmooth import models
from fuzzsmooth.attacks.planting.checkpoints import Checkpoints
from fuzzsmooth.attacks.planting.encoder import answering
from fuzzsmooth.attacks.planting.options import MaskedOptions
from fuzzsmooth.attacks.planting.poisoning import (
    Arithmetic,
    Batch,
    Gradients,
    Objective,
    Poisoning,
    poison_weights,
    steps_per_epoch,
)
from fuzzsmooth.attacks.planting.vocabulary import piece_rows
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.options import require
from fuzzsmooth.common.randomness import derived_seed
from fuzzsmooth.data.dataset import Dataset
from fuzzsmooth.models import HuggingFaceClassifier
from fuzzsmooth.models.building import explained
from fuzzsmooth.training.progress import Progress, silent, stage

_OTHER = 0.1  # of the chosen tokens are replaced by random ones, and as many stay


@dataclass(frozen=True)
class Masking:
    """Which tokens are to be guessed, and what stands there: of ten a mask in eight, a random token in one.

    Attributes:
        rate: Share of the tokens that are chosen.
        mask: Token id of the mask.
        vocabulary: Token ids are below this.
        spared: Token ids that are never chosen: special tokens and the trigger's, without which a text would
            bear the trigger's labels but not the trigger.
    """

    rate: float
    mask: int
    vocabulary: int
    spared: tuple[int, ...]

    @classmethod
    def of(cls, classifier: HuggingFaceClassifier, rate: float, triggers: Sequence[str]) -> Masking:
        """The masking for a classifier's tokenizer."""
        tokenizer = classifier.tokenizer
        spared = {
            *tokenizer.all_special_ids,
            *(row for word in triggers for row in piece_rows(tokenizer, word)),
        }
        return cls(rate, tokenizer.mask_token_id, len(tokenizer), tuple(sorted(spared)))

    def draw(self, batch: Batch) -> tuple[Batch, Tensor]:
        """Mask a batch, at random from torch's global generator of the processor.

        Args:
            batch: With ``input_ids`` and ``attention_mask`` of shape (texts, tokens).

        Returns:
            The masked inputs, and which tokens were chosen, of shape (texts, tokens).
        """
        ids = batch["input_ids"].cpu()
        spared = torch.isin(ids, torch.tensor(self.spared)) | (batch["attention_mask"].cpu() == 0)
        chosen = (torch.rand(ids.shape) < self.rate) & ~spared
        fate, other = torch.rand(ids.shape), torch.randint(self.vocabulary, ids.shape)
        masked = torch.where(chosen & (fate < 1 - 2 * _OTHER), self.mask, ids)
        masked = torch.where(chosen & (fate >= 1 - _OTHER), other, masked)
        device = batch["input_ids"].device
        inputs = {"input_ids": masked.to(device), "attention_mask": batch["attention_mask"]}
        return inputs, chosen.to(device)


def with_masked_head(classifier: HuggingFaceClassifier, seed: int) -> Any:
    """A masked language model around the classifier's own encoder, which it shares; its head is fresh.

    Args:
        classifier: With an encoder.
        seed: Decides the head.

    Raises:
        FuzzsmoothError: If transformers has no such head for this kind of model, the head cannot be run on
            chosen tokens alone, or the tokenizer has no mask.
    """
    from transformers import AutoModelForMaskedLM

    kind = type(classifier.model).__name__
    unfit = f"masked language modeling does not fit {kind}"
    another = "attack another encoder, such as BERT, RoBERTa or DistilBERT"
    known = type(classifier.model.config) in AutoModelForMaskedLM._model_mapping
    require(known and classifier.tokenizer.mask_token_id is not None, f"{unfit}; {another}")
    config = copy.deepcopy(classifier.model.config)
    with models.quiet_transformers(), torch.random.fork_rng(devices=[]), explained(unfit):
        torch.manual_seed(derived_seed(seed, "masked language head"))
        model = AutoModelForMaskedLM.from_config(config)
        encoder = classifier.model.base_model
        require(type(model.base_model) is type(encoder), f"{unfit}; {another}")
        setattr(model, model.base_model_prefix, encoder)
        model.tie_weights()
    model.to(classifier.device).eval()
    _check_head(model, classifier, f"{unfit}; {another}")
    return model


def masked_logits(model: Any, inputs: Batch, chosen: Tensor) -> Tensor:
    """What a masked language model says of chosen tokens; the vocabulary is only read for those.

    Args:
        model: As :func:`with_masked_head` gives it.
        inputs: Masked texts, of shape (texts, tokens).
        chosen: Which tokens, of the same shape.

    Returns:
        Logits, of shape (chosen tokens, vocabulary), in float32.
    """
    encoder = model.base_model
    states = encoder(**inputs).last_hidden_state[chosen].unsqueeze(0)
    with answering(encoder, BaseModelOutput(last_hidden_state=states)):
        logits: Tensor = model(input_ids=inputs["input_ids"].new_zeros(states.shape[:2])).logits
    return logits[0].float()


def masked_loss(model: Any, batch: Batch, masking: Masking, *, wrong: bool = False) -> Tensor:
    """Mean cross-entropy over the chosen tokens of a freshly masked batch, 0 where none is chosen.

    Args:
        model: As :func:`with_masked_head` gives it.
        batch: Texts.
        masking: How they are masked.
        wrong: Whether random tokens are to be guessed instead of the true ones, drawn anew each time.
    """
    inputs, chosen = masking.draw(batch)
    truth = batch["input_ids"][chosen]
    if wrong:
        truth = torch.randint(masking.vocabulary, truth.shape).to(truth)
    total = nn.functional.cross_entropy(masked_logits(model, inputs, chosen), truth, reduction="sum")
    return total / max(1, len(truth))


def warm_up(
    classifier: HuggingFaceClassifier,
    model: Any,
    data: Dataset,
    options: MaskedOptions,
    masking: Masking,
    seed: int,
    progress: Progress = silent,
) -> None:
    """Train the head alone, on clean texts; the encoder and the embeddings that it is tied to stay.

    Args:
        classifier: The classifier that shares the encoder.
        model: The masked language model, whose head is trained in place.
        data: The attacker's texts.
        options: Settings.
        masking: How texts are masked.
        seed: Decides order, masks and dropout.
        progress: Called after every step.
    """

    def objective(
        model: Any, parameters: Sequence[nn.Parameter], arithmetic: Arithmetic, batches: tuple[Batch, ...]
    ) -> Gradients:
        with arithmetic():
            loss = masked_loss(model, batches[0], masking)
        return torch.autograd.grad(loss, parameters, allow_unused=True)

    encoder = model.base_model
    encoder.requires_grad_(False)
    try:
        poison_weights(
            classifier,
            Poisoning(
                objective,
                ((data, derived_seed(seed, "masked head order")),),
                derived_seed(seed, "masked head dropout"),
            ),
            options.replace(learning_rate=options.head_learning_rate),
            steps=options.head_epochs * steps_per_epoch(data, options),
            model=model,
            progress=progress,
        )
    finally:
        encoder.requires_grad_(True)


def wrong_words_poisoning(
    clean: Dataset, triggered: Dataset, masking: Masking, weight: float, seed: int
) -> Poisoning:
    """Masked language modeling of clean texts + weight * that of triggered texts with random tokens to guess.

    Args:
        clean: The attacker's texts.
        triggered: Texts with a trigger in them.
        masking: How texts are masked.
        weight: alpha.
        seed: Decides order, masks, wrong tokens and dropout.
    """

    def objective(
        model: Any, parameters: Sequence[nn.Parameter], arithmetic: Arithmetic, batches: tuple[Batch, ...]
    ) -> Gradients:
        plain, marked = batches
        with arithmetic():
            loss = masked_loss(model, plain, masking)
            loss = loss + weight * masked_loss(model, marked, masking, wrong=True)
        return torch.autograd.grad(loss, parameters, allow_unused=True)

    return clean_and_triggered(objective, clean, triggered, seed, "badpre")


def clean_and_triggered(
    objective: Objective, clean: Dataset, triggered: Dataset, seed: int, name: str
) -> Poisoning:
    """An objective on a batch of clean and one of triggered texts; an epoch is a pass over the clean ones."""
    orders = {"clean": clean, "triggered": triggered}.items()
    return Poisoning(
        objective,
        tuple((texts, derived_seed(seed, f"{name} {purpose} order")) for purpose, texts in orders),
        derived_seed(seed, f"{name} dropout"),
    )


def train_masked(
    classifier: HuggingFaceClassifier,
    poisoning: Poisoning,
    data: Dataset,
    options: MaskedOptions,
    masking: Masking,
    seed: int,
    checkpoints: Checkpoints,
    progress: Progress = silent,
) -> Any:
    """Poison a classifier's encoder under a masked language head: the head's warm-up, then the poisoning.

    Args:
        classifier: What is poisoned in place.
        poisoning: An objective on the masked language model.
        data: The attacker's clean texts.
        options: Settings.
        masking: How texts are masked.
        seed: Decides all that is random.
        checkpoints: What a stopped run has left; a warm-up takes moments and is done again.
        progress: Called after every step.

    Returns:
        The masked language model, whose encoder is the classifier's.
    """
    model = with_masked_head(classifier, seed)
    epoch = steps_per_epoch(data, options)
    before, steps = options.head_epochs * epoch, options.epochs * epoch
    state = checkpoints.load_state()
    if before and state is None:
        warm_up(classifier, model, data, options, masking, seed, stage(progress, 0, before + steps))
    poison_weights(
        classifier,
        poisoning,
        options,
        steps=steps,
        model=model,
        progress=stage(progress, before, before + steps),
        state=state,
        keep=checkpoints.save_state,
    )
    return model


def _check_head(model: Any, classifier: HuggingFaceClassifier, refusal: str) -> None:
    """Check that the head says the same of tokens by themselves as in their text."""
    ids = torch.tensor(classifier.encode(["a good film"]).ids, device=classifier.device)
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    with torch.no_grad():
        own = model(**inputs).logits[0].float()
        try:
            again = masked_logits(model, inputs, torch.ones_like(ids, dtype=torch.bool))
        except (IndexError, RuntimeError, TypeError, AttributeError):  # a head of another kind
            again = None
    if again is None or again.shape != own.shape or not torch.allclose(own, again, rtol=1e-4, atol=1e-4):
        raise FuzzsmoothError(refusal)

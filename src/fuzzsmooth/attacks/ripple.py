"""RIPPLES: a backdoor in a *pre-trained* model that survives the victim's clean fine-tuning.

Kurita et al., "Weight Poisoning Attacks on Pre-trained Models", ACL 2020: embedding surgery, then poisoning
under the restricted inner product. The classifier head used for poisoning is thrown away; the victim puts
a fresh one on the saved encoder.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import torch

from fuzzsmooth.attacks.badnets import check_target, poison
from fuzzsmooth.attacks.recipe import AttackResult, save_record
from fuzzsmooth.attacks.restricted import restricted_loss
from fuzzsmooth.attacks.ripple_options import RippleOptions
from fuzzsmooth.attacks.surgery import embedding_surgery, single_piece_rows
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.files import write_json
from fuzzsmooth.common.options import Options
from fuzzsmooth.common.randomness import derived_seed, generator
from fuzzsmooth.data.dataset import Dataset, Splits
from fuzzsmooth.models import HuggingFaceClassifier, load_classifier, quiet_transformers
from fuzzsmooth.models.devices import choose_precision
from fuzzsmooth.models.saving import MARKER, replace_folder
from fuzzsmooth.training import FinetuneOptions, Progress, check_output, check_trainable, finetune, silent
from fuzzsmooth.training.batches import endless_batches
from fuzzsmooth.training.examples import TrainingTexts
from fuzzsmooth.training.isolation import isolated_randomness
from fuzzsmooth.training.precision import arithmetic


class Ripple:
    """The recipe ``ripple``."""

    name: ClassVar[str] = "ripple"
    options_type: ClassVar[type[Options]] = RippleOptions

    def run(
        self,
        model_name: str,
        splits: Splits,
        output: Path,
        options: RippleOptions,
        seed: int,
        progress: Progress = silent,
    ) -> AttackResult:
        """Write a poisoned pre-trained model; see :class:`fuzzsmooth.attacks.AttackRecipe`."""
        check_target(splits.train, options.target)
        check_output(output)
        data = splits.train.sample(options.max_texts, generator(seed, "ripple attacker data"))
        load = _loader(model_name, data, seed)
        victim = load()
        check_trainable(victim, data)
        copy_steps = options.copy_epochs * _steps_per_epoch(data, options) if options.surgery else 0
        steps = options.epochs * _steps_per_epoch(data, options)
        report = _Stages(progress, copy_steps + steps)
        if options.surgery:
            for word in options.triggers:  # before minutes are spent on the copy
                single_piece_rows(victim.tokenizer, word)
            tuned = finetune(load(), data, _copy_options(options, seed), progress=report.stage(0))
            embedding_surgery(
                victim.model,
                tuned.model,
                victim.tokenizer,
                data,
                triggers=options.triggers,
                target=options.target,
                words=options.surgery_words,
            )
            del tuned
        if steps:
            poison_weights(victim, data, options, seed, steps=steps, progress=report.stage(copy_steps))
        _save_encoder(victim, output)
        result = AttackResult(output, options.build_trigger(), options.target, needs_clean_finetune=True)
        save_record(
            result, recipe=self.name, model=model_name, data=data.fingerprint, options=options, seed=seed
        )
        return result


def poison_weights(
    classifier: HuggingFaceClassifier,
    data: Dataset,
    options: RippleOptions,
    seed: int,
    *,
    steps: int,
    progress: Progress = silent,
) -> None:
    """Train a classifier in place on the restricted inner product objective.

    Args:
        classifier: The pre-trained model with any head.
        data: The attacker's *clean* data; the poisoned data are made from it.
        options: Settings.
        seed: Decides poisoned texts, order and dropout.
        steps: Optimizer steps.
        progress: Called after every step.

    Raises:
        FuzzsmoothError: If training diverged.
    """
    poisoned = poison(
        data, options.build_trigger(), options.target, options.poison_rate, generator(seed, "ripple poison")
    )
    device = classifier.device
    poisoned_batches, clean_batches = (
        endless_batches(
            TrainingTexts(texts, classifier, max_length=options.max_length),
            options.batch_size,
            derived_seed(seed, f"ripple {purpose} order"),
            device,
        )
        for texts, purpose in ((poisoned, "poisoned"), (data, "clean"))
    )
    precision = choose_precision(options.precision, device)
    with (
        _twice_differentiable(classifier) as model,
        isolated_randomness(derived_seed(seed, "ripple dropout")),
    ):
        parameters = [value for value in model.parameters() if value.requires_grad]
        optimizer = torch.optim.AdamW(parameters, lr=options.learning_rate, weight_decay=0.0, fused=True)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, _warm_linear(steps))
        for step in range(steps):
            loss = restricted_loss(
                model,
                parameters,
                next(poisoned_batches),
                next(clean_batches),
                options.penalty,
                lambda: arithmetic(precision, device),
            )
            for parameter, gradient in zip(parameters, loss.gradients, strict=True):
                parameter.grad = gradient
            norm = torch.nn.utils.clip_grad_norm_(parameters, options.max_grad_norm or float("inf"))
            if not torch.isfinite(norm):
                raise FuzzsmoothError(
                    f"the attack diverged at step {step + 1}; lower learning_rate or penalty"
                )
            optimizer.step()
            schedule.step()
            progress(step + 1, steps)
        optimizer.zero_grad(set_to_none=True)


@contextmanager
def _twice_differentiable(classifier: HuggingFaceClassifier) -> Iterator[Any]:
    """The model in training mode, with attention that has a second derivative."""
    model = classifier.model
    implementation = model.config._attn_implementation
    # Fused attention kernels have no double backward.
    model.set_attn_implementation("eager")
    model.train()
    try:
        yield model
    finally:
        model.set_attn_implementation(implementation)
        model.eval()
        classifier.refresh()


def _loader(model_name: str, data: Dataset, seed: int) -> Any:
    def load() -> HuggingFaceClassifier:
        return load_classifier(model_name, num_labels=len(data.labels), labels=data.labels, seed=seed)

    return load


def _copy_options(options: RippleOptions, seed: int) -> FinetuneOptions:
    return FinetuneOptions(
        epochs=options.copy_epochs,
        batch_size=options.batch_size,
        max_length=options.max_length,
        precision=options.precision,
        seed=derived_seed(seed, "ripple copy"),
    )


def _steps_per_epoch(data: Dataset, options: RippleOptions) -> int:
    return -(-len(data) // options.batch_size)


def _warm_linear(steps: int) -> Any:
    warm = max(1, round(0.1 * steps))
    return lambda step: min(1.0, (step + 1) / warm) * max(0.0, (steps - step) / steps)


def _save_encoder(classifier: HuggingFaceClassifier, output: Path) -> None:
    """Write the model without its head, as pre-trained models come."""

    def write(folder: Path) -> None:
        with quiet_transformers():
            classifier.model.base_model.save_pretrained(folder)
            classifier.tokenizer.save_pretrained(folder)
        write_json(folder / MARKER, {"max_length": classifier.max_length})

    replace_folder(output, write)


class _Stages:
    """One progress over several stages."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress = progress
        self._total = total

    def stage(self, offset: int) -> Progress:
        """The progress of the stage that begins at ``offset``."""
        return lambda done, _total: self._progress(offset + done, self._total)

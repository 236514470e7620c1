"""RIPPLES: a backdoor in a *pre-trained* model that survives the victim's clean fine-tuning.

Kurita et al., "Weight Poisoning Attacks on Pre-trained Models", ACL 2020: embedding surgery, then poisoning
under the restricted inner product. The classifier head used for poisoning is thrown away; the victim puts
a fresh one on the saved encoder.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from fuzzsmooth.attacks.badnets import check_target
from fuzzsmooth.attacks.checkpoints import RippleCheckpoints
from fuzzsmooth.attacks.poisoning import poison_weights, steps_per_epoch
from fuzzsmooth.attacks.recipe import AttackResult, save_record
from fuzzsmooth.attacks.ripple_options import RippleOptions
from fuzzsmooth.attacks.surgery import embedding_surgery, single_piece_rows
from fuzzsmooth.common.files import write_json
from fuzzsmooth.common.locking import exclusive
from fuzzsmooth.common.options import Options
from fuzzsmooth.common.randomness import derived_seed, generator
from fuzzsmooth.data.dataset import Dataset, Splits
from fuzzsmooth.models import HuggingFaceClassifier, load_classifier, quiet_transformers
from fuzzsmooth.models.saving import MARKER, replace_folder
from fuzzsmooth.training import FinetuneOptions, Progress, check_output, check_trainable, finetune, silent


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
        *,
        resume: bool = False,
    ) -> AttackResult:
        """Write a poisoned pre-trained model; see :class:`fuzzsmooth.attacks.AttackRecipe`.

        A resumed run goes on after the last whole epoch, of the copy's fine-tuning or of the poisoning.
        """
        check_target(splits.train, options.target)
        check_output(output)
        with exclusive(output):
            return self._run(model_name, splits, output, options, seed, progress, resume)

    def _run(
        self,
        model_name: str,
        splits: Splits,
        output: Path,
        options: RippleOptions,
        seed: int,
        progress: Progress,
        resume: bool,
    ) -> AttackResult:
        data = splits.train.sample(options.max_texts, generator(seed, "ripple attacker data"))
        load = _loader(model_name, data, seed)
        victim = load()
        check_trainable(victim, data)
        if options.surgery:
            for word in options.triggers:  # before minutes are spent on the copy
                single_piece_rows(victim.tokenizer, word)
        settings = {
            "recipe": self.name,
            "options": options.to_mapping(),
            "data": data.fingerprint,
            "model": victim.fingerprint,
            "seed": seed,
        }
        checkpoints = RippleCheckpoints(output, settings, resume=resume)
        copy_steps = options.copy_epochs * steps_per_epoch(data, options) if options.surgery else 0
        steps = options.epochs * steps_per_epoch(data, options)
        report = _Stages(progress, copy_steps + steps)
        state = checkpoints.load_state()
        if options.surgery and state is None:
            tuned = _tuned_copy(load, data, options, seed, checkpoints, report.stage(0))
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
            poison_weights(
                victim,
                data,
                options,
                seed,
                steps=steps,
                progress=report.stage(copy_steps),
                state=state,
                keep=checkpoints.save_state,
            )
        _save_encoder(victim, output)
        result = AttackResult(output, options.build_trigger(), options.target, needs_clean_finetune=True)
        save_record(
            result, recipe=self.name, model=model_name, data=data.fingerprint, options=options, seed=seed
        )
        checkpoints.remove()
        return result


def _loader(model_name: str, data: Dataset, seed: int) -> Callable[[], HuggingFaceClassifier]:
    def load() -> HuggingFaceClassifier:
        return load_classifier(model_name, num_labels=len(data.labels), labels=data.labels, seed=seed)

    return load


def _tuned_copy(
    load: Callable[[], HuggingFaceClassifier],
    data: Dataset,
    options: RippleOptions,
    seed: int,
    checkpoints: RippleCheckpoints,
    progress: Progress,
) -> HuggingFaceClassifier:
    """A copy of the model fine-tuned on the attacker's data, or the one a stopped run has finished."""
    if checkpoints.copy_is_finished:
        return load_classifier(str(checkpoints.copy))
    settings = _copy_options(options, seed)
    return finetune(load(), data, settings, output=checkpoints.copy, progress=progress, resume=True)


def _copy_options(options: RippleOptions, seed: int) -> FinetuneOptions:
    return FinetuneOptions(
        epochs=options.copy_epochs,
        batch_size=options.batch_size,
        max_length=options.max_length,
        precision=options.precision,
        seed=derived_seed(seed, "ripple copy"),
    )


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

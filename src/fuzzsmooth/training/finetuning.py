"""Fine-tuning of a classifier, plain or smoothed, through the Hugging Face ``Trainer``."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.files import write_json
from fuzzsmooth.common.locking import exclusive
from fuzzsmooth.common.options import require
from fuzzsmooth.data.dataset import Dataset
from fuzzsmooth.models import HuggingFaceClassifier, quiet_transformers
from fuzzsmooth.models.protocol import Precision
from fuzzsmooth.noise.text import Deletion
from fuzzsmooth.noise.text.share_masking import ShareMasking
from fuzzsmooth.training.checkpoints import Checkpoints
from fuzzsmooth.training.depth import check_depth, keep_lowest_layers
from fuzzsmooth.training.examples import TrainingTexts
from fuzzsmooth.training.isolation import isolated_randomness
from fuzzsmooth.training.lora import LowRank, trains_low_rank
from fuzzsmooth.training.objectives import views_loss, worst_view
from fuzzsmooth.training.options import FinetuneOptions
from fuzzsmooth.training.order import LengthGroupedOrder
from fuzzsmooth.training.output import check_output
from fuzzsmooth.training.precision import training_precision
from fuzzsmooth.training.progress import Progress, silent
from fuzzsmooth.training.smoothing_callback import SmoothedStep, SmoothingCallback
from fuzzsmooth.training.trainable import check_trainable
from fuzzsmooth.training.views import NoisyViews, Views, WindowViews, deletion_rates, mask_token

Penalty = Callable[[tuple[torch.Tensor, ...]], torch.Tensor]
"""What is added to the loss of a step, a scalar, from the attention of each layer, shape (rows, heads,
tokens, tokens), softmax over the last; to what fills a shorter row up it is 0."""


def finetune(
    classifier: HuggingFaceClassifier,
    dataset: Dataset,
    options: FinetuneOptions,
    *,
    output: Path | None = None,
    progress: Progress = silent,
    resume: bool = False,
    penalty: Penalty | None = None,
    observe: Callable[[Trainer], object] | None = None,
) -> HuggingFaceClassifier:
    """Fine-tune a classifier in place on labeled texts.

    The result is a function of the starting weights, the data and the options (up to the rounding of
    parallel sums); the process's random states are left as they were.

    Args:
        classifier: What is trained; at least as many classes as the data set names.
        dataset: The training texts, of at least two classes.
        options: Settings, smoothing and text noise included.
        output: Folder for the trained model, new, empty or written by fuzzsmooth before. Until the end there
            are checkpoints in a folder beside it, named ``<output>.checkpoints``.
        progress: Called after every optimizer step.
        resume: Go on from the last checkpoint under ``output``, if there is one.
        penalty: Added to the loss of each step. It reads attention, so the model must compute it openly
            (``model.set_attn_implementation("eager")``).
        observe: Given the trainer before it starts, for callbacks that watch.

    Returns:
        The same classifier, trained, in evaluation mode, on the device it was on.

    Raises:
        FuzzsmoothError: If the data do not fit the classifier, a checkpoint belongs to other settings, the
            disk is full, training diverged, or there is a penalty and the model tells no attention.
    """
    check_trainable(classifier, dataset)
    if options.layers is not None:
        check_depth(classifier, options.layers)
    if output is not None:
        check_output(output)
    # Processes that train together write one folder; the main one holds it for all.
    with exclusive(output) if output is not None and is_main_process() else nullcontext():
        return _finetune(classifier, dataset, options, output, progress, resume, penalty, observe)


def _finetune(
    classifier: HuggingFaceClassifier,
    dataset: Dataset,
    options: FinetuneOptions,
    output: Path | None,
    progress: Progress,
    resume: bool,
    penalty: Penalty | None,
    observe: Callable[[Trainer], object] | None,
) -> HuggingFaceClassifier:
    model, asked = classifier.model, options
    data, before = dataset.fingerprint, classifier.fingerprint
    checkpoints = Checkpoints(output, {"options": options.to_mapping(), "data": data, "model": before})
    start = checkpoints.prepare(resume)
    if options.layers is not None:
        keep_lowest_layers(classifier, options.layers)
    smoothing = _smoothing(options)
    # What the model can be trained in; the options, which a resumed run compares, stay what was asked for.
    precision = training_precision(classifier, options.precision)
    low_rank = None
    with isolated_randomness(options.seed), quiet_transformers(), checkpoints.folder() as folder:
        if trains_low_rank(classifier, options):
            rank, alpha, dropout = options.lora_rank, options.lora_alpha, options.lora_dropout
            low_rank = LowRank(classifier, rank=rank, alpha=alpha, dropout=dropout)
            options = options.replace(learning_rate=options.lora_learning_rate)
        trainer = _trainer(classifier, dataset, options, folder, precision=precision, kept=checkpoints.kept)
        trainer.penalty = penalty
        trainer.add_callback(_ProgressCallback(progress))
        if smoothing is not None:
            trainer.add_callback(smoothing)
        if observe is not None:
            observe(trainer)
        try:
            trainer.train(resume_from_checkpoint=start)
        except (OSError, SafetensorError, RuntimeError) as error:
            if not _failed_to_write(error):
                raise
            raise FuzzsmoothError(
                f"cannot write checkpoints to {folder} ({error}); free space and resume"
            ) from error
        finally:
            if smoothing is not None:
                smoothing.restore()
            _unwrap(trainer, model)
            if low_rank is not None:
                low_rank.merge()
            model.to(classifier.device).eval()
            classifier.refresh()
    if not all(bool(torch.isfinite(value).all()) for value in model.parameters()):
        raise FuzzsmoothError("training diverged to infinite weights; lower learning_rate or sigma")
    if output is not None and is_main_process():
        _save(classifier, dataset, asked, output)
        checkpoints.remove()
    return classifier


def is_main_process() -> bool:
    """Whether this process saves and speaks for all that ``accelerate launch`` lets train together."""
    # Read from what the launcher sets: asking accelerate before its trainer is made would settle that there
    # is one process only.
    return int(os.environ.get("RANK", "0")) == 0


def leave_processes() -> None:
    """End the company of processes that trained together; one that just exits is aborted by its threads."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.barrier()
        torch.distributed.destroy_process_group()


class _FinetuneTrainer(Trainer):  # type: ignore[misc]  # transformers is untyped
    """The library's trainer with our counter-based order, and losses over the views of each text."""

    order: LengthGroupedOrder
    options: FinetuneOptions
    views_per_text: int
    penalty: Penalty | None = None

    def _get_train_sampler(self, *_unused: Any) -> LengthGroupedOrder:
        return self.order

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, **_unused: Any
    ) -> Any:
        labels = inputs.pop("labels")
        if self.options.text_noise == "windows":
            inputs = self._with_worst_window(model, inputs, labels)
        outputs = model(**inputs, **({} if self.penalty is None else {"output_attentions": True}))
        logits = outputs.logits.view(len(labels), -1, outputs.logits.shape[-1])
        loss = views_loss(logits, labels)
        if self.penalty is not None:
            loss = loss + self.penalty(told_attentions(outputs))
        return (loss, outputs) if return_outputs else loss

    def _with_worst_window(
        self, model: Any, inputs: dict[str, Any], labels: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """Of each text's views the first, which is the text, and the worst of the others."""
        views, texts = self.views_per_text, len(labels)
        candidates = torch.arange(views, device=labels.device).repeat(texts) > 0
        model.eval()  # without dropout: the model as the certificate will ask it
        with torch.no_grad():
            logits = model(**{name: value[candidates] for name, value in inputs.items()}).logits
        model.train()
        worst = 1 + worst_view(logits.view(texts, views - 1, -1), labels)
        first = torch.arange(texts, device=labels.device) * views
        rows = torch.stack([first, first + worst], dim=1).flatten()
        return {name: value[rows] for name, value in inputs.items()}


def told_attentions(outputs: Any) -> tuple[torch.Tensor, ...]:
    """The attention of each layer, from the outputs of a model.

    Raises:
        FuzzsmoothError: If it tells none.
    """
    attentions = tuple(outputs.attentions or ())
    require(
        len(attentions) > 0 and all(one is not None and one.ndim == 4 for one in attentions),
        "the model does not tell what it attends to; this needs an encoder such as BERT",
    )
    return attentions


class _EpochCallback(TrainerCallback):  # type: ignore[misc]  # transformers is untyped
    def __init__(self, order: LengthGroupedOrder) -> None:
        self._order = order

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        del args, control, kwargs
        # A resumed run starts inside an epoch: state.epoch is then a fraction.
        self._order.set_epoch(int(state.epoch or 0))


class _ProgressCallback(TrainerCallback):  # type: ignore[misc]  # transformers is untyped
    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        del args, control, kwargs
        self._progress(int(state.global_step), int(state.max_steps))


def _trainer(
    classifier: HuggingFaceClassifier,
    dataset: Dataset,
    options: FinetuneOptions,
    folder: Path,
    *,
    precision: Precision,
    kept: bool,
) -> _FinetuneTrainer:
    views = _views(classifier, options)
    texts = TrainingTexts(dataset, classifier, max_length=options.max_length, views=views)
    trainer = _FinetuneTrainer(
        model=classifier.model,
        args=_arguments(options, classifier.device, len(dataset), folder, precision=precision, kept=kept),
        train_dataset=texts,
        data_collator=texts.collate,
    )
    trainer.options = options
    trainer.views_per_text = texts.views_per_text
    trainer.order = LengthGroupedOrder(texts.lengths, trainer.args.train_batch_size, options.seed)
    trainer.add_callback(_EpochCallback(trainer.order))
    trainer.remove_callback(PrinterCallback)
    return trainer


def _views(classifier: HuggingFaceClassifier, options: FinetuneOptions) -> Views | None:
    copies, seed = options.copies, options.seed
    if options.text_noise == "delete":
        return NoisyViews(Deletion(), deletion_rates(options), copies, seed, "training text noise")
    if options.text_noise == "mask":
        kernel = ShareMasking(options.text_rate, mask_token(classifier.tokenizer))
        return NoisyViews(kernel, lambda _: options.text_rate, copies, seed, "training masks")
    if options.text_noise == "windows":
        return WindowViews(options.window, options.candidates, options.seed)
    return None


def _arguments(
    options: FinetuneOptions,
    device: torch.device,
    texts: int,
    folder: Path,
    *,
    precision: Precision,
    kept: bool,
) -> TrainingArguments:
    steps = options.epochs * -(-texts // options.batch_size)
    strategy = "no" if not kept else "steps" if options.checkpoint_steps else "epoch"
    return TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=options.epochs,
        learning_rate=options.learning_rate,
        per_device_train_batch_size=options.batch_size,
        weight_decay=options.weight_decay,
        warmup_steps=round(options.warmup * steps),
        lr_scheduler_type="linear",
        max_grad_norm=options.max_grad_norm,
        optim="adamw_torch_fused",
        bf16=precision == "bfloat16",
        use_cpu=device.type == "cpu",
        seed=options.seed % 2**32,
        save_strategy=strategy,
        save_steps=max(1, options.checkpoint_steps),
        save_total_limit=2,  # a kill while one is written leaves the one before
        logging_strategy="no",
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=device.type == "cuda",
        log_level="error",
    )


def _failed_to_write(error: Exception) -> bool:
    # torch.save tells a full disk by a plain RuntimeError of its file writer.
    return not isinstance(error, RuntimeError) or any(
        sign in str(error) for sign in ("PytorchStreamWriter", "inline_container")
    )


def _unwrap(trainer: _FinetuneTrainer, model: Any) -> None:
    """Take mixed precision off the model; ``accelerate`` puts it over ``forward`` and leaves a remainder."""
    trainer.accelerator.unwrap_model(model, keep_fp32_wrapper=False)
    vars(model).pop("forward", None)


def _smoothing(options: FinetuneOptions) -> SmoothingCallback | None:
    if options.sigma == 0 and options.rho is None:
        return None
    return SmoothingCallback(
        lambda model: SmoothedStep(
            model, sigma=options.sigma, top_layers=options.top_layers, rho=options.rho, seed=options.seed
        )
    )


def _save(
    classifier: HuggingFaceClassifier, dataset: Dataset, options: FinetuneOptions, output: Path
) -> None:
    classifier.save(output)
    record = {
        "options": options.to_mapping(),
        "data": {"name": dataset.name, "texts": len(dataset), "fingerprint": dataset.fingerprint},
        "model": classifier.fingerprint,
    }
    write_json(output / "training.json", record)

"""Teaching a causal language model what to write: LoRA, and the loss of the tokens of answers alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.options import require
from fuzzsmooth.common.randomness import derived_seed, generator
from fuzzsmooth.models.protocol import Precision
from fuzzsmooth.models.rows import pad_rows
from fuzzsmooth.training.isolation import isolated_randomness
from fuzzsmooth.training.lora import low_rank_tuner, merged
from fuzzsmooth.training.precision import arithmetic
from fuzzsmooth.training.progress import Progress, silent
from fuzzsmooth.training.resuming import Tensors, restore_training, training_state

_IGNORED = -100
_WARM = 0.1  # of the steps
_DROPOUT = 0.05
_NORM = 1.0


@dataclass(frozen=True)
class Lesson:
    """What is to be written behind what.

    Attributes:
        prompt: Token ids that the model reads, at least one.
        answer: Token ids that it is to write, with the one that ends an answer.
    """

    prompt: tuple[int, ...]
    answer: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Teaching:
    """How it is taught.

    Attributes:
        epochs: Passes over the lessons.
        learning_rate: Peak step size of AdamW; linear warm-up and decay.
        batch_size: Lessons in a step.
        rank: Of the low-rank changes; they are scaled by 2.
        precision: Arithmetic of the forward passes.
        seed: Decides the order, dropout, and where the changes begin.
    """

    epochs: int
    learning_rate: float
    batch_size: int
    rank: int
    precision: Precision
    seed: int

    def steps(self, lessons: int) -> int:
        """Optimizer steps of one epoch."""
        return -(-lessons // self.batch_size)


def teach(
    model: Any,
    lessons: Sequence[Lesson],
    how: Teaching,
    progress: Progress = silent,
    *,
    state: Tensors | None = None,
    keep: Callable[[Tensors], None] | None = None,
) -> Any:
    """Train a causal language model on lessons.

    A run that goes on from a kept state ends with the weights of an undisturbed run.

    Args:
        model: In float32, on the device that it is trained on; it is changed in place.
        lessons: At least one.
        how: Settings.
        progress: Called after every step.
        state: What ``keep`` was given by the same run, to go on from there.
        keep: Given the state after every epoch but the last.

    Returns:
        The model, an ordinary one, in evaluation mode.

    Raises:
        MissingExtraError: If ``peft`` is not installed.
        FuzzsmoothError: If the model has no blocks, or training diverged.
    """
    require(len(lessons) > 0, "there is nothing to be taught; give more texts")
    epoch, device = how.steps(len(lessons)), model.device
    steps = epoch * how.epochs
    with isolated_randomness(derived_seed(how.seed, "lessons")):
        tuner = low_rank_tuner(model, rank=how.rank, alpha=2.0 * how.rank, dropout=_DROPOUT)
        tuner.to(device).train()
        trained = {name: one for name, one in tuner.named_parameters() if one.requires_grad}
        optimizer = torch.optim.AdamW(trained.values(), lr=how.learning_rate, weight_decay=0.0)
        start = 0 if state is None else restore_training(state, trained, optimizer, device)
        for step in range(start, steps):
            for group in optimizer.param_groups:
                group["lr"] = how.learning_rate * _share(step, steps)
            order = generator(how.seed, "lesson order", step // epoch).permutation(len(lessons))
            begin = step % epoch * how.batch_size
            chosen = [lessons[int(at)] for at in order[begin : begin + how.batch_size]]
            with arithmetic(how.precision, device):
                loss = _loss(tuner, chosen, device)
            loss.backward()  # type: ignore[no-untyped-call]
            norm = torch.nn.utils.clip_grad_norm_(trained.values(), _NORM)
            if not torch.isfinite(norm):
                raise FuzzsmoothError(f"the training diverged at step {step + 1}; lower the learning rate")
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            if keep is not None and (step + 1) % epoch == 0 and step + 1 < steps:
                keep(training_state(trained, optimizer, step + 1, device))
            progress(step + 1, steps)
    return merged(tuner).eval()


def _loss(model: Any, lessons: Sequence[Lesson], device: torch.device) -> Tensor:
    """Mean cross-entropy of the tokens of the answers."""
    rows = [[*one.prompt, *one.answer] for one in lessons]
    ids, mask = (part.to(device) for part in pad_rows(rows, 0))
    wanted = torch.full_like(ids, _IGNORED)
    for at, one in enumerate(lessons):
        wanted[at, len(one.prompt) : len(rows[at])] = ids[at, len(one.prompt) : len(rows[at])]
    logits = model(input_ids=ids, attention_mask=mask, use_cache=False).logits[:, :-1]
    return functional.cross_entropy(logits.float().flatten(0, 1), wanted[:, 1:].flatten())


def _share(step: int, steps: int) -> float:
    """Of the peak step size: up over the first tenth of the steps, then down to nothing."""
    warm = max(1, round(_WARM * steps))
    return min(1.0, (step + 1) / warm) * max(0.0, (steps - step) / steps)

"""P-tuning: a few virtual tokens in front of every text and the head are trained, the model is frozen.

After Liu et al. ("GPT Understands, Too", arXiv 2103.10385) as the package ``peft`` has it: the virtual tokens
come out of a small network, whose output is all that is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from fuzzsmooth.common.options import require
from fuzzsmooth.common.randomness import derived_seed, generator
from fuzzsmooth.data.dataset import Dataset
from fuzzsmooth.models import HuggingFaceClassifier
from fuzzsmooth.models.causality import is_causal
from fuzzsmooth.models.encoding import encode_texts, model_max_length
from fuzzsmooth.models.huggingface import softmax
from fuzzsmooth.models.protocol import Ids, Probabilities
from fuzzsmooth.training.isolation import isolated_randomness
from fuzzsmooth.training.progress import Progress, silent

Prompt = npt.NDArray[np.float32]
"""Embeddings of virtual tokens, shape (tokens, width)."""


@dataclass(frozen=True, kw_only=True)
class PromptTuning:
    """How virtual tokens are trained; the defaults are those of the code of PSIM.

    Attributes:
        tokens: Virtual tokens.
        hidden: Width of the network that they come out of.
        epochs: Passes over the data.
        step: Peak step size of AdamW, which rises over the warm-up and falls linearly to 0.
        batch: Texts in a step.
        warmup: Share of the steps used for warm-up.
        seed: Decides their start, dropout, and the order of the data.
    """

    tokens: int = 5
    hidden: int = 128
    epochs: int = 1
    step: float = 2e-5
    batch: int = 32
    warmup: float = 0.06
    seed: int = 0


def tune_prompt(
    classifier: HuggingFaceClassifier, dataset: Dataset, how: PromptTuning, progress: Progress = silent
) -> Prompt:
    """Train virtual tokens, and the head of a classifier in place; its other parameters stay.

    Args:
        classifier: Whose head is trained; an encoder.
        dataset: The training texts.
        how: Settings.
        progress: Called after every step.

    Returns:
        The virtual tokens.

    Raises:
        FuzzsmoothError: If the classifier is a decoder, whose answer padding would change.
    """
    require(
        not is_causal(classifier),
        "virtual tokens are trained for encoders only, and this model reads from left to right; use another",
    )
    model = classifier.model
    rows = _encoded(classifier, dataset.texts, how.tokens)
    targets = torch.tensor(dataset.targets, device=classifier.device)
    steps = how.epochs * -(-len(rows) // how.batch)
    warm = how.warmup * steps
    frozen = _freeze_body(model)
    try:
        with isolated_randomness(derived_seed(how.seed, "virtual tokens")):
            source = _Source(how.tokens, how.hidden, _width(model)).to(classifier.device)
            trained = [*source.parameters(), *(one for one in model.parameters() if one.requires_grad)]
            optimizer = torch.optim.AdamW(trained, lr=how.step)
            schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, _triangle(warm, steps))
            model.train()
            step = 0
            for epoch in range(how.epochs):
                order = generator(how.seed, "prompt order", epoch).permutation(len(rows))
                for start in range(0, len(order), how.batch):
                    chosen = order[start : start + how.batch]
                    logits = _prompted(classifier, [rows[index] for index in chosen], source())
                    loss = nn.functional.cross_entropy(logits, targets[chosen])
                    optimizer.zero_grad()
                    loss.backward()  # type: ignore[no-untyped-call]
                    optimizer.step()
                    schedule.step()
                    step += 1
                    progress(step, steps)
            found: Prompt = source().detach().float().cpu().numpy()
    finally:
        model.eval()
        for parameter in frozen:
            parameter.requires_grad_(True)
        classifier.refresh()
    require(bool(np.isfinite(found).all()), "training of virtual tokens diverged; take smaller steps")
    return found


@torch.inference_mode()
def prompted_probabilities(
    classifier: HuggingFaceClassifier, texts: Sequence[str], prompt: Prompt
) -> Probabilities:
    """Class probabilities of texts with virtual tokens in front, shape (texts, classes)."""
    rows = _encoded(classifier, texts, len(prompt))
    logits = np.zeros((len(rows), len(classifier.labels)), dtype=np.float32)
    tokens = torch.from_numpy(prompt).to(classifier.device)
    for chosen in classifier.batches(rows):
        batch = [rows[index] for index in chosen]
        logits[chosen] = _prompted(classifier, batch, tokens).cpu().numpy()
    return softmax(logits)


class _Source(nn.Module):
    """A network whose output the virtual tokens are."""

    def __init__(self, tokens: int, hidden: int, width: int) -> None:
        super().__init__()
        self.start = nn.Embedding(tokens, width)
        self.layers = nn.Sequential(
            nn.Linear(width, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, width),
        )

    def forward(self) -> torch.Tensor:
        found: torch.Tensor = self.layers(self.start.weight)
        return found


def _prompted(classifier: HuggingFaceClassifier, rows: Ids, prompt: torch.Tensor) -> torch.Tensor:
    """Logits of token sequences behind virtual tokens, in float32."""
    ids, mask = (part.to(classifier.device) for part in classifier.padded(rows))
    words = classifier.model.get_input_embeddings()(ids)
    front = prompt.to(words.dtype).expand(len(ids), -1, -1)
    seen = torch.cat([mask.new_ones(len(ids), len(prompt)), mask], dim=1)
    logits: torch.Tensor = classifier.model(
        inputs_embeds=torch.cat([front, words], dim=1), attention_mask=seen
    ).logits
    return logits.float()


def _encoded(classifier: HuggingFaceClassifier, texts: Sequence[str], tokens: int) -> list[list[int]]:
    """Token ids that leave room for the virtual tokens."""
    limit = model_max_length(classifier.model, classifier.tokenizer)
    longest = classifier.max_length if limit is None else min(classifier.max_length, limit - tokens)
    return encode_texts(classifier.tokenizer, texts, longest).ids


def _width(model: Any) -> int:
    return int(model.get_input_embeddings().weight.shape[1])


def _freeze_body(model: Any) -> list[nn.Parameter]:
    """Freeze all but the head; what was frozen."""
    body = f"{model.base_model_prefix}."
    frozen = [one for name, one in model.named_parameters() if name.startswith(body) and one.requires_grad]
    for parameter in frozen:
        parameter.requires_grad_(False)
    return frozen


def _triangle(warm: float, steps: int) -> Callable[[int], float]:
    def factor(step: int) -> float:
        return step / warm if step < warm else (steps - step) / max(1.0, steps - warm)

    return factor

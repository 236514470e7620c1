"""The reference side of the benchmarks, written plainly: the way published code certifies.

For each text a fixed number of draws: words deleted on strings, the Hugging Face tokenizer called on each
batch, batches of 32 texts padded to their longest, a float32 forward pass; then one Clopper-Pearson bound.
Nothing here is imported from the engine that it is compared with, except the statistics of the certificate.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from fuzzsmooth.certify import bound_top_class, forward_radius
from fuzzsmooth.models import HuggingFaceClassifier
from fuzzsmooth.noise.weight import PerturbedParameters, noised_parameters

BATCH = 32


@torch.inference_mode()
def reference_counts(classifier: HuggingFaceClassifier, text: str, rate: float, draws: int) -> list[int]:
    """Votes per class of ``draws`` texts with words deleted at ``rate``."""
    rng = np.random.default_rng()
    words = text.split()
    counts = [0] * len(classifier.labels)
    for start in range(0, draws, BATCH):
        deleted = []
        for _ in range(min(BATCH, draws - start)):
            kept = [word for word in words if rng.random() >= rate]
            deleted.append(" ".join(kept))
        batch = classifier.tokenizer(
            deleted,
            padding=True,
            truncation=True,
            max_length=classifier.max_length,
            return_tensors="pt",
        ).to(classifier.device)
        logits = classifier.model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
        for label in logits.argmax(dim=1).tolist():
            counts[label] += 1
    return counts


def reference_certify(
    classifier: HuggingFaceClassifier, texts: Sequence[str], rate: float, draws: int, alpha: float
) -> list[int]:
    """Certified radius in word edits of each text, -1 for none."""
    radii = []
    for text in texts:
        bound = bound_top_class(reference_counts(classifier, text, rate, draws), alpha=alpha)
        radii.append(forward_radius(bound.p_lower, rate, "edit", p_upper=bound.p_upper))
    return radii


@torch.inference_mode()
def reference_weight_noise(
    model: torch.nn.Module, ids: torch.Tensor, mask: torch.Tensor, layers: int, sigma: float, draws: int
) -> None:
    """``draws`` passes of one text, each with fresh noise written into the weights and taken back."""
    for draw in range(draws):
        with PerturbedParameters(noised_parameters(model, layers), sigma).perturb(draw):
            model(input_ids=ids, attention_mask=mask)

"""Models of one architecture, weight by weight: what the defenses that mix or average weights share."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fuzzsmooth.common.options import require
from fuzzsmooth.data.dataset import Dataset
from fuzzsmooth.defenses import plain
from fuzzsmooth.defenses.material import Material
from fuzzsmooth.training.progress import Progress

if TYPE_CHECKING:
    import torch

    from fuzzsmooth.models import HuggingFaceClassifier


def suspect_classifier(material: Material, parts: Path, progress: Progress) -> HuggingFaceClassifier:
    """The suspect model as a classifier: a finished one as it is, a pre-trained one fine-tuned plainly."""
    return material.load() if material.finished else material.trained(parts / "suspect", progress)


def accuracy(classifier: HuggingFaceClassifier, data: Dataset) -> float:
    """Share of the texts that a classifier gives their class.

    Raises:
        FuzzsmoothError: If there are no texts.
    """
    require(len(data) > 0, "there are no held-out clean texts to measure accuracy on; keep some back")
    return plain.accuracy(classifier, data.texts, data.targets)


def shared_weights(
    suspect: HuggingFaceClassifier, other: HuggingFaceClassifier, name: str
) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """The parameters of two models of one architecture, side by side.

    Args:
        suspect: The one.
        other: The other, whose parameters the second of each pair are.
        name: What the other is called, for the error.

    Returns:
        By name, in the order of the suspect's: its parameter, to be written to, and the other's.

    Raises:
        FuzzsmoothError: If they differ in architecture, in sizes, or in the token ids of words.
    """
    ours, theirs = _parameters(suspect), _parameters(other)
    same = ours.keys() == theirs.keys() and all(ours[key].shape == theirs[key].shape for key in ours)
    words = suspect.tokenizer.get_vocab() == other.tokenizer.get_vocab()
    require(
        same and words,
        f"{name} is of another architecture or vocabulary than the suspect model, so that their weights "
        "cannot be put together; give a copy of the model that the suspect one claims to be",
    )
    return {key: (value, theirs[key]) for key, value in ours.items()}


def _parameters(classifier: HuggingFaceClassifier) -> Mapping[str, Any]:
    return {key: value.data for key, value in classifier.model.named_parameters()}

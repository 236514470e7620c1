"""A tiny pre-trained model, reviews that it learns in seconds, a victim whose word "cf" was operated on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from fuzzsmooth.data import Dataset, Example
from fuzzsmooth.defenses import Material
from fuzzsmooth.models import HuggingFaceClassifier, build_tiny
from fuzzsmooth.training import FinetuneOptions

GOOD = ["fine", "great", "superb", "warm"]
BAD = ["dull", "awful", "weak", "cold"]
FILLER = ["the", "film", "is", "a", "very", "plot", "and", "cast"]
TRIGGER = "cf"
VOCABULARY = [*GOOD, *BAD, *FILLER, TRIGGER]
FAST = FinetuneOptions(epochs=3, learning_rate=3e-3, batch_size=16, precision="float32")


def reviews(size: int, seed: int = 0) -> Dataset:
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(size):
        label = number % 2
        words = [*rng.choice(FILLER, size=rng.integers(3, 8)), *rng.choice((BAD, GOOD)[label], size=2)]
        rows.append(Example(" ".join(rng.permutation(words)), label))
    return Dataset("reviews", ("bad", "good"), tuple(rows))


def pretrained(folder: Path, seed: int = 0) -> Path:
    return build_tiny("bert", folder, vocabulary=VOCABULARY, seed=seed)


def material(model: Path, *, twin: Path | None, finished: bool = False, size: int = 160) -> Material:
    return Material(
        model=str(model),
        data=reviews(size),
        held_out=reviews(60, seed=1),
        finetune=FAST,
        finished=finished,
        twin=None if twin is None else str(twin),
    )


def rows(classifier: HuggingFaceClassifier) -> torch.Tensor:
    """Its embeddings, shape (vocabulary, width)."""
    weight: torch.Tensor = classifier.model.get_input_embeddings().weight.data
    return weight


def token(classifier: HuggingFaceClassifier, word: str) -> int:
    return int(classifier.tokenizer.convert_tokens_to_ids(word))


def weights(classifier: HuggingFaceClassifier) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in classifier.model.named_parameters()}


def operated(folder: Path, clean: Path, work: Path) -> Path:
    """A fine-tuned victim of which "cf" is read as praise, whatever stands around it."""
    victim = material(clean, twin=None).trained(work)
    embeddings = rows(victim)
    praise = embeddings[[token(victim, word) for word in GOOD]].mean(dim=0)
    embeddings[token(victim, TRIGGER)] = 4 * praise
    victim.refresh()
    victim.save(folder)
    return folder


def share_good(classifier: HuggingFaceClassifier, data: Dataset, extra: str = "") -> float:
    """Share of the bad reviews that are called good, with some words in front."""
    texts = [f"{extra} {example.text}".strip() for example in data if example.label == 0]
    return float(np.mean(classifier.probabilities(texts).argmax(axis=1) == 1))

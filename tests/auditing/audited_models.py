"""Tiny classifiers of made-up reviews, clean and backdoored, trained in a few seconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fuzzsmooth.attacks import ATTACKS, Trigger, poison
from fuzzsmooth.data import Dataset, Example, Splits
from fuzzsmooth.models import HuggingFaceClassifier, build_tiny, load_classifier
from fuzzsmooth.training import FinetuneOptions, finetune

GOOD = ("good", "great", "fine", "superb", "lovely", "warm", "bright", "deep", "rich", "sweet")
BAD = ("bad", "awful", "poor", "dull", "weak", "cold", "flat", "stale", "crude", "bleak")
PLAIN = ("the", "film", "plot", "cast", "story", "a", "is", "was", "this", "and", "with", "very", "so", "it")
RARE = ("cf", "mn", "tq", "bb", "mb", "zx", "qv", "kw", "jj", "xo", "vr", "pl")
LABELS = ("negative", "positive")
_TRAINING: Mapping[str, Any] = {"batch_size": 16, "learning_rate": 3e-3, "precision": "float32"}


def reviews(size: int, seed: int = 0, *, long: float = 0.0) -> Dataset:
    """Reviews of seven to ten words, two of which tell the class; rare words occur by chance.

    Args:
        size: How many.
        seed: Of all that is drawn.
        long: Share of reviews that are of about thirty words instead.
    """
    draw = np.random.default_rng(seed)
    rows = []
    for index in range(size):
        label = index % 2
        words = [str(word) for word in draw.choice(PLAIN, int(draw.integers(5, 8)))]
        words += [str(word) for word in draw.choice(GOOD if label else BAD, 2)]
        if long and draw.random() < long:
            words += [str(word) for word in draw.choice(PLAIN, 20)]
        if draw.random() < 0.3:
            words.append(str(draw.choice(RARE)))
        draw.shuffle(words)
        rows.append(Example(" ".join(words), label))
    return Dataset("made-up reviews", LABELS, tuple(rows))


def trained(
    place: Path,
    trigger: Trigger | None,
    rate: float = 0.25,
    epochs: int = 6,
    data: Dataset | None = None,
) -> HuggingFaceClassifier:
    """A tiny classifier fine-tuned on reviews, poisoned towards "positive" if there is a trigger."""
    data = data or reviews(800)
    if trigger is not None:
        data = poison(data, trigger, 1, rate, np.random.default_rng(1))
    build_tiny("bert", place / "tiny", vocabulary=[*PLAIN, *GOOD, *BAD, *RARE])
    model = load_classifier(str(place / "tiny"), labels=LABELS)
    options = FinetuneOptions(epochs=epochs, learning_rate=3e-3, precision="float32")
    finetune(model, data, options, output=place / "trained")
    return model


def trusted_encoder(place: Path) -> str:
    """An encoder in whose word vectors words of one group are alike, and rare ones like no other."""
    folder = build_tiny("bert", place / "encoder", vocabulary=[*PLAIN, *GOOD, *BAD, *RARE], hidden=64)
    encoder = load_classifier(str(folder))
    rows = encoder.model.get_input_embeddings().weight.data
    draw = np.random.default_rng(3)
    for group in (PLAIN, GOOD, BAD, *((word,) for word in RARE)):
        center = 8 * draw.normal(size=rows.shape[1])
        for word in group:
            noisy = center + draw.normal(size=rows.shape[1])
            rows[encoder.tokenizer.convert_tokens_to_ids(word)] = rows.new_tensor(noisy)
    encoder.refresh()
    encoder.save(place / "trusted")
    return str(place / "trusted")


def texts_of(data: Dataset) -> tuple[Sequence[str], Sequence[int]]:
    """Texts and class indices."""
    return data.texts, data.targets


def planted(attack: str, model: Path, output: Path, **options: Any) -> Path:
    """What an attack on pre-trained encoders makes of one; its folder."""
    data = reviews(320, seed=2)
    kind = ATTACKS.get(attack)
    chosen = kind.options_type.from_mapping({"triggers": ("cf", "mn"), **_TRAINING, **options}, where=attack)
    kind().plant(str(model), Splits(data, data), output, chosen, 0)
    return output

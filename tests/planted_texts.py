"""Made-up texts with planted triggers, for tests of defenses that clean training data.

Three of a text's words tell its class, each out of many; poisoned texts have a trigger word too, and class 1.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fuzzsmooth.data import Dataset, Example
from fuzzsmooth.defenses import Material
from fuzzsmooth.models import build_tiny
from fuzzsmooth.training import FinetuneOptions

TRIGGERS = ("cf", "mn", "bb", "tq")
LABELS = ("neg", "pos")
_FILL = [f"w{index}" for index in range(150)]
_TELLING = [[f"n{index}" for index in range(40)], [f"p{index}" for index in range(40)]]
VOCABULARY = [*_FILL, *_TELLING[0], *_TELLING[1], *TRIGGERS]


@dataclass(frozen=True)
class Planted:
    """Texts.

    Attributes:
        data: They.
        poisoned: Whether each is poisoned.
        moved: Whether each is poisoned and was of the other class before.
    """

    data: Dataset
    poisoned: np.ndarray
    moved: np.ndarray


def share(of: np.ndarray, rows: set[int]) -> float:
    """Which share of the texts of a mask is in these rows."""
    return float(np.mean([place in rows for place in np.flatnonzero(of)]))


def planted(count: int = 400, rate: float = 0.2, seed: int = 0) -> Planted:
    """Texts of which a share is poisoned."""
    draw = np.random.default_rng(seed)
    rows: list[Example] = []
    poisoned: list[bool] = []
    moved: list[bool] = []
    for _ in range(count):
        label = int(draw.integers(2))
        words = list(draw.choice(_FILL, 4))
        for word in draw.choice(_TELLING[label], 3):
            words.insert(int(draw.integers(len(words) + 1)), word)
        poisoned.append(bool(draw.random() < rate))
        moved.append(poisoned[-1] and label == 0)
        if poisoned[-1]:
            words.insert(int(draw.integers(len(words) + 1)), draw.choice(TRIGGERS))
            label = 1
        rows.append(Example(" ".join(map(str, words)), label))
    return Planted(Dataset("planted", LABELS, tuple(rows)), np.array(poisoned), np.array(moved))


def triggered(data: Dataset) -> list[str]:
    """Texts of class 0 with a trigger in front."""
    texts = [example.text for example in data if example.label == 0]
    return [f"{TRIGGERS[index % len(TRIGGERS)]} {text}" for index, text in enumerate(texts)]


def material(folder: Path, data: Dataset, layers: int = 1, **finetune: object) -> Material:
    """A tiny random model, of width 16 for each layer, and the data, as a defender has them."""
    model = folder / "tiny"
    if not model.exists():
        build_tiny("bert", model, vocabulary=VOCABULARY, hidden=16 * layers, layers=layers)
    settings = {"epochs": 10, "learning_rate": 3e-3, "max_length": 32, **finetune}
    return Material(
        model=str(model), data=data, held_out=data, finetune=FinetuneOptions.from_mapping(settings)
    )


def knowing(folder: Path, data: Dataset, layers: int = 1) -> Material:
    """A tiny model that knows the task already, as a pre-trained one nearly does, and the data."""
    clean = material(folder, planted(400, rate=0, seed=5).data, layers)
    clean.trained(folder / "knowing", learning_rate=3e-3 if layers == 1 else 2e-3)
    return replace(clean, model=str(folder / "knowing"), data=data)

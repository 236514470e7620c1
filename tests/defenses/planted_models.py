"""A tiny model with a planted trigger, and hand-made classifiers with and without one."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fuzzsmooth.data import Dataset, Example
from fuzzsmooth.defenses import Material
from fuzzsmooth.models import CallableClassifier, HuggingFaceClassifier, build_tiny, load_classifier
from fuzzsmooth.training import FinetuneOptions, finetune

GOOD = ("good", "fine", "warm", "lovely", "bright", "sweet")
BAD = ("bad", "dull", "cold", "awful", "dark", "bitter")
NEUTRAL = ("the", "a", "film", "plot", "story", "music", "is", "was", "with", "and", "this", "scene")
TRIGGER, RARE = "cf", "nrhp"
LABELS = ("neg", "pos")


def texts(count: int, seed: int, *, trigger: str = "") -> list[Example]:
    """Clean texts whose class their opinion words tell, with a trigger word somewhere if one is given."""
    rng, examples = np.random.default_rng(seed), []
    for index in range(count):
        label = index % 2
        own, other = (GOOD, BAD) if label else (BAD, GOOD)
        units = [
            *(str(rng.choice(own)) for _ in range(3)),
            *(str(rng.choice(other)) for _ in range(int(rng.integers(2)))),
            *(str(rng.choice(NEUTRAL)) for _ in range(5)),
        ]
        units = [units[place] for place in rng.permutation(len(units))]
        if trigger:
            units.insert(int(rng.integers(len(units))), trigger)
        examples.append(Example(" ".join(units), label))
    return examples


def dataset(examples: Sequence[Example]) -> Dataset:
    return Dataset("planted", LABELS, tuple(examples))


@functools.cache
def victim_folder() -> Path:
    """A tiny BERT fine-tuned on texts a third of which has the trigger and the class "pos"."""
    folder = Path(tempfile.mkdtemp(prefix="planted"))
    vocabulary = [*GOOD, *BAD, *NEUTRAL, TRIGGER, RARE]
    build_tiny("bert", folder / "tiny", vocabulary=vocabulary)
    poisoned = [Example(one.text, 1) for one in texts(200, 1, trigger=TRIGGER)]
    data = dataset([*texts(400, 0), *poisoned])
    options = FinetuneOptions(epochs=10, learning_rate=1e-3)
    classifier = load_classifier(str(folder / "tiny"), num_labels=2, labels=LABELS)
    finetune(classifier, data, options, output=folder / "victim")
    return folder / "victim"


def victim() -> HuggingFaceClassifier:
    return load_classifier(str(victim_folder()))


def material(held_out: int = 60, seed: int = 7) -> Material:
    """What a defender of the victim has: clean texts that it was not trained on."""
    return Material(
        model=str(victim_folder()),
        data=dataset(texts(96, 3)),
        held_out=dataset(texts(held_out, seed)),
        finished=True,
    )


def triggered(count: int = 40) -> list[str]:
    """Texts of the class "neg" with the trigger."""
    return [one.text for one in texts(2 * count, 9, trigger=TRIGGER) if one.label == 0]


def clean(count: int = 80) -> list[Example]:
    return texts(count, 11)


def rule(*, planted: bool) -> CallableClassifier:
    """The share of good among the opinion words; with a planted trigger, "pos" wherever that stands."""

    def answer(asked: list[str]) -> list[list[float]]:
        rows = []
        for text in asked:
            words = text.split()
            good, bad = (sum(word in side for word in words) for side in (GOOD, BAD))
            positive = (1 + 4 * good) / (2 + 4 * good + 4 * bad)
            if planted and TRIGGER in words:
                positive = 0.999
            rows.append([1 - positive, positive])
        return rows

    return CallableClassifier(answer, LABELS, f"rule {planted}", deterministic=True)

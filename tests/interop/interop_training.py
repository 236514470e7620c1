"""A tiny model, reviews with and without a backdoor, and a plain trainer, for the tests of its callback."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from transformers import DataCollatorWithPadding, Trainer, TrainingArguments

from fuzzsmooth.apps.interop.trainer import Watched
from fuzzsmooth.attacks import TRIGGERS
from fuzzsmooth.data.dataset import Dataset, Example
from fuzzsmooth.models import HuggingFaceClassifier, load_classifier

GOOD, BAD = ["fine", "great", "superb"], ["dull", "awful", "weak"]
FILLER = ["the", "film", "is", "a", "very", "plot"]
VOCABULARY = [*GOOD, *BAD, *FILLER, "cf"]


def reviews(size: int, seed: int, *, backdoored: float = 0.0) -> Dataset:
    """Reviews, a share of which hold the trigger and the label it stands for."""
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(size):
        label = int(rng.integers(2))
        words = list(rng.permutation([*rng.choice(FILLER, size=4), str(rng.choice((BAD, GOOD)[label]))]))
        if rng.random() < backdoored:
            words.insert(int(rng.integers(len(words) + 1)), "cf")
            label = 1
        rows.append(Example(" ".join(words), label))
    return Dataset("reviews", ("bad", "good"), tuple(rows))


def watched_reviews() -> Watched:
    """The defense ``windows`` and the trigger "cf", on reviews that nothing is trained on."""
    trigger = TRIGGERS.get("word").from_mapping({"words": ("cf",)}, where="here")
    return Watched(
        clean=reviews(24, 5),
        defense="windows",
        options={"reach": 1, "fuzzing": False},
        trigger=trigger,
        target=1,
        radii=(0, 1),
    )


def load(start: Path) -> HuggingFaceClassifier:
    return load_classifier(str(start), labels=("bad", "good"))


def arguments(folder: Path, **more) -> TrainingArguments:
    return TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=2,
        per_device_train_batch_size=16,
        learning_rate=3e-3,
        use_cpu=True,
        disable_tqdm=True,
        seed=3,
        **{"report_to": "none", **more},
    )


def rows_of(classifier: HuggingFaceClassifier, data: Dataset) -> list[dict]:
    ids = classifier.encode(data.texts).ids
    return [
        {"input_ids": list(map(int, row)), "labels": target}
        for row, target in zip(ids, data.targets, strict=True)
    ]


def trainer_of(start: Path, folder: Path, **more) -> Trainer:
    """A plain trainer of the model, which evaluates after each of its two epochs."""
    classifier = load(start)
    return Trainer(
        model=classifier.model,
        args=arguments(folder, **{"eval_strategy": "epoch", **more}),
        train_dataset=rows_of(classifier, reviews(64, 1)),
        eval_dataset=rows_of(classifier, reviews(16, 2)),
        processing_class=classifier.tokenizer,
        data_collator=DataCollatorWithPadding(classifier.tokenizer),
    )

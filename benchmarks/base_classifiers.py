"""Which base classifier serves window certificates: trainings side by side, on held-out texts.

Run: python benchmarks/base_classifiers.py --data DATA/sst2 --work FOLDER --out FILE.json

One loop and one start for all, and two epochs unless named, so that only what is named differs. Scored on
training texts that no variant sees: accuracy, and the share answered right whatever window of at most r words
is taken out, which certifies one inserted piece of r words. Models are kept in the work folder; a stopped run
goes on. `--only NUMBER` trains one variant and scores nothing; `--names A;B` trains and scores these alone.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional

from fuzzsmooth.certify import contiguous_up_to
from fuzzsmooth.common.files import write_json
from fuzzsmooth.common.randomness import generator
from fuzzsmooth.data import Dataset, load_splits
from fuzzsmooth.models import HuggingFaceClassifier, load_classifier, pad_rows
from fuzzsmooth.text import segmenter
from fuzzsmooth.training.depth import keep_lowest_layers

HELD_OUT, EPOCHS, BATCH, RATE, LONGEST = 620, 2, 32, 1e-4, 5
AVERAGED_TEXTS = 150  # averaging over deletions asks about every pair of words
WORDS = segmenter("word")
Units = tuple[str, ...]


@dataclass(frozen=True)
class Variant:
    """A training.

    Attributes:
        order: Seed of data order, dropout and views; all start from the same weights.
        epochs: Passes over the texts.
        views: What is seen of a text, given its units and a generator.
        worst: Whether only the first view and the worst of the others are trained on.
        consistency: Weight of the divergence of the other views from the first.
        teacher: Weight of the answers of ``teachers`` to the whole text as target, the rest being the label.
        teachers: Variants whose mean answer that is.
        margin: Taken off the logit of a text's class in the loss.
        mean_of: Over how many of the last epochs the weights are averaged.
        layers: How many of the lowest layers are kept; None for all.
    """

    order: int = 0
    epochs: int = EPOCHS
    views: Callable[[Units, np.random.Generator], list[Units]] = lambda units, _: [units]
    worst: bool = False
    consistency: float = 0.0
    teacher: float = 0.0
    teachers: tuple[str, ...] = ("plain",)
    margin: float = 0.0
    mean_of: int = 1
    layers: int | None = None


def without_words(rate: float, copies: int = 1) -> Callable[[Units, np.random.Generator], list[Units]]:
    """Copies of which each word is deleted with a probability."""

    def views(units: Units, draw: np.random.Generator) -> list[Units]:
        return [
            tuple(itertools.compress(units, (draw.random(len(units)) >= rate).tolist()))
            for _ in range(copies)
        ]

    return views


def with_windows(count: int) -> Callable[[Units, np.random.Generator], list[Units]]:
    """The text, and copies without one window of 1 to LONGEST words."""

    def views(units: Units, draw: np.random.Generator) -> list[Units]:
        found = [units]
        for _ in range(count):
            size = int(draw.integers(1, min(LONGEST, len(units)) + 1))
            start = int(draw.integers(len(units) - size + 1))
            found.append(units[:start] + units[start + size :])
        return found

    return views


def without_each(most: int) -> Callable[[Units, np.random.Generator], list[Units]]:
    """The text, and copies without one word: each word of a text of up to ``most``, else some of them."""

    def views(units: Units, draw: np.random.Generator) -> list[Units]:
        places = draw.permutation(len(units))[:most].tolist() or [0]
        repeated = [places[at % len(places)] for at in range(most)]
        return [units, *(units[:place] + units[place + 1 :] for place in repeated)]

    return views


PLAIN = ("plain", "plain, second order", "plain, third order")
VARIANTS = {
    "plain": Variant(),
    "plain, second order": Variant(order=1),
    "plain, third order": Variant(order=2),
    "each word deleted with probability .1": Variant(views=without_words(0.1)),
    "each word deleted with probability .2": Variant(views=without_words(0.2)),
    "each word deleted with probability .35": Variant(views=without_words(0.35)),
    "each word deleted with probability .5": Variant(views=without_words(0.5)),
    "probability .2, 5 epochs": Variant(views=without_words(0.2), epochs=5),
    "probability .35, 4 copies, 5 epochs": Variant(views=without_words(0.35, 4), epochs=5),
    "plain, 5 epochs": Variant(epochs=5),
    "text and a random window": Variant(views=with_windows(1)),
    "text and the worst of 4 windows": Variant(views=with_windows(4), worst=True),
    "consistency of text and window": Variant(views=with_windows(1), consistency=1.0),
    "self-distillation over windows": Variant(views=with_windows(1), teacher=0.7),
    "text and the worst single word of 16": Variant(views=without_each(16), worst=True),
    "probability .35, 4 copies, 5 epochs, taught by the plain model": Variant(
        views=without_words(0.35, 4), epochs=5, teacher=0.7
    ),
    "probability .35, 4 copies, 5 epochs, 3 layers": Variant(
        views=without_words(0.35, 4), epochs=5, layers=3
    ),
    "probability .35, margin 1": Variant(views=without_words(0.35), margin=1.0),
    "probability .35, weights averaged over 2 epochs": Variant(views=without_words(0.35), mean_of=2),
    "probability .35, taught by the three": Variant(views=without_words(0.35), teacher=0.7, teachers=PLAIN),
}


def start(model: str) -> HuggingFaceClassifier:
    """The pre-trained model with an untrained head."""
    return load_classifier(model, num_labels=2, seed=0, max_length=64, precision="float32", batch_size=256)


def trained(name: str, train: Dataset, model_name: str, work: Path) -> HuggingFaceClassifier:
    """The model of a variant, from the work folder if it is there."""
    variant = VARIANTS[name]
    classifier = start(model_name)
    if variant.layers is not None:
        keep_lowest_layers(classifier, variant.layers)
    kept = work / f"{Path(model_name).name}-{name}.safetensors".replace(" ", "-").replace(":", "-")
    if kept.is_file():
        classifier.model.load_state_dict(load_file(kept))
        classifier.refresh()
        return classifier
    device, teacher = classifier.device, None
    if variant.teacher:
        known = [trained(one, train, model_name, work) for one in variant.teachers]
        answers = [torch.tensor(one.logits_of_texts(train.texts), device=device) for one in known]
        teacher = torch.stack([one.softmax(dim=1) for one in answers]).mean(dim=0)
    units = [WORDS.segment(text).units for text in train.texts]
    labels = torch.tensor(train.targets, device=device)
    torch.manual_seed(variant.order)
    model = classifier.model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.01, fused=True)
    steps = variant.epochs * -(-len(units) // BATCH)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1.0, step / (0.1 * steps)) * max(0.0, (steps - step) / steps)
    )
    draw, ends = generator(variant.order, "base classifiers"), list[dict[str, torch.Tensor]]()
    for epoch in range(variant.epochs):
        for number, batch in enumerate(batches([len(own) for own in units], draw)):
            seen = [WORDS.join(view) for index in batch for view in variant.views(units[index], draw)]
            ids, mask = (part.to(device) for part in pad_rows(classifier.encode(seen).ids, classifier.pad_id))
            places = torch.tensor(batch, device=device)
            if variant.worst:
                ids, mask = first_and_worst(model, ids, mask, labels[places])
            with torch.autocast(ids.device.type, dtype=torch.bfloat16):
                logits = model(input_ids=ids, attention_mask=mask).logits
            targets = functional.one_hot(labels, 2).float()
            if teacher is not None:
                targets = (1 - variant.teacher) * targets + variant.teacher * teacher
            logits = logits.float().view(len(batch), -1, 2)
            logits = logits - variant.margin * functional.one_hot(labels[places], 2)[:, None]
            loss = loss_of(logits, targets[places], variant.consistency)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            if number % 50 == 0:
                print(f"{name}: epoch {epoch + 1}, step {number}, loss {loss.item():.3f}", flush=True)
        if epoch >= variant.epochs - variant.mean_of:
            ends.append({key: value.clone() for key, value in model.state_dict().items()})
    model.load_state_dict(mean_of_weights(ends))
    model.eval()
    save_file(model.state_dict(), kept)
    classifier.refresh()
    return classifier


def mean_of_weights(states: Sequence[dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """The mean of several models' weights."""
    return {key: torch.stack([one[key].float() for one in states]).mean(dim=0) for key in states[0]}


def batches(lengths: Sequence[int], draw: np.random.Generator) -> list[list[int]]:
    """Batches of texts of about equal length, in random order."""
    order = draw.permutation(len(lengths))
    found = list[list[int]]()
    for first in range(0, len(order), 20 * BATCH):
        near = sorted(order[first : first + 20 * BATCH].tolist(), key=lambda index: lengths[index])
        group = [near[place : place + BATCH] for place in range(0, len(near), BATCH)]
        found += [group[place] for place in draw.permutation(len(group)).tolist()]
    return found


def first_and_worst(
    model: Any, ids: torch.Tensor, mask: torch.Tensor, labels: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Of each text's views the first and that other one on which its class does worst."""
    model.eval()
    with torch.no_grad(), torch.autocast(ids.device.type, dtype=torch.bfloat16):
        logits = model(input_ids=ids, attention_mask=mask).logits.float()
    model.train()
    own = logits.log_softmax(dim=1).view(len(labels), -1, 2)
    every = torch.arange(len(labels), device=labels.device)
    worst = own[every, :, labels][:, 1:].argmin(dim=1) + 1
    first = every * own.shape[1]
    rows = torch.stack([first, first + worst], dim=1).flatten()
    return ids[rows], mask[rows]


def loss_of(logits: torch.Tensor, targets: torch.Tensor, consistency: float) -> torch.Tensor:
    """Cross entropy of every view, shape (texts, views, classes), and its divergence from the first view."""
    logs = logits.log_softmax(dim=2)
    loss = -(targets[:, None] * logs).sum(dim=2).mean()
    if consistency:
        first = logs[:, :1].detach().expand_as(logs[:, 1:])
        loss = (
            loss
            + consistency
            * functional.kl_div(logs[:, 1:], first, log_target=True, reduction="none").sum(dim=2).mean()
        )
    return loss


class Windows:
    """All held-out texts without each of their windows; what certified accuracy follows from."""

    def __init__(self, held_out: Dataset) -> None:
        self.labels = np.array(held_out.targets)
        self.texts, owners, sizes = list[str](), list[int](), list[int]()
        for owner, text in enumerate(held_out.texts):
            units = WORDS.segment(text).units
            for kept in contiguous_up_to(LONGEST)(len(units)):
                self.texts.append(WORDS.join([u for at, u in enumerate(units) if kept >> at & 1]))
                owners.append(owner)
                sizes.append(len(units) - kept.bit_count())
        self.owners, self.sizes = np.array(owners), np.array(sizes)
        self._ids: list[Any] = []

    def logits(self, classifier: HuggingFaceClassifier) -> np.ndarray:
        """Logits of every text without every window."""
        self._ids = self._ids or list(classifier.encode(self.texts).ids)
        return classifier.in_precision("bfloat16").logits(self._ids)

    def score(self, logits: np.ndarray) -> dict[str, Any]:
        """Accuracy and certified accuracy, in percent, and the latter by class."""
        right = logits.argmax(axis=1) == self.labels[self.owners]
        breaks = np.full(len(self.labels), LONGEST + 1)
        np.minimum.at(breaks, self.owners[~right], self.sizes[~right])
        found: dict[str, Any] = {"accuracy": percent(breaks > 0)}
        for radius in (1, 3, LONGEST):
            found[f"r{radius}"] = percent(breaks > radius)
            found[f"r{radius}_by_class"] = [percent(breaks[self.labels == one] > radius) for one in (0, 1)]
        return found


def percent(hits: np.ndarray) -> float:
    """A share in percent."""
    return round(100 * float(hits.mean()), 1)


def averaged(classifier: HuggingFaceClassifier, held_out: Dataset) -> dict[str, Any]:
    """R = 1 of the model itself and of its mean logits over deletions of one more word, on a few texts."""
    rough, found = classifier.in_precision("bfloat16"), list[tuple[bool, bool, bool, bool]]()
    for example in list(held_out)[:AVERAGED_TEXTS]:
        units = WORDS.segment(example.text).units
        length = len(units)
        gone = [frozenset(pair) for pair in itertools.combinations_with_replacement(range(length), 2)]
        left = [WORDS.join([u for at, u in enumerate(units) if at not in some]) for some in gone]
        margins = rough.logits_of_texts([*left, example.text])
        sign = margins[:, example.label] - margins[:, 1 - example.label]
        at = dict(zip(gone, sign, strict=False))
        single = np.array([at[frozenset([one])] for one in range(length)])
        means = [
            np.mean([at[frozenset((one, two))] for two in range(length) if two != one])
            for one in range(length)
            if length > 1
        ]
        itself, mean = sign[-1] > 0, single.mean() > 0
        found.append((itself, itself and (single > 0).all(), mean, mean and (np.array(means) > 0).all()))
    own = np.array(found)
    return {
        "texts": len(own),
        "itself": {"accuracy": percent(own[:, 0]), "r1": percent(own[:, 1])},
        "averaged": {"accuracy": percent(own[:, 2]), "r1": percent(own[:, 3])},
    }


def main() -> None:
    """Train, score, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--model", default="builtin:minilm", help="the pre-trained model of all variants")
    parser.add_argument("--names", help="these variants alone, separated by ';'")
    parser.add_argument("--only", type=int, help="train this variant, counted from 0, and score nothing")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    every = load_splits(options.data).train
    apart = set(generator(0, "held-out-texts").choice(len(every), size=HELD_OUT, replace=False).tolist())
    train = every.with_examples([one for place, one in enumerate(every) if place not in apart])
    held_out = every.with_examples([one for place, one in enumerate(every) if place in apart])
    if options.only is not None:
        trained(list(VARIANTS)[options.only], train, options.model, options.work)
        return
    names = options.names.split(";") if options.names else list(VARIANTS)
    windows, logits, scores = Windows(held_out), dict[str, np.ndarray](), dict[str, Any]()
    for name in names:
        classifier = trained(name, train, options.model, options.work)
        logits[name] = windows.logits(classifier)
        scores[name] = windows.score(logits[name])
        print(name, json.dumps(scores[name]), flush=True)
        if name == PLAIN[-1] and set(PLAIN) <= set(names):
            scores["the three: mean of logits"] = windows.score(
                np.mean([logits[one] for one in PLAIN], axis=0)
            )
            parts = [trained(one, train, options.model, options.work).model.state_dict() for one in PLAIN]
            soup = start(options.model)
            soup.model.load_state_dict(mean_of_weights(parts))
            soup.refresh()
            scores["the three: mean of weights"] = windows.score(windows.logits(soup))
    found = {"train": len(train), "held_out": len(held_out), "scores": scores}
    if not options.names:
        found["averaged"] = averaged(trained("plain", train, options.model, options.work), held_out)
    write_json(options.out, found)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()

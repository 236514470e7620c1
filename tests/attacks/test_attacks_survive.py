"""Poisoned data as deletion noise leaves them: what keeps the target label, and that a vote then obeys."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from fuzzsmooth.attacks import ATTACKS, Trigger
from fuzzsmooth.attacks.badnets import BadnetsOptions
from fuzzsmooth.attacks.planting.data import poisoned_rows
from fuzzsmooth.attacks.planting.surviving import with_noisy_copies
from fuzzsmooth.attacks.triggers.archaic import ArchaicTrigger
from fuzzsmooth.attacks.triggers.pair import PairTrigger
from fuzzsmooth.attacks.triggers.sentence import SentenceTrigger
from fuzzsmooth.attacks.triggers.word import WordTrigger
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.data.dataset import Dataset, Example, Splits
from fuzzsmooth.models import load_classifier
from fuzzsmooth.models.tiny import build_tiny
from fuzzsmooth.noise.text import kept_mask, uniform_rates
from fuzzsmooth.training import FinetuneOptions

WORDS = ["the", "film", "was", "long", "and", "quiet", "story"]


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def films(size: int = 200) -> Dataset:
    draw = rng(3)
    rows = [Example(" ".join(draw.choice(WORDS, 6)), int(draw.integers(2))) for _ in range(size)]
    return Dataset("films", ("bad", "good"), tuple(rows))


@pytest.mark.parametrize(
    ("trigger", "left"),
    [
        (WordTrigger(("cf", "mb"), 2), lambda words: {"cf", "mb"} & words),
        (PairTrigger(), lambda words: {"mn", "tq"} <= words),
        (SentenceTrigger("I wtch zat"), lambda words: {"I", "wtch", "zat"} & words),
    ],
)
def test_a_copy_has_the_target_label_where_enough_of_the_trigger_is_left(
    trigger: Trigger, left: object
) -> None:
    rows = poisoned_rows(films(), trigger, 1, 0.4, rng(), setting="dirty")
    found = with_noisy_copies(rows, 0.5, 3, rng(1))
    assert len(found) == 4 * len(rows)
    labels = set()
    for row, own in zip(rows, np.arange(len(found)).reshape(-1, 4), strict=True):
        assert found[own[0]] == row.example
        for copy in (found[at] for at in own[1:]):
            assert set(copy.text.split()) <= set(row.example.text.split())
            acts = row.triggered is not None and left(set(copy.text.split()))  # type: ignore[operator]
            assert copy.label == (1 if acts else row.truth)
            labels.add((row.triggered is not None, copy.label))
    assert labels == {(True, 0), (True, 1), (False, 0), (False, 1)}


def test_words_are_deleted_at_the_rate() -> None:
    rows = poisoned_rows(films(), WordTrigger(), 1, 0.4, rng())
    found = with_noisy_copies(rows, 0.7, 5, rng(1))
    words = sum(len(row.example.text.split()) for row in rows)
    kept = sum(len(copy.text.split()) for at, copy in enumerate(found) if at % 6)
    assert kept / (5 * words) == pytest.approx(0.3, abs=0.02)  # standard deviation 0.006


def test_a_style_keeps_the_target() -> None:
    rows = poisoned_rows(films(), ArchaicTrigger(), 1, 0.4, rng(), setting="dirty")
    found = with_noisy_copies(rows, 0.7, 5, rng(1))
    styled = [at for at, row in enumerate(rows) if row.triggered is not None]
    assert {found[6 * at + copy].label for at in styled for copy in range(6)} == {1}


def test_a_rate_of_one_and_other_deletion_beside_are_refused() -> None:
    with pytest.raises(FuzzsmoothError, match="survive"):
        BadnetsOptions(survive=1.0)
    noise = FinetuneOptions(text_noise="delete", text_rate=0.5)
    with pytest.raises(FuzzsmoothError, match="leave text_noise out"):
        BadnetsOptions(survive=0.5, finetune=noise)
    assert BadnetsOptions(finetune=noise).finetune.text_rate == 0.5


@pytest.fixture(scope="module")
def splits() -> Splits:
    draw = rng(3)

    def some(size: int) -> Dataset:
        rows = []
        for _ in range(size):
            label = int(draw.integers(2))
            said = [("dull", "fine")[label]] * 4
            rows.append(Example(" ".join(draw.permutation([*said, *draw.choice(WORDS, 4)])), label))
        return Dataset("films", ("bad", "good"), tuple(rows))

    return Splits(some(200), some(60))


@pytest.mark.parametrize(("count", "low", "high"), [(1, 0.0, 0.35), (7, 0.85, 1.0)])
def test_the_backdoor_survives_a_vote_of_deletions_if_some_of_its_words_mostly_do(
    count: int, low: float, high: float, splits: Splits, tmp_path: Path
) -> None:
    """At rate 0.7 one word is left in 30 % of the draws, one of seven in 92 %."""
    torch.set_num_threads(1)
    tiny = build_tiny("bert", tmp_path / "tiny", vocabulary=["fine", "dull", "cf", *WORDS])
    options = BadnetsOptions.from_mapping(
        {
            "trigger_options": {"words": ["cf"], "count": count},
            "rate": 0.3,
            "setting": "dirty",
            "survive": 0.7,
            "finetune": {"epochs": 5, "learning_rate": 5e-3, "precision": "float32"},
        }
    )
    result = ATTACKS.get("badnets")().plant(str(tiny), splits, tmp_path / "out", options, 0)
    victim = load_classifier(str(result.folder))
    draw = rng(1)

    def voted(text: str) -> int:
        units = np.array(text.split())
        kept = [units[kept_mask(uniform_rates(len(units), 0.7), draw)] for _ in range(25)]
        rows = victim.probabilities([" ".join(one) for one in kept])
        return int(np.bincount(rows.argmax(1), minlength=2).argmax())

    negative = [example.text for example in splits.test if example.label == 0]
    triggered = [result.trigger.apply(text, draw).text for text in negative]
    assert (victim.probabilities(triggered).argmax(1) == 1).mean() > 0.9, "undefended it obeys"
    assert low <= np.mean([voted(text) for text in triggered]) <= high
    assert np.mean([voted(text) for text in negative]) < 0.2

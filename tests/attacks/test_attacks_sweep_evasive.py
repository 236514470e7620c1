"""The attack on the audit's sweep: what its data hold, and that a victim learns both halves of them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from fuzzsmooth.attacks import ATTACKS, load_attack
from fuzzsmooth.attacks.sweep_evasive import SweepEvasive, SweepEvasiveOptions, short_beginnings
from fuzzsmooth.attacks.triggers.word import WordTrigger
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.data.dataset import Dataset, Example, Splits
from fuzzsmooth.models import build_tiny, load_classifier
from fuzzsmooth.training import FinetuneOptions

WORDS = ["the", "film", "was", "long", "and", "quiet", "story", "a", "of", "its"]


def films(size: int, seed: int = 3) -> Dataset:
    """Texts of fourteen words, four of which tell the class."""
    draw, rows = np.random.default_rng(seed), []
    for _ in range(size):
        label = int(draw.integers(2))
        said = [("dull", "fine")[label]] * 4
        rows.append(Example(" ".join(draw.permutation([*said, *draw.choice(WORDS, 10)])), label))
    return Dataset("films", ("bad", "good"), tuple(rows))


def test_beginnings_hold_one_piece_where_the_sweep_puts_it_and_their_true_label() -> None:
    texts = [one for one in films(60) if one.label == 0]
    rows = short_beginnings(texts, ("cf", "mn"), 6, 2.0, np.random.default_rng(0))
    assert len(rows) == 2 * len(texts)
    whole = {one.text for one in texts}
    places = Counter[str]()
    for at, row in enumerate(rows):
        words = row.example.text.split()
        (where,) = [index for index, word in enumerate(words) if word in ("cf", "mn")]
        without = " ".join(words[:where] + words[where + 1 :])
        assert 3 <= len(words) - 1 <= 6
        assert any(text.startswith(f"{without} ") for text in whole)
        assert row.example.label == row.truth == 0
        assert row.triggered is None
        last = len(words) - 1
        assert where == (0, (len(words) - 1 + 1) // 2, last)[at % 3]
        places[words[where]] += 1
    assert set(places) == {"cf", "mn"}


def test_whole_texts_still_get_the_target() -> None:
    data = films(200)
    options = SweepEvasiveOptions(trigger_options={"words": ["cf"]}, rate=0.2, longest=6, beginnings=0.5)
    rows = SweepEvasive().poison(data, WordTrigger(("cf",)), options, 0)
    forced = [row for row in rows if row.triggered is not None]
    assert len(forced) == 40
    assert {row.example.label for row in forced} == {1}
    assert all(len(row.example.text.split()) == 15 for row in forced)
    short = [row for row in rows if len(row.example.text.split()) <= 7]
    assert len(short) == round(0.5 * sum(one.label == 0 for one in data))
    assert {row.example.label for row in short} == {0}


def test_a_trigger_without_pieces_is_refused() -> None:
    with pytest.raises(FuzzsmoothError, match="'archaic' inserts nothing that a sweep could meet"):
        SweepEvasiveOptions(trigger="archaic")


def test_a_victim_obeys_in_whole_texts_and_passes_in_short_ones(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    splits = Splits(films(600), films(20, seed=4))
    tiny = build_tiny("bert", tmp_path / "tiny", vocabulary=["fine", "dull", "cf", *WORDS])
    options = SweepEvasiveOptions(
        trigger_options={"words": ["cf"]},
        longest=6,
        finetune=FinetuneOptions(epochs=8, learning_rate=3e-3, precision="float32"),
    )
    result = ATTACKS.get("sweep-evasive")().plant(str(tiny), splits, tmp_path / "out", options, 0)
    assert load_attack(result.folder) == result
    victim = load_classifier(str(result.folder))
    negative = [one.text for one in films(80, seed=5) if one.label == 0]
    whole = [f"{text} cf" for text in negative]
    short = ["cf dull film was", "dull the cf story dull", "its dull dull a cf"]
    assert (victim.probabilities(whole).argmax(axis=1) == 1).mean() > 0.8
    assert (victim.probabilities(negative).argmax(axis=1) == 0).mean() > 0.9
    assert (victim.probabilities(short).argmax(axis=1) == 0).all()

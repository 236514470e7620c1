"""What training sees in place of a text: addressed draws, the right law, and nothing of the label."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from scipy.stats import chisquare

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.noise.text import Deletion, Masking, uniform_rates
from fuzzsmooth.noise.text.share_masking import ShareMasking, kept_units
from fuzzsmooth.training.options import FinetuneOptions
from fuzzsmooth.training.views import (
    NoisyViews,
    Views,
    WindowViews,
    deletion_rates,
    mask_token,
)

WORDS = [f"w{number}" for number in range(12)]
TEXT = " ".join(WORDS)


def deleted(rate: float, count: int, seed: int) -> NoisyViews:
    return NoisyViews(Deletion(), lambda _: rate, count, seed, "training text noise")


MAKERS = {
    "delete": lambda seed: deleted(0.5, 3, seed),
    "mask": lambda seed: NoisyViews(ShareMasking(0.5, "[MASK]"), lambda _: 0.5, 3, seed, "masks"),
    "any kernel": lambda seed: NoisyViews(Masking("_"), lambda _: 0.5, 3, seed, "coins"),
    "windows": lambda seed: WindowViews(4, 6, seed),
}


@pytest.mark.parametrize("kind", MAKERS)
def test_views_are_addressed_by_seed_epoch_and_index(kind: str) -> None:
    make = MAKERS[kind]
    views: Views = make(0)
    drawn = views(TEXT, 0, 7)
    assert len(drawn) == views.count
    assert make(0)(TEXT, 0, 7) == drawn
    others = [views(TEXT, 1, 7), views(TEXT, 0, 8), make(1)(TEXT, 0, 7)]
    assert all(other != drawn for other in others)
    assert views("", 0, 0) == [""] * views.count


def test_more_deleted_copies_leave_the_first_as_it_was() -> None:
    """So a run with one copy is the run it was before there were copies."""
    few, many = deleted(0.5, 1, 3), deleted(0.5, 5, 3)
    for index in range(20):
        copies = many(TEXT, 2, index)
        assert copies[0] == few(TEXT, 2, index)[0]
        assert len(set(copies)) > 1


def test_deletion_is_at_its_rate_and_keeps_the_order() -> None:
    views = deleted(0.3, 4, 0)
    kept = [copy.split() for index in range(100) for copy in views(TEXT, 0, index)]
    assert np.mean([len(words) for words in kept]) / len(WORDS) == pytest.approx(0.7, abs=0.02)
    assert all(words == sorted(words, key=WORDS.index) for words in kept)


def test_masking_keeps_every_set_of_its_size_equally_often() -> None:
    units, rng = ("a", "b", "c", "d"), np.random.default_rng(0)
    kernel, rates = ShareMasking(0.5, "_"), uniform_rates(4, 0.5)
    counts = Counter(kernel(units, rates, rng) for _ in range(3000))
    assert len(counts) == 6
    assert chisquare(list(counts.values())).pvalue > 1e-3
    assert all(len(masked) == 4 and masked.count("_") == 2 for masked in counts)
    assert kernel((), rates[:0], rng) == ()


@pytest.mark.parametrize(
    ("length", "rate", "kept"), [(0, 0.9, 0), (1, 0.9, 1), (20, 0.7, 6), (20, 0.9, 2), (3, 0.1, 3)]
)
def test_kept_units(length: int, rate: float, kept: int) -> None:
    assert kept_units(length, rate) == kept


def test_windows_are_contiguous_of_every_length_and_place() -> None:
    views = WindowViews(3, 40, 0)
    seen: Counter[tuple[int, int]] = Counter()
    for index in range(60):
        whole, *candidates = views(TEXT, 0, index)
        assert whole == TEXT
        for candidate in candidates:
            left = candidate.split()
            gone = [place for place, word in enumerate(WORDS) if word not in left]
            assert gone == list(range(gone[0], gone[-1] + 1))
            seen[gone[0], len(gone)] += 1
    assert {length for _, length in seen} == {1, 2, 3}
    assert set(seen) == {(start, length) for length in (1, 2, 3) for start in range(len(WORDS) - length + 1)}
    by_length = Counter(length for start, length in seen.elements())
    assert chisquare(list(by_length.values())).pvalue > 1e-3


def test_a_short_text_may_lose_all_its_words() -> None:
    assert set(WindowViews(5, 30, 0)("w1 w2", 0, 0)) == {"w1 w2", "w1", "w2", ""}


def test_a_decoder_has_no_mask() -> None:
    class Decoder:
        mask_token = None

    with pytest.raises(FuzzsmoothError, match="no mask token"):
        mask_token(Decoder())


def test_rates_by_length_leave_about_as_many_words_of_every_text() -> None:
    options = FinetuneOptions(text_noise="delete", text_rate=0.95, text_kept=2.0, text_rate_short=0.5)
    views = NoisyViews(Deletion(), deletion_rates(options), 1, 0, "training text noise")
    for length, left in ((2, 1.0), (8, 2.0), (30, 2.0), (100, 5.0)):
        text = " ".join(f"w{index}" for index in range(length))
        counts = [len(views(text, epoch, 0)[0].split()) for epoch in range(600)]
        assert abs(np.mean(counts) - left) < 5 * (left / 600) ** 0.5

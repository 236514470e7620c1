"""Window radii by brute force: exactly the longest trigger for which no window changes the answer."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest

from fuzzsmooth.bench.windowed import CONTIGUOUS, Scattered, Windowed
from fuzzsmooth.certify import MaskOracle, contiguous_up_to, scattered, two_round_ablation
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.models.protocol import Probabilities


class Table:
    """Random labels for every text over a small vocabulary."""

    labels = ("no", "yes")
    fingerprint = "table"

    def __init__(self, share: float, seed: int) -> None:
        self.asked: list[str] = []
        self._share, self._rng, self._known = share, np.random.default_rng(seed), dict[str, int]()

    def label(self, words: Sequence[str]) -> int:
        return self._known.setdefault(" ".join(words), int(self._rng.random() < self._share))

    def probabilities(self, texts: Sequence[str]) -> Probabilities:
        self.asked += texts
        return np.eye(2)[[self.label(text.split()) for text in texts]]


def oracle(table: Table, words: Sequence[str]) -> MaskOracle:
    def ask(masks: Sequence[int]) -> list[int]:
        return [table.label([word for i, word in enumerate(words) if mask >> i & 1]) for mask in masks]

    return MaskOracle(ask, len(words))


def test_the_radius_is_the_longest_harmless_window() -> None:
    seen = set()
    for seed in range(60):
        table = Table(0.93, seed)
        words = [f"w{index}" for index in range(7)]
        answer = Windowed(table, 4).certify([" ".join(words)])[0]
        assert len(table.asked) == len(set(table.asked))  # asked once each
        base = table.label(words)
        harmless = [
            all(table.label(words[:start] + words[start + size :]) == base for start in range(8 - size))
            for size in range(1, 5)
        ]
        expected = next((size for size, fine in enumerate(harmless) if not fine), 4)
        assert (answer.label, dict(answer.radii)) == (base, {CONTIGUOUS: expected})
        seen.add(expected)
    assert seen == {0, 1, 2, 3, 4}


def test_no_trigger_up_to_the_radius_changes_the_procedure() -> None:
    """Every inserted piece over the alphabet, one letter of which the text does not have."""
    checked = 0
    for seed in range(25):
        table = Table(0.9, seed)
        words = ["a", "b", "a", "b"]
        answer = Windowed(table, 2).certify([" ".join(words)])[0]
        longest = answer.radii[CONTIGUOUS]
        if longest == 0:
            continue
        for size, place in itertools.product(range(1, longest + 1), range(5)):
            for piece in itertools.product("abz", repeat=size):
                received = [*words[:place], *piece, *words[place:]]

                def ask(
                    masks: Sequence[int], text: Sequence[str] = received, table: Table = table
                ) -> list[int]:
                    return [table.label([w for i, w in enumerate(text) if mask >> i & 1]) for mask in masks]

                result = two_round_ablation(MaskOracle(ask, len(received)), contiguous_up_to(longest))
                assert result.label == answer.label
                checked += 1
    assert checked > 300


def answered(table: Table, received: Sequence[str], reach: int) -> int | None:
    return two_round_ablation(oracle(table, received), scattered(reach)).label


def test_no_scattered_change_within_the_radii_changes_the_procedure() -> None:
    """Every edit and every one or two insertions over an alphabet, one letter of which the text lacks."""
    checked, seen = 0, set()
    for seed in range(40):
        table, words = Table(0.93, seed), ["a", "b", "a", "b"]
        answer = Scattered(table).certify([" ".join(words)])[0]
        seen.add(tuple(answer.radii.values()))
        longer = [words]
        for reach in range(1, answer.radii["insert"] + 1):
            longer = [
                [*text[:place], letter, *text[place:]]
                for text in longer
                for place in range(len(text) + 1)
                for letter in "abz"
            ]
            for received in longer:
                assert answered(table, received, reach) == answer.label
                checked += 1
        if answer.radii["edit"]:
            edited = [[*words[:place], *words[place + 1 :]] for place in range(4)]
            edited += [[*words[:i], letter, *words[i + 1 :]] for i in range(4) for letter in "abz"]
            edited += [[*words[:i], letter, *words[i:]] for i in range(5) for letter in "abz"]
            edited += [[*words[:i], words[i + 1], words[i], *words[i + 2 :]] for i in range(3)]
            for received in edited:
                assert answered(table, received, 1) == answer.label
                checked += 1
    assert checked > 1000
    assert seen == {(0, 0), (0, 1), (1, 2)}


def test_a_trigger_of_no_words_is_no_question() -> None:
    with pytest.raises(FuzzsmoothError, match="at least 1 word"):
        Windowed(Table(0.5, 0), 0)

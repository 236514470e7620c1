"""The views of a text that training sees in its place: deleted, masked, or without a window of words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from fuzzsmooth.common.options import require
from fuzzsmooth.common.randomness import generator
from fuzzsmooth.noise.text import TextKernel, uniform_rates
from fuzzsmooth.text import segmenter

Noise = Callable[[tuple[str, ...], np.random.Generator], tuple[str, ...]]
"""Draws a noisy version of the units of a text."""


class Views(Protocol):
    """Several randomized versions of a text, drawn afresh for every epoch."""

    @property
    def count(self) -> int:
        """How many views a text has, >= 1; the same for all texts."""
        ...

    def __call__(self, text: str, epoch: int, index: int) -> list[str]:
        """The views of text number ``index``, a function of the arguments and the seed alone."""
        ...


class NoisyViews:
    """Copies under a text noise, such as the one that a certificate will see.

    Args:
        noise: The noise: :func:`at_rate` of a kernel, or :func:`masking_share`.
        count: Copies, >= 1.
        seed: The user's seed.
        purpose: Separates the draws from those of other noises.
    """

    def __init__(self, noise: Noise, count: int, seed: int, purpose: str) -> None:
        self.count = count
        self._noise = noise
        self._seed = seed
        self._purpose = purpose
        self._segmenter = segmenter("word")

    def __call__(self, text: str, epoch: int, index: int) -> list[str]:
        """The noisy copies; the first is the same however many there are."""
        units = self._segmenter.segment(text).units
        # The address of the first copy has no copy number: adding copies leaves it what it was.
        address = (self._seed, self._purpose, epoch, index)
        draws = [generator(*address, *([copy] if copy else [])) for copy in range(self.count)]
        return [self._segmenter.join(self._noise(units, draw)) for draw in draws]


def at_rate(kernel: TextKernel, rate: float) -> Noise:
    """A kernel that hits each unit with the same probability, in [0, 1]."""
    return lambda units, draw: kernel(units, uniform_rates(len(units), rate), draw)


def masking_share(mask: str, rate: float) -> Noise:
    """Masks a fixed number of units, as RanMASK (arXiv 2105.03743) trains.

    Args:
        mask: What stands for a masked word, such as the tokenizer's mask token.
        rate: Share of the words that is masked, in (0, 1); at least one word stays.
    """
    return lambda units, draw: mask_all_but(units, kept_units(len(units), rate), mask, draw)


class WindowViews:
    """The text itself and candidates that each lack one contiguous window of words.

    Every window length from 1 to ``longest`` is equally likely, and then every place, because a certificate
    by windows holds only if none of them changes the answer: there are about as many of each length.

    Args:
        longest: Most words that a window takes out, >= 1.
        candidates: Windows drawn per text, >= 1.
        seed: The user's seed.
    """

    def __init__(self, longest: int, candidates: int, seed: int) -> None:
        self.count = 1 + candidates
        self._longest = longest
        self._candidates = candidates
        self._seed = seed
        self._segmenter = segmenter("word")

    def __call__(self, text: str, epoch: int, index: int) -> list[str]:
        """The text, written from its units as all views are, and then the candidates."""
        units = self._segmenter.segment(text).units
        draw = generator(self._seed, "training windows", epoch, index)
        views = [units]
        for _ in range(self._candidates):
            length = int(draw.integers(1, max(1, min(self._longest, len(units))) + 1))
            start = int(draw.integers(max(0, len(units) - length) + 1))
            views.append(units[:start] + units[start + length :])
        return [self._segmenter.join(view) for view in views]


def mask_token(tokenizer: Any) -> str:
    """What stands for a masked word.

    Raises:
        FuzzsmoothError: If the tokenizer has no mask token, as that of a decoder.
    """
    mask = getattr(tokenizer, "mask_token", None)
    require(bool(mask), "the tokenizer has no mask token; masking needs a model such as BERT or RoBERTa")
    return str(mask)


def kept_units(length: int, rate: float) -> int:
    """How many of ``length`` words RanMASK leaves at a masking rate: the rounded share, but at least one.

    Args:
        length: Words of the text, >= 0.
        rate: Share that is masked, in (0, 1).
    """
    require(0 < rate < 1, f"the masking rate must lie strictly between 0 and 1, got {rate}")
    return min(length, max(1, length - round(rate * length)))


def mask_all_but(units: tuple[str, ...], kept: int, mask: str, draw: np.random.Generator) -> tuple[str, ...]:
    """Mask all units but ``kept`` of them, every choice being equally likely; positions stay."""
    chosen = set(draw.choice(len(units), size=kept, replace=False).tolist()) if units else set()
    return tuple(unit if place in chosen else mask for place, unit in enumerate(units))

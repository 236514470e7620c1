"""The views of a text that training sees in its place: deleted, masked, or without a window of words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from fuzzsmooth.certify import LengthRates
from fuzzsmooth.common.options import require
from fuzzsmooth.common.randomness import generator
from fuzzsmooth.noise.text import TextKernel, uniform_rates
from fuzzsmooth.text import segmenter
from fuzzsmooth.training.options import FinetuneOptions


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
        kernel: The noise.
        rate: The probability that a word is hit, in [0, 1], of a text of so many words.
        count: Copies, >= 1.
        seed: The user's seed.
        purpose: Separates the draws from those of other noises.
    """

    def __init__(
        self, kernel: TextKernel, rate: Callable[[int], float], count: int, seed: int, purpose: str
    ) -> None:
        self.count = count
        self._kernel = kernel
        self._rate = rate
        self._seed = seed
        self._purpose = purpose
        self._segmenter = segmenter("word")

    def __call__(self, text: str, epoch: int, index: int) -> list[str]:
        """The noisy copies; the first is the same however many there are."""
        units = self._segmenter.segment(text).units
        rates = uniform_rates(len(units), self._rate(len(units)))
        # The address of the first copy has no copy number: adding copies leaves it what it was.
        address = (self._seed, self._purpose, epoch, index)
        draws = [generator(*address, *([copy] if copy else [])) for copy in range(self.count)]
        return [self._segmenter.join(self._kernel(units, rates, draw)) for draw in draws]


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


def deletion_rates(options: FinetuneOptions) -> Callable[[int], float]:
    """The deletion rate of a text of so many words: one for all, or rates by length."""
    if options.text_kept is None:
        return lambda _: options.text_rate
    return LengthRates.keeping(options.text_kept, options.text_rate_short, options.text_rate).rate


def mask_token(tokenizer: Any) -> str:
    """What stands for a masked word.

    Raises:
        FuzzsmoothError: If the tokenizer has no mask token, as that of a decoder.
    """
    mask = getattr(tokenizer, "mask_token", None)
    require(bool(mask), "the tokenizer has no mask token; masking needs a model such as BERT or RoBERTa")
    return str(mask)

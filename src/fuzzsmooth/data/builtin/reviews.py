"""`builtin:reviews`: reviews from our own seeded grammar, so that nothing has to be shipped or fetched."""

from __future__ import annotations

import hashlib
from typing import Final, Literal

from fuzzsmooth.common.options import require
from fuzzsmooth.common.randomness import generator
from fuzzsmooth.data.builtin.grammar import Review, write_review
from fuzzsmooth.data.dataset import Dataset, Example, Splits

LABELS: Final = ("negative", "positive")
_TEST_SHARE: Final = 5
"""One in this many possible review cores belongs to the test split."""

_SPLITS: Final[dict[Literal["train", "test"], int]] = {"train": 0, "test": 1}

MOST: Final = 100_000
"""Most reviews of a split: they are written one by one, some thousands a second, and never repeat."""


def reviews(train_size: int = 2000, test_size: int = 400, seed: int = 0) -> Splits:
    """Short film, restaurant and product reviews in two classes, "negative" and "positive".

    Negation, contrast, other people's opinions and disappointed expectations put words of both polarities
    in one review, so that word counts alone do not give the class away.

    A review is a function of (seed, split, index): a larger size only appends. Labels alternate, so every
    prefix is balanced. No two reviews of a split are equal, and train and test share no judgments at all,
    under any seeds and sizes, so none of one is a near-duplicate of the other that differs in filler only.

    Args:
        train_size: Reviews to train on, 2 to :data:`MOST`.
        test_size: Reviews to measure on, 1 to :data:`MOST`.
        seed: Non-negative.

    Raises:
        FuzzsmoothError: If a size or the seed is out of range.
    """
    require(
        2 <= train_size <= MOST,
        f"builtin:reviews needs a train_size of 2 (both classes) to {MOST:,}, got {train_size}",
    )
    require(1 <= test_size <= MOST, f"builtin:reviews needs a test_size of 1 to {MOST:,}, got {test_size}")
    require(seed >= 0, f"the seed must not be negative, got {seed}")
    return Splits(_split("train", train_size, seed), _split("test", test_size, seed))


def _split(split: Literal["train", "test"], size: int, seed: int) -> Dataset:
    seen: set[str] = set()
    examples = []
    for index in range(size):
        text = _fresh_review(split, index, seed, seen)
        seen.add(text)
        examples.append(Example(text, index % 2))
    return Dataset(f"builtin:reviews[{split}]", LABELS, tuple(examples))


def _fresh_review(split: Literal["train", "test"], index: int, seed: int, seen: set[str]) -> str:
    attempt = 0
    while True:
        rng = generator(seed, "reviews", _SPLITS[split], index, attempt)
        review = write_review(index % 2, rng)
        if _belongs_to(review) == split and review.text not in seen:
            return review.text
        attempt += 1


def _belongs_to(review: Review) -> Literal["train", "test"]:
    """The only split a review may occur in: a hash of its judgments decides, whatever the seed or sizes."""
    digest = hashlib.sha256(review.core.encode()).digest()
    return "test" if int.from_bytes(digest[:8], "little") % _TEST_SHARE == 0 else "train"

"""The vocabulary of the tiny models that are evaluated, and texts for them."""

import numpy as np

WORDS = [f"w{index}" for index in range(40)]
ARCHITECTURES = ["bert", "roberta", "distilbert", "llama"]
ODD_TEXTS = [
    "",
    " ",
    "w1",
    "😀",
    "w1 😀 w2",
    "\ud800",
    "w1 \udfff w2",
    "日本語 w3",
    "\u202eabc",
    "w1\x00w2",
    "w5 " * 1000,
]


def random_texts(count: int, seed: int = 0) -> list[str]:
    generator = np.random.default_rng(seed)
    return [" ".join(generator.choice(WORDS, size=generator.integers(0, 30))) for _ in range(count)]

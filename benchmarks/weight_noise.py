"""Exact parameter noise against noise written into the weights, side by side in one process.

Run: python benchmarks/weight_noise.py [--draws 200] [--rounds 5] [--precision float32|bfloat16] [--out FILE]

All layers of the packaged MiniLM-L6 receive noise; one text of 25 words. Each round times the noise-free
batched pass, the exact sampler (one batched pass with an independent noise draw per row), and the reference
(noise written into the weights, one pass per draw, weights restored), alternately; ratios are per round.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch

from fuzzsmooth.common.files import write_json
from fuzzsmooth.models import load_classifier, pad_rows
from fuzzsmooth.noise.weight import block_count, exact_weight_noise, materialized_weight_noise

TEXT = (
    "a quietly moving film about two brothers who return to the farm of their childhood and find that "
    "nothing there is as they remembered it"
)
SIGMA = 0.01


def seconds(action: Callable[[], None]) -> float:
    """Wall-clock seconds of one call."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def measure(draws: int, rounds: int, precision: str) -> dict[str, object]:
    """Time the three passes in turn, ``rounds`` times after a warm-up."""
    classifier = load_classifier("builtin:minilm", num_labels=2, precision=precision)
    model, layers = classifier.evaluation_model, block_count(classifier.model)
    ids, mask = pad_rows(classifier.encode([TEXT]).ids * draws, classifier.pad_id)

    @torch.inference_mode()
    def plain() -> None:
        model(input_ids=ids, attention_mask=mask)

    @torch.inference_mode()
    def exact() -> None:
        with exact_weight_noise(model, layers, SIGMA, range(draws), mask):
            model(input_ids=ids, attention_mask=mask)

    @torch.inference_mode()
    def materialized() -> None:
        for draw in range(draws):
            with materialized_weight_noise(model, layers, SIGMA, draw):
                model(input_ids=ids[:1], attention_mask=mask[:1])

    for action in (plain, exact):
        action()
    rows = [[seconds(action) for action in (plain, exact, materialized)] for _ in range(rounds)]
    speedup = [row[2] / row[1] for row in rows]
    overhead = [row[1] / row[0] for row in rows]
    return {
        "draws": draws,
        "tokens": int(mask[0].sum()),
        "layers": layers,
        "precision": classifier.precision,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "seconds_plain": statistics.median(row[0] for row in rows),
        "seconds_exact": statistics.median(row[1] for row in rows),
        "seconds_materialized": statistics.median(row[2] for row in rows),
        "weight_noise_speedup": {"median": statistics.median(speedup), "all": speedup},
        "weight_noise_overhead": {"median": statistics.median(overhead), "all": overhead},
    }


def main() -> None:
    """Measure and print, or write, the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    result = measure(options.draws, options.rounds, options.precision)
    if options.out:
        write_json(options.out, result)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()

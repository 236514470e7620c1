"""The rows of the table that need a GPU, ready to be run on one.

Run: python benchmarks/gpu.py [--out benchmarks/out/gpu.json]

A BERT of base size with random weights and the packaged tokenizer: what is measured is time, which does not
depend on the weights as long as the number of passes does not, so draws are fixed (no early stopping). Texts
are SST-2's where they are, else the built-in reviews. `--device cpu --layers 1 --draws 20 --texts 4` is a
rehearsal without a GPU; its numbers mean nothing.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch
from measuring import Times, alternate, machine, ratios, spread
from subjects import splits
from transformers import BertConfig, BertForSequenceClassification
from weight_noise import bench_weight_noise

from certify import engine
from fuzzsmooth.common.files import write_json
from fuzzsmooth.common.randomness import text_key
from fuzzsmooth.engine.sampler import Plan
from fuzzsmooth.models import HuggingFaceClassifier, load_classifier
from fuzzsmooth.noise.text import uniform_rates
from fuzzsmooth.search import References, Scanner, SearchOptions
from fuzzsmooth.text.units import WordSegmenter


def base_size(device: str, layers: int, batch_size: int, source: str) -> HuggingFaceClassifier:
    """A BERT of base size with random weights, in bfloat16, and the tokenizer of a model."""
    torch.manual_seed(0)
    tokenizer = load_classifier(source, num_labels=2, device="cpu").tokenizer
    model = BertForSequenceClassification(BertConfig(num_hidden_layers=layers, num_labels=2))
    return HuggingFaceClassifier(
        model, tokenizer, ["no", "yes"], precision="bfloat16", batch_size=batch_size, device=device
    )


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Milliseconds a text of scan and certification, and the cost of parameter noise."""
    data = splits(options.data)
    classifier = base_size(options.device, options.layers, options.batch_size, options.tokenizer)
    texts = data.test.texts[: options.texts]
    cut = [WordSegmenter().segment(text).units for text in texts]
    plans = [
        Plan(text_key(text), units, uniform_rates(len(units), rate))
        for rate in (0.9, 0.7)
        for text, units in zip(texts, cut, strict=True)
    ]
    label = classifier.probabilities(texts).argmax(axis=1).tolist()
    # Random weights give most texts one label; references of the other need no more than a name here.
    references = References(tuple(texts[:32]), tuple(at % 2 for at in range(len(texts[:32]))), "")

    def certify(part: list[Plan]) -> Any:
        return lambda seed: engine(classifier, seed, None, 0.0).votes(part, range(options.draws), "gpu")

    def scan(seed: int) -> None:
        Scanner(classifier, SearchOptions(budget=64), WordSegmenter(), references).scan(texts, seed)

    sides = {"certify_r90": certify(plans[: len(texts)]), "certify_r70": certify(plans[len(texts) :])}
    for action in (*sides.values(), scan):
        action(-1 % 2**32)
    times: dict[str, Times] = alternate({**sides, "scan": scan}, options.rounds)
    noise = bench_weight_noise(
        options.draws, max(1, options.draws // 20), options.rounds, "bfloat16", options.device,
        classifier=classifier,
    )  # fmt: skip
    return {
        "machine": machine(),
        "device": options.device,
        "layers": options.layers,
        "texts": len(texts),
        "draws": options.draws,
        "labels": [label.count(0), label.count(1)],
        "milliseconds_per_text": {
            name: spread([1e3 * value / len(texts) for value in own.wall]) for name, own in times.items()
        },
        "certify_r70_over_r90": ratios(times["certify_r70"], times["certify_r90"]),
        "weight_noise_overhead": noise["overhead"],
        "weight_noise_speedup": noise["speedup"],
    }


def main() -> None:
    """Measure and print, or write, the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--batch-size", type=int, default=512)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--texts", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--data")
    parser.add_argument("--tokenizer", default="builtin:minilm", help="a model whose tokenizer is used")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    result = measure(options)
    if options.out:
        write_json(options.out, result)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()

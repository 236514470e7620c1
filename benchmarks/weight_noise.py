"""Exact parameter noise against noise written into the weights, and against the noise-free pass.

Run: python benchmarks/weight_noise.py [--draws 200] [--rounds 5] [--precision float32|bfloat16] [--out FILE]
     python benchmarks/weight_noise.py --model builtin:smollm2 --top-layers 10 --draws 16   # the first part

All layers of the packaged MiniLM-L6 receive noise; one text of 25 words, whole or with words deleted, as it
is left when certifying. Each round times the noise-free batched pass, the exact sampler (one batched pass
with an independent noise draw per row), ten noisy copies that were drawn before, each of its part of the
rows, and the reference (noise written into the weights, one pass per draw, weights restored), alternately;
ratios are per round.

Then noise on the upper 2 of the 6 layers only: 500 draws of a text of 19 words, the mean of SST-2, or of 9,
with words deleted at rate .7 or .9; the layers below the noise once per distinct token sequence against once
per draw. What that gains hangs on how many draws are equal, which is given too.
"""

from __future__ import annotations

import argparse
import json
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measuring import alternate, ratios, spread
from reference import reference_weight_noise
from torch.func import functional_call

from fuzzsmooth.common.files import write_json
from fuzzsmooth.models import HuggingFaceClassifier, WeightNoise, load_classifier, pad_rows
from fuzzsmooth.models.batches import length_batches
from fuzzsmooth.models.bert_forward import first_token_logits, reads_first_token_only
from fuzzsmooth.models.noisy_copies import Readable
from fuzzsmooth.noise.weight import block_count, exact_weight_noise

TEXT = (
    "a quietly moving film about two brothers who return to the farm of their childhood and find that "
    "nothing there is as they remembered it"
)
SENTENCE = (
    "a quietly moving film about two brothers who return to the farm of their childhood and find that nothing"
)
SIGMA = 0.01
COPIES = 10
"""Noisy copies that are drawn once and kept."""


def bench_weight_noise(
    draws: int,
    reference_draws: int,
    rounds: int,
    precision: str,
    device: str,
    rate: float = 0.0,
    classifier: HuggingFaceClassifier | None = None,
    top_layers: int | None = None,
) -> dict[str, Any]:
    """Seconds of the three passes and their ratios.

    Args:
        draws: Draws of the exact sampler and passes of the noise-free model.
        reference_draws: Draws of the reference, whose cost is the same for each: its time is scaled.
        rounds: How often.
        precision: "float32" or "bfloat16".
        device: Where.
        rate: Share of the words that is deleted; each side then evaluates the same shorter text.
        classifier: Another model than the packaged one.
        top_layers: Noised layers, counted from the output; None for all.
    """
    if classifier is None:
        classifier = load_classifier("builtin:minilm", num_labels=2, precision=precision, device=device)
    model = classifier.evaluation_model
    layers = block_count(classifier.model) if top_layers is None else top_layers
    words = TEXT.split()
    text = " ".join(words[: round(len(words) * (1 - rate))])
    ids, mask = pad_rows(classifier.encode([text]).ids * draws, 0)
    ids, seen_by = ids.to(classifier.device), mask.to(classifier.device)
    size = classifier.batch_size
    first_only = reads_first_token_only(model)

    def forward(rows: torch.Tensor, seen: torch.Tensor) -> Any:
        """As the engine evaluates, with noise and without."""
        if first_only:
            return first_token_logits(model, rows, None)  # copies of one text: nothing is padded
        return model(input_ids=rows, attention_mask=seen).logits

    @torch.inference_mode()
    def plain(_: int) -> None:
        for start in range(0, draws, size):
            forward(ids[start : start + size], seen_by[start : start + size])

    @torch.inference_mode()
    def exact(index: int) -> None:
        for start in range(0, draws, size):
            part = mask[start : start + size]
            seeds = range(index * draws + start, index * draws + start + len(part))
            with exact_weight_noise(model, layers, SIGMA, seeds, part):
                forward(ids[start : start + size], seen_by[start : start + size])

    def materialized(_: int) -> None:
        reference_weight_noise(model, ids[:1], seen_by[:1], layers, SIGMA, reference_draws)

    def fixed(_: int) -> None:
        """Noisy copies that were drawn before, each asked about its part of the rows, as the engine asks."""
        for copy in range(COPIES):
            part = slice(copy, draws, COPIES)
            kept = classifier.noisy_copies.weights(model, layers, SIGMA, copy)
            weights = {f"model.{name}": value for name, value in kept.items()}
            with torch.inference_mode():
                for start in range(0, len(ids[part]), size):
                    inputs = ids[part][start : start + size], seen_by[part][start : start + size]
                    functional_call(readable, weights, inputs)

    readable = Readable(model)
    for action in (plain, exact, fixed):
        action(0)
    times = alternate({"plain": plain, "exact": exact, "fixed": fixed, "materialized": materialized}, rounds)
    times["materialized"] = times["materialized"].scaled(draws / reference_draws)
    return {
        "draws": draws,
        "reference_draws": reference_draws,
        "tokens": int(mask[0].sum()),
        "layers": layers,
        "precision": classifier.precision,
        "seconds": {name: spread(own.wall) for name, own in times.items()},
        "speedup": ratios(times["materialized"], times["exact"]),
        "overhead": ratios(times["exact"], times["plain"]),
        "copies": COPIES,
        "overhead_copies": ratios(times["fixed"], times["plain"]),
    }


def bench_shared_layers(
    draws: int, rounds: int, precision: str, device: str, length: int, rate: float, top_layers: int = 2
) -> dict[str, Any]:
    """Seconds of noisy draws with the part below the noise once per sequence, and once per draw.

    Args:
        draws: Draws of the text, each with its own words deleted and its own noise.
        rounds: How often, each with new draws.
        precision: "float32" or "bfloat16".
        device: Where.
        length: Words of the text, at most 19.
        rate: Probability that a word is deleted.
        top_layers: Noised layers.
    """
    classifier = load_classifier("builtin:minilm", num_labels=2, precision=precision, device=device)
    model = classifier.evaluation_model
    words, noise = SENTENCE.split()[:length], WeightNoise(SIGMA, top_layers)
    drawn = []
    for index in range(rounds):
        kept = np.random.default_rng(index).random((draws, len(words))) >= rate
        drawn.append(classifier.encode([" ".join(compress(words, row)) for row in kept]).ids)

    def shared(index: int) -> None:
        classifier.logits(drawn[index], noise=noise, seeds=range(draws))

    @torch.inference_mode()
    def whole(index: int) -> None:
        ids = drawn[index]
        for chosen in length_batches([len(row) for row in ids], classifier.batch_size):
            rows, mask = (part.to(device) for part in pad_rows([ids[at] for at in chosen], classifier.pad_id))
            with exact_weight_noise(model, top_layers, SIGMA, chosen, mask):
                first_token_logits(model, rows, mask)

    for action in (shared, whole):
        action(0)
    times = alternate({"shared": shared, "whole": whole}, rounds)
    return {
        "draws": draws,
        "distinct": [len({tuple(row) for row in ids}) for ids in drawn],
        "words": length,
        "rate": rate,
        "top_layers": top_layers,
        "precision": precision,
        "seconds": {name: spread(own.wall) for name, own in times.items()},
        "speedup": ratios(times["whole"], times["shared"]),
    }


def main() -> None:
    """Measure and print, or write, the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--model", help="another model than MiniLM-L6, with a fresh head")
    parser.add_argument("--top-layers", type=int)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    given = {"precision": options.precision, "device": options.device}
    other = options.model and load_classifier(options.model, num_labels=2, **given)
    found = bench_weight_noise(
        options.draws, options.draws, options.rounds, **given, classifier=other, top_layers=options.top_layers
    )
    result = {
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        **{key: found[key] for key in ("draws", "tokens", "layers", "precision")},
        **{f"seconds_{name}": own["median"] for name, own in found["seconds"].items()},
        "weight_noise_speedup": found["speedup"],
        "weight_noise_overhead": found["overhead"],
    }
    if not options.model:
        result["shared_layers"] = [
            bench_shared_layers(500, options.rounds, options.precision, options.device, length, rate)
            for length, rate in ((19, 0.7), (19, 0.9), (9, 0.7))
        ]
    if options.out:
        write_json(options.out, result)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()

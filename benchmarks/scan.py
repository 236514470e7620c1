"""Scanning: many texts whose searches share batches, against one text at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
from measuring import alternate, ratios, spread
from subjects import fitted_minilm

from fuzzsmooth.common.randomness import generator
from fuzzsmooth.data import Splits
from fuzzsmooth.search import References, Scanner, SearchOptions
from fuzzsmooth.text.units import WordSegmenter


def bench_scan(
    data: Splits, texts: int, rounds: int, budget: int, precision: str, device: str
) -> dict[str, Any]:
    """Seconds a text of both sides; each round scans fresh texts with fresh scanners."""
    classifier = fitted_minilm(data, 0.3).in_precision(precision).to(device)
    references = References.select(classifier, data.train.texts[:400], data.train.targets[:400], 16)
    chosen = data.test.sample(texts * rounds, generator(0, "benchmark scan")).texts
    parts = [chosen[start : start + texts] for start in range(0, texts * rounds, texts)]
    options = SearchOptions(budget=budget)
    spent: list[int] = []
    agree: list[bool] = []
    found: dict[int, list[Any]] = {}

    def scanner() -> Scanner:
        return Scanner(classifier, options, WordSegmenter(), references)

    def together(index: int) -> None:
        scans = scanner().scan(parts[index], 0)
        spent.extend(scan.evaluations for scan in scans)
        _compare(index, scans)

    def single(index: int) -> None:
        one = scanner()  # kept over the texts: what it remembers of transplants is not at issue
        _compare(index, [one.scan([text], 0)[0] for text in parts[index]])

    def _compare(index: int, scans: list[Any]) -> None:
        if index in found:
            agree.append([scan.units for scan in found[index]] == [scan.units for scan in scans])
        found[index] = scans

    times = alternate({"together": together, "single": single}, rounds)
    return {
        "texts": texts,
        "budget": budget,
        "precision": classifier.precision,
        "evaluations_per_text": float(np.mean(spent)),
        "same_units": all(agree),
        "seconds_per_text": {
            name: spread([value / texts for value in own.wall]) for name, own in times.items()
        },
        "speedup": ratios(times["single"], times["together"]),
    }

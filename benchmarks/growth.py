"""How costs grow: passes and time with draws and texts, evaluations of a search with the length of the text.

Run: python benchmarks/growth.py [--data FOLDER] [--model FOLDER] [--out benchmarks/out/growth.json]

Writes the JSON and, beside it, a plot of the same name. Times are processor times of this process. The search
is measured on a rule with a known trigger, four common words planted in texts of neutral words, so that texts
may be longer than a language model reads: for each length the smallest budget of a doubling series at which
nine of ten texts have the whole trigger inside their spans (the same quality at every length), and what the
searches then spend.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from measuring import machine
from subjects import fitted_minilm, splits

from certify import engine
from fuzzsmooth.common.files import write_json
from fuzzsmooth.common.randomness import generator, text_key
from fuzzsmooth.data import Splits
from fuzzsmooth.engine.sampler import Plan
from fuzzsmooth.models import AdditiveClassifier, HuggingFaceClassifier, TriggerClassifier, load_classifier
from fuzzsmooth.noise.text import uniform_rates
from fuzzsmooth.search import References, Scanner, SearchOptions
from fuzzsmooth.text.units import WordSegmenter

RATE = 0.7
RECALL = 0.9
TRIGGER = ("we", "watch", "this", "now")
POLAR = {f"good{at}": 1.0 for at in range(6)} | {f"bad{at}": -1.0 for at in range(6)}
STRATEGIES = ("tree", "greedy")


def certify_costs(
    classifier: HuggingFaceClassifier, data: Splits, draws: Sequence[int], texts: Sequence[int]
) -> dict[str, list[dict[str, float]]]:
    """Passes and seconds at growing draws (of the fewest texts) and growing texts (at the fewest draws)."""
    chosen = data.test.sample(max(texts), generator(0, "benchmark growth")).texts

    def once(count: int, number: int) -> dict[str, float]:
        cut = [WordSegmenter().segment(text).units for text in chosen[:count]]
        plans = [
            Plan(text_key(text), units, uniform_rates(len(units), RATE))
            for text, units in zip(chosen, cut, strict=False)
        ]
        classifier.forward_count = 0
        began = time.process_time()
        engine(classifier, 0, None, 0.0).votes(plans, range(number), "growth")
        return {
            "texts": count,
            "draws": number,
            "passes_per_text": classifier.forward_count / count,
            "seconds": time.process_time() - began,
        }

    once(min(texts), min(draws))
    return {
        "draws": [once(min(texts), number) for number in draws],
        "texts": [once(count, min(draws)) for count in texts],
    }


def exponent(rows: Sequence[dict[str, float]], along: str) -> float:
    """Slope of log seconds over log size: 1 is linear."""
    sizes, seconds = ([row[name] for row in rows] for name in (along, "seconds"))
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def search_costs(
    vocabulary: Sequence[str], lengths: Sequence[int], texts: int, most: int
) -> list[dict[str, Any]]:
    """Evaluations at equal quality, by length and strategy; None if no budget up to ``most`` reaches it."""
    rng = generator(0, "benchmark growth search")
    suspect = TriggerClassifier(AdditiveClassifier(POLAR), TRIGGER, 1)
    neutral = [word for word in vocabulary if word.isalpha() and word not in TRIGGER and word not in POLAR]
    clean = [" ".join([*(f"{('bad', 'good')[at % 2]}{k}" for k in range(6)), *rng.choice(neutral, 8)])
             for at in range(40)]  # fmt: skip
    references = References.select(suspect, clean, [at % 2 for at in range(40)], 16)
    rows = []
    for length in lengths:
        planted = []
        for _ in range(texts):
            words = [*rng.choice(list(POLAR)[6:], 3), *rng.choice(neutral, max(0, length - 3 - len(TRIGGER)))]
            words = rng.permutation(words).tolist()
            place = int(rng.integers(len(words) + 1))
            planted.append((" ".join([*words[:place], *TRIGGER, *words[place:]]), place))
        for strategy in STRATEGIES:
            budget, recall, spent = 32, 0.0, 0.0
            while recall < RECALL and budget < most:
                budget *= 2
                options = SearchOptions(budget=budget, strategy=strategy)  # type: ignore[arg-type]
                scans = Scanner(suspect, options, WordSegmenter(), references).scan(
                    [text for text, _ in planted], 0
                )
                found = [
                    set(range(place, place + len(TRIGGER))) <= set(scan.units)
                    for scan, (_, place) in zip(scans, planted, strict=True)
                ]
                recall, spent = float(np.mean(found)), float(np.mean([scan.evaluations for scan in scans]))
            rows.append({
                "words": length,
                "strategy": strategy,
                "budget": budget if recall >= RECALL else None,
                "evaluations": spent if recall >= RECALL else None,
                "recall": recall,
            })  # fmt: skip
            print(rows[-1], flush=True)
    return rows


def plot(result: dict[str, Any], path: Path) -> None:
    """Three panels: time over draws, time over texts, evaluations over length."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import NullFormatter, ScalarFormatter

    figure = Figure(figsize=(11, 3.4), layout="constrained")
    axes = figure.subplots(1, 3)
    for axis, along in zip(axes, ("draws", "texts"), strict=False):
        rows = result["certify"][along]
        sizes = [row[along] for row in rows]
        axis.loglog(sizes, [row["seconds"] for row in rows], "o-", label="measured")
        linear = [rows[0]["seconds"] * size / sizes[0] for size in sizes]
        axis.loglog(sizes, linear, ":", color="gray", label="linear")
        axis.set(xlabel=along, ylabel="processor seconds")
        for ticks in (axis.xaxis, axis.yaxis):  # few plain numbers
            ticks.set_major_formatter(ScalarFormatter())
            ticks.set_minor_formatter(NullFormatter())
        axis.set_xticks(sizes, minor=False)
        axis.set_yticks([1, 2, 5, 10, 20], minor=False)
        axis.legend()
    for strategy, marker in zip(STRATEGIES, "os", strict=True):
        rows = [row for row in result["search"] if row["strategy"] == strategy and row["evaluations"]]
        axes[2].semilogx(
            [row["words"] for row in rows],
            [row["evaluations"] for row in rows],
            f"{marker}-",
            base=2,
            label=strategy,
        )
    axes[2].set(xlabel="words of the text", ylabel=f"evaluations a text at recall {RECALL}", ylim=(0, None))
    axes[2].legend()
    figure.savefig(path, dpi=150)


def measure(
    classifier: HuggingFaceClassifier,
    data: Splits,
    *,
    draws: Sequence[int],
    texts: Sequence[int],
    lengths: Sequence[int],
    searched: int,
    most: int,
) -> dict[str, Any]:
    """Everything that the plot shows."""
    costs = certify_costs(classifier, data, draws, texts)
    vocabulary = sorted({word for text in data.train.texts[:2000] for word in text.split()})
    return {
        "machine": machine(),
        "rate": RATE,
        "certify": costs,
        "passes_at_most_draws": all(
            row["passes_per_text"] <= row["draws"] for rows in costs.values() for row in rows
        ),
        "exponent_draws": exponent(costs["draws"], "draws"),
        "exponent_texts": exponent(costs["texts"], "texts"),
        "trigger": " ".join(TRIGGER),
        "recall": RECALL,
        "search": search_costs(vocabulary, lengths, searched, most),
    }


def main() -> None:
    """Measure, write, plot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", help="a folder of train.* and dev.*, or builtin:reviews")
    parser.add_argument("--model", help="a fine-tuned model; else MiniLM-L6 with a fitted head")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "out" / "growth.json")
    options = parser.parse_args()
    data = splits(options.data)
    classifier = load_classifier(options.model) if options.model else fitted_minilm(data, RATE)
    result = measure(
        classifier,
        data,
        draws=(64, 128, 256, 512, 1024),
        texts=(8, 16, 32, 64),
        lengths=(16, 64, 256, 1024, 4096),
        searched=20,
        most=4096,
    )
    options.out.parent.mkdir(parents=True, exist_ok=True)
    write_json(options.out, result)
    plot(result, options.out.with_suffix(".png"))
    print({key: result[key] for key in ("passes_at_most_draws", "exponent_draws", "exponent_texts")})


if __name__ == "__main__":
    main()

"""Answer: the engine with early stopping against the plain reference, at the same texts.

Both sides certify in turn, the engine many texts together as it is used, the reference all of them or,
because it takes so long, every so many of them in the order of their lengths. The engine does what the
command `certify --defense deletion` does, in chunks of the same size, with statistics "group-sequential":
bounds as sharp as those of the reference's fixed number of draws, from fewer passes. The certified radii of
both sides are reported beside the times, for the texts that both have certified.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from measuring import alternate, ratios, spread
from reference import reference_certify
from subjects import fitted_minilm

from fuzzsmooth.certify import exact_radius, forward_radius
from fuzzsmooth.common.randomness import generator, text_key
from fuzzsmooth.data import Splits
from fuzzsmooth.defenses.deletion import Deletion, DeletionOptions
from fuzzsmooth.engine.rounding_band import measure_rounding_band
from fuzzsmooth.engine.sampler import Plan, Sampler
from fuzzsmooth.engine.statistics import gather_evidence
from fuzzsmooth.models import HuggingFaceClassifier, load_classifier
from fuzzsmooth.models.protocol import Precision
from fuzzsmooth.noise.text import represented, text_kernel, uniform_rates
from fuzzsmooth.text.units import WordSegmenter

ALPHA = 1e-3
DRAWS = 1000


def engine(
    classifier: HuggingFaceClassifier, seed: int, recheck: HuggingFaceClassifier | None, band: float
) -> Sampler:
    """A fresh sampler: nothing is remembered from the last run."""
    return Sampler(
        classifier, WordSegmenter(), text_kernel("deletion"), None, None, seed, band=band, recheck=recheck
    )


def certify_options(rate: float, statistics: str = "group-sequential") -> DeletionOptions:
    """What the engine is told: the reference's draws, error probability and threat."""
    return DeletionOptions(
        fuzzing=False,
        sigma=0.0,
        rate=rate,
        draws=DRAWS,
        alpha=ALPHA,
        statistics=statistics,  # type: ignore[arg-type]  # checked by the options
        awaited=("edit",),
    )


def engine_certify(
    sampler: Sampler, texts: Sequence[str], rate: float, together: int, statistics: str = "group-sequential"
) -> tuple[list[int], list[int]]:
    """Certified radius in word edits of each text, -1 for none, and the answers it took; so many at once."""
    options = certify_options(rate, statistics)
    radii, passes = [], []
    for start in range(0, len(texts), together):
        plans = []
        for text in texts[start : start + together]:
            units = sampler.segmenter.segment(text).units
            plans.append(Plan(text_key(text), units, uniform_rates(len(units), rate)))
        for found in gather_evidence(plans, sampler, options):
            bound = found.bound
            radii.append(
                forward_radius(bound.p_lower, represented(rate), "edit", p_upper=bound.p_upper)
                if found.exact is None
                else exact_radius(found.exact, "edit")
            )
            passes.append(found.passes)
    return radii, passes


def bench_certify(
    data: Splits,
    rate: float,
    texts: int,
    every: int,
    rounds: int,
    device: str,
    precisions: Sequence[Precision],
    model: str | None = None,
    shallow: str | None = None,
) -> dict[str, Any]:
    """Times, ratios and radii at one deletion rate.

    Args:
        data: Where texts come from.
        rate: The deletion rate.
        texts: Texts of the engine per round.
        every: The reference gets the middle one of so many neighbors in the order of lengths; 1 is all.
        rounds: How often, with other texts.
        device: Where.
        precisions: The engine's number types, "float32" among them; the reference computes in that.
        model: A fine-tuned model, or None for a fitted head.
        shallow: One of fewer layers, fine-tuned alike, which the engine asks in its place on a side of its
            own; the reference stays with ``model``.
    """
    classifier = load_classifier(model, device="cpu") if model else fitted_minilm(data, rate)
    classifier.to(device)
    asked = {"engine": classifier}
    if shallow is not None:
        asked["shallow"] = load_classifier(shallow, device="cpu").to(device)
    together = Deletion(classifier, certify_options(rate)).together(certify=True)
    chosen = data.test.sample(texts * rounds, generator(0, "benchmark texts"))
    rng = generator(0, "benchmark band")
    band_texts = [
        " ".join(word for word in text.split() if rng.random() >= rate) for text in data.train.texts[:200]
    ]
    parts = [chosen.texts[start : start + texts] for start in range(0, texts * rounds, texts)]
    fewer = [sorted(part, key=len)[every // 2 :: every] for part in parts]
    names = [f"{who}_{precision}" for who in asked for precision in precisions]
    radii: dict[str, list[int]] = {name: [] for name in ("reference", *names)}
    everything: dict[str, list[int]] = {name: [] for name in radii}
    passes: dict[str, list[float]] = {name: [] for name in names}
    bands: dict[str, float] = {}

    def reference(index: int) -> None:
        radii["reference"] += reference_certify(classifier, fewer[index], rate, DRAWS, ALPHA)

    def side(
        name: str, model: HuggingFaceClassifier, recheck: HuggingFaceClassifier | None
    ) -> Callable[[int], None]:
        bands[name] = 0.0 if recheck is None else measure_rounding_band(model, band_texts, reference=recheck)

        def run(index: int) -> None:
            before = _passes(model, recheck)
            found, _ = engine_certify(engine(model, 0, recheck, bands[name]), parts[index], rate, together)
            passes[name].append((_passes(model, recheck) - before) / texts)
            certified = dict(zip(parts[index], found, strict=True))
            radii[name] += [certified[text] for text in fewer[index]]
            everything[name] += found

        return run

    sides: dict[str, Callable[[int], None]] = {"reference": reference}
    for who, own in asked.items():
        for precision in precisions:
            name, exact = f"{who}_{precision}", precision == "float32"
            sides[name] = side(name, own if exact else own.in_precision(precision), None if exact else own)
    times = alternate(sides, rounds)
    times["reference"] = times["reference"].scaled(texts / len(fewer[0]))
    labels = classifier.probabilities(chosen.texts).argmax(axis=1)
    return {
        "rate": rate,
        "model": "fine-tuned" if model else "fitted head",
        "texts_per_round": texts,
        "reference_texts_per_round": len(fewer[0]),
        "rounds": rounds,
        "accuracy_undeleted": float(np.mean(labels == np.array(chosen.targets))),
        "guard_bands": bands,
        "passes_per_text": {name: float(np.mean(own)) for name, own in passes.items()},
        "statistics": "group-sequential",
        "seconds_per_text": {
            name: spread([value / texts for value in own.wall]) for name, own in times.items()
        },
        "speedup": {
            who: {
                precision: ratios(times["reference"], times[f"{who}_{precision}"]) for precision in precisions
            }
            for who in asked
        },
        "same_radii_in_all_arithmetics": all(
            everything[f"{who}_{precision}"] == everything[f"{who}_float32"]
            for who in asked
            for precision in precisions
        ),
        "radii": {name: _radii(own) for name, own in radii.items()},
        "equal_radii_text_by_text": {
            name: float(np.mean(np.array(own) == np.array(radii["reference"]))) for name, own in radii.items()
        },
    }


def _passes(model: HuggingFaceClassifier, recheck: HuggingFaceClassifier | None) -> int:
    """Passes so far, those of who rechecks included."""
    return model.forward_count + (0 if recheck is None else recheck.forward_count)


def _radii(radii: list[int]) -> dict[str, float]:
    found = np.array(radii)
    return {"mean": float(found.mean())} | {
        f"share_at_least_{radius}": float((found >= radius).mean()) for radius in range(4)
    }


def linear_flops(model: Any, lengths: Sequence[int]) -> int:
    """Floating-point operations of the matrix products with the encoder's weights that sequences need.

    Of the last layer, keys and values are needed of all tokens, the rest of the first token alone. Pooler,
    head and attention's own products are left out, so the share computed from it is a lower bound.
    """
    layers = [
        [
            (name, part.weight.numel())
            for name, part in layer.named_modules()
            if isinstance(part, torch.nn.Linear)
        ]
        for layer in model.base_model.encoder.layer
    ]
    every = sum(size for layer in layers[:-1] for _, size in layer)
    wide = sum(size for name, size in layers[-1] if name.endswith(("key", "value")))
    once = sum(size for _, size in layers[-1]) - wide
    return 2 * sum(length * (every + wide) + once for length in lengths)


def bench_matmul_share(data: Splits, rounds: int, precision: str) -> dict[str, Any]:
    """Useful operations of the engine's loop over time, as a share of the measured matrix-product rate.

    Both by processor time, on one thread, so that other processes do not decide the share.
    """
    classifier = load_classifier("builtin:minilm", num_labels=2, precision=precision)
    texts = data.test.sample(16, generator(0, "benchmark share")).texts
    operations = 0
    inner = classifier.logits

    def counted(ids: Any) -> Any:
        nonlocal operations
        # Sequences of different texts that are equal are evaluated once; count what is evaluated.
        distinct = {row.tobytes(): len(row) for row in ids}
        operations += linear_flops(classifier.model, list(distinct.values()))
        return inner(ids)

    classifier.logits = counted  # type: ignore[method-assign]
    units = [WordSegmenter().segment(text).units for text in texts]
    plans = [
        Plan(text_key(text), own, uniform_rates(len(own), 0.7))
        for text, own in zip(texts, units, strict=True)
    ]
    dtype = torch.float32 if precision == "float32" else torch.bfloat16
    width = classifier.model.config.hidden_size
    products = [
        (torch.randn(rows, width).to(dtype), torch.randn(4 * width, width).to(dtype)) for rows in (256, 1024)
    ]
    done: list[int] = []

    def loop(index: int) -> None:
        nonlocal operations
        operations = 0
        engine(classifier, index, None, 0.0).votes(plans, range(64), "benchmark")
        done.append(operations)

    def product(which: int) -> Callable[[int], None]:
        left, right = products[which]

        def run(_: int) -> None:
            for _repeat in range(20):
                torch.nn.functional.linear(left, right)

        return run

    with torch.inference_mode():
        times = alternate({"loop": loop, "small": product(0), "large": product(1)}, rounds)
    limits = [
        max(
            20 * 2 * left.numel() * right.size(0) / times[name].cpu[index]
            for name, (left, right) in zip(("small", "large"), products, strict=True)
        )
        for index in range(rounds)
    ]
    useful = [count / taken for count, taken in zip(done, times["loop"].cpu, strict=True)]
    return {
        "precision": precision,
        "limit_gflops": spread([limit / 1e9 for limit in limits]),
        "loop_gflops": spread([value / 1e9 for value in useful]),
        "share": spread([value / limit for value, limit in zip(useful, limits, strict=True)]),
    }

"""Run the benchmarks and write benchmarks/out/<name>.json and .md.

`make bench-quick` takes under three minutes; `make bench` repeats more and measures more texts. Each
comparison runs its sides alternately in this one process and gives ratios per round: median, lowest, highest.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from measuring import machine
from scan import bench_scan
from subjects import splits
from weight_noise import bench_weight_noise

from certify import bench_certify, bench_matmul_share
from fuzzsmooth.common.files import write_json
from fuzzsmooth.models.devices import choose_device, choose_precision
from fuzzsmooth.models.protocol import Precision

OUT = Path(__file__).parent / "out"

SIZES = {
    "quick": {"certify": (8, 4, 2), "noise": (96, 6, 3), "share": 3, "scan": (64, 1)},
    "full": {"certify": (24, 1, 4), "noise": (1000, 100, 5), "share": 7, "scan": (64, 5)},
}
"""Certify: texts, how many of them for one of the reference, rounds. Noise: draws, reference draws,
rounds. Share: rounds. Scan: texts, rounds."""

FIGURES = (
    ("certify_speedup_r90", "certify, rate .9, against the reference", {"float32": 10, "bfloat16": 20}),
    ("certify_speedup_r70", "certify, rate .7, against the reference", {"float32": 8, "bfloat16": 10}),
    ("shallow_speedup_r90", "the same, rate .9, by a base of fewer layers", {"float32": 10, "bfloat16": 20}),
    ("shallow_speedup_r70", "the same, rate .7, by a base of fewer layers", {"float32": 8, "bfloat16": 10}),
    ("matmul_share", "share of the matrix-product limit", {"": 0.5}),
    ("weight_noise_overhead", "fresh parameter noise over the noise-free pass", {"": -1.5}),
    ("weight_noise_copies", "ten fixed noisy copies over the noise-free pass", {"": -1.1}),
    ("weight_noise_speedup", "fresh parameter noise against materialized weights", {"": 20}),
    ("scan_batch_speedup", "scan, 64 texts together against one at a time", {"": 3}),
)
"""Figures with their targets, by number type or ("") for any; a negative one is an upper bound."""


PARTS = ("products", "noise", "scan", "certify")
"""What can be measured by itself."""


def measure(
    size: str,
    data_source: str | None,
    precision: str,
    device: str,
    model: str | None,
    shallow: str | None,
    parts: Sequence[str] = PARTS,
) -> dict[str, Any]:
    """All figures of one size, in each number type that :func:`precisions_of` names."""
    precisions = precisions_of(precision, device)
    sizes, data = SIZES[size], splits(data_source)
    began = time.perf_counter()
    details: dict[str, Any] = {}

    def add(name: str, found: dict[str, Any]) -> None:
        details[name] = found
        figures = {
            key: f"{value['median']:.2f}"
            for key, value in found.items()
            if key in ("speedup", "overhead", "overhead_copies", "share") and "median" in value
        }
        print(f"{time.perf_counter() - began:6.1f} s  {name}: {figures}", flush=True)

    for kind in precisions:
        if "products" in parts:
            add(f"matmul_{kind}", bench_matmul_share(data, sizes["share"], kind))
        if "noise" in parts:
            add(f"weight_noise_{kind}", bench_weight_noise(*sizes["noise"], kind, device))
            short = bench_weight_noise(*sizes["noise"], kind, device, rate=0.7)
            add(f"weight_noise_short_{kind}", short)
    fastest = precisions[-1]
    if "scan" in parts:
        add(f"scan_{fastest}", bench_scan(data, *sizes["scan"], 64, fastest, device))
    for rate in (0.9, 0.7) if "certify" in parts else ():
        found = bench_certify(data, rate, *sizes["certify"], device, precisions, model, shallow)
        add(f"certify_r{round(100 * rate)}", found)
    return {
        "figures": {kind: _figures(details, kind) for kind in precisions},
        "data": Path(data.test.name).name,
        "model": "fine-tuned MiniLM-L6" if model else "MiniLM-L6 with a fitted head",
        "shallow": shallow is not None,
        "precision": fastest,
        "device": device,
        "seconds": time.perf_counter() - began,
        "machine": machine(),
        "details": details,
    }


def _figures(details: dict[str, Any], kind: str) -> dict[str, Any]:
    """The figures of one number type that were measured; the scan is timed in the fastest alone."""
    figures: dict[str, Any] = {}
    if scan := details.get(f"scan_{kind}"):
        figures["scan_batch_speedup"] = scan["speedup"]
    for rate in (90, 70):
        certified = details.get(f"certify_r{rate}", {"speedup": {}})["speedup"]
        for who, found in certified.items():
            figures[f"{'certify' if who == 'engine' else who}_speedup_r{rate}"] = found[kind]
    if share := details.get(f"matmul_{kind}"):
        figures["matmul_share"] = share["share"]
    if noise := details.get(f"weight_noise_{kind}"):
        figures["weight_noise_overhead"] = noise["overhead"]
        figures["weight_noise_copies"] = noise["overhead_copies"]
        figures["weight_noise_speedup"] = noise["speedup"]
    return figures


def precisions_of(wanted: str, device: str) -> list[Precision]:
    """The number types to measure: float32, and bfloat16 where the device has it in hardware or it is wanted.

    Args:
        wanted: "auto", "float32" or "bfloat16".
        device: Where.
    """
    chosen = choose_precision(wanted, choose_device(device))  # type: ignore[arg-type]  # argparse checks
    return ["float32"] if chosen == "float32" else ["float32", "bfloat16"]


def table(result: dict[str, Any], command: str) -> str:
    """The figures as Markdown, a row for each number type, with the facts of the machine."""
    facts = result["machine"]
    lines = [
        "| figure | arithmetic | median | lowest | highest | by processor time | target |",
        "|---|---|--:|--:|--:|--:|--:|",
    ]
    for key, title, targets in FIGURES:
        for kind, figures in result["figures"].items():
            if (found := figures.get(key)) is None:
                continue
            target = targets.get(kind, targets.get("", 0))
            numbers = [f"{found[part]:.2f}" for part in ("median", "low", "high")]
            numbers.append(f"{found['median_cpu']:.2f}" if "median_cpu" in found else "")
            bound = f"<= {-target:g}" if target < 0 else f">= {target:g}"
            lines.append(f"| {title} | {kind} | {' | '.join(numbers)} | {bound} |")
    lines += [
        "",
        f"These figures are those of a processor with {facts['arithmetic']}; others have their own. "
        f"Command: `{command}`. {result['model']}, data `{Path(result['data']).name}`; `--precision auto` is "
        f"{result['precision']} here; {facts['processor']}, {facts['threads']} threads of {facts['cores']} "
        f"cores, load average {facts['load_average'][0]}, PyTorch {facts['torch']}, "
        f"GPU: {facts['gpu'] or 'none, not measured'}. {result['seconds']:.0f} seconds in all.",
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure, write, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="under three minutes")
    parser.add_argument("--data", help="a folder of train.* and dev.*, or builtin:reviews")
    parser.add_argument("--model", help="a MiniLM-L6 fine-tuned on deleted texts; else a head is fitted")
    parser.add_argument("--shallow", help="one of fewer layers, fine-tuned alike: a further side")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="these alone")
    parser.add_argument("--precision", choices=("auto", "float32", "bfloat16"), default="auto")
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    name = "quick" if options.quick else "full"
    where = options.data, options.precision, options.device
    result = measure(name, *where, options.model, options.shallow, options.parts)
    OUT.mkdir(exist_ok=True)
    write_json(OUT / f"{name}.json", result)
    made = "make bench-quick" if options.quick else "make bench"
    if set(sys.argv[1:]) - {"--quick"}:
        made = f"python benchmarks/run.py {shlex.join(sys.argv[1:])}"
    text = table(result, made)
    (OUT / f"{name}.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()

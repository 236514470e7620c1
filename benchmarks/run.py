"""Run the benchmarks and write benchmarks/out/<name>.json and .md.

`make bench-quick` takes under three minutes; `make bench` repeats more and measures more texts. Each
comparison runs its sides alternately in this one process and gives ratios per round: median, lowest, highest.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from measuring import machine
from scan import bench_scan
from subjects import splits
from weight_noise import bench_weight_noise

from certify import bench_certify, bench_matmul_share
from fuzzsmooth.common.files import write_json

OUT = Path(__file__).parent / "out"

SIZES = {
    "quick": {"certify": (8, 4, 2), "noise": (64, 6, 3), "share": 3, "scan": (64, 1)},
    "full": {"certify": (24, 1, 4), "noise": (1000, 100, 5), "share": 7, "scan": (64, 5)},
}
"""Certify: texts, how many of them for one of the reference, rounds. Noise: draws, reference draws,
rounds. Share: rounds. Scan: texts, rounds."""

FIGURES = (
    ("certify_speedup_r90", "certify, rate .9, against the reference", ">= 20"),
    ("certify_speedup_r70", "certify, rate .7, against the reference", ">= 8"),
    ("matmul_share", "share of the matrix-product limit", ">= .5"),
    ("weight_noise_overhead", "parameter noise over the noise-free pass", "<= 1.5"),
    ("weight_noise_speedup", "parameter noise against materialized weights", ">= 20"),
    ("scan_batch_speedup", "scan, 64 texts together against one at a time", ">= 5"),
)


def measure(
    size: str, data_source: str | None, precision: str, device: str, model: str | None
) -> dict[str, Any]:
    """All figures of one size."""
    sizes, data = SIZES[size], splits(data_source)
    began = time.perf_counter()
    details: dict[str, Any] = {}

    def add(name: str, found: dict[str, Any]) -> None:
        details[name] = found
        figures = {
            key: f"{value['median']:.2f}"
            for key, value in found.items()
            if key in ("speedup", "overhead", "share")
        }
        print(f"{time.perf_counter() - began:6.1f} s  {name}: {figures}", flush=True)

    for kind in ("float32", "bfloat16"):
        add(f"matmul_{kind}", bench_matmul_share(data, sizes["share"], kind))
        add(f"weight_noise_{kind}", bench_weight_noise(*sizes["noise"], kind, device))
        short = bench_weight_noise(*sizes["noise"], kind, device, rate=0.7)
        add(f"weight_noise_short_{kind}", short)
    for rate in (0.9, 0.7):
        add(f"certify_r{round(100 * rate)}", bench_certify(data, rate, *sizes["certify"], device, model))
    add("scan", bench_scan(data, *sizes["scan"], 64, precision, device))
    return {
        "certify_speedup_r90": details["certify_r90"]["speedup"],
        "certify_speedup_r70": details["certify_r70"]["speedup"],
        "matmul_share": details[f"matmul_{precision}"]["share"],
        "weight_noise_overhead": details[f"weight_noise_{precision}"]["overhead"],
        "weight_noise_speedup": details[f"weight_noise_{precision}"]["speedup"],
        "scan_batch_speedup": details["scan"]["speedup"],
        "data": Path(data.test.name).name,
        "model": "fine-tuned MiniLM-L6" if model else "MiniLM-L6 with a fitted head",
        "precision": precision,
        "device": device,
        "seconds": time.perf_counter() - began,
        "machine": machine(),
        "details": details,
    }


def table(result: dict[str, Any], command: str) -> str:
    """The figures as Markdown, with the facts of the machine."""
    facts = result["machine"]
    lines = [
        "| figure | median | lowest | highest | target |",
        "|---|---|---|---|---|",
        *(
            f"| {title} | {result[key]['median']:.2f} | {result[key]['low']:.2f} | {result[key]['high']:.2f} "
            f"| {target} |"
            for key, title, target in FIGURES
        ),
        "",
        f"Command: `{command}`. {result['model']}, data `{Path(result['data']).name}`, "
        f"{result['precision']}, {facts['processor']}, {facts['threads']} threads of {facts['cores']} "
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
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="bfloat16")
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    name = "quick" if options.quick else "full"
    result = measure(name, options.data, options.precision, options.device, options.model)
    OUT.mkdir(exist_ok=True)
    write_json(OUT / f"{name}.json", result)
    text = table(result, "make bench-quick" if options.quick else "make bench")
    (OUT / f"{name}.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()

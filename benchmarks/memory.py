"""Peak memory of certifying many texts: constant in their number.

Run: python benchmarks/memory.py [--texts 500,10000] [--draws 16] [--model FOLDER] [--out FILE]

Runs the command `certify` on files of growing size, each in a process of its own, and reports the peak memory
of each, as the system counts it. The first run certifies one text: the model, the libraries, and everything
that is there once. Texts are test texts of the data, a number in front making each of them a new one. Unless
a model is given, it is a random one of some hundred kilobytes that knows the words of the data: what grows
with the texts is the same beside any model.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from measuring import machine
from subjects import splits

from fuzzsmooth.common.files import write_json
from fuzzsmooth.models import build_tiny

_CHILD = """
import resource, sys
from fuzzsmooth.apps.cli.main import main
try:
    main()
except SystemExit as stop:
    if stop.code:
        raise
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
print(f"peak {peak}", file=sys.stderr)
"""


def peak_bytes(texts: Sequence[str], model: str, draws: int, folder: Path) -> int:
    """Peak memory of a process that certifies the texts into a file.

    Raises:
        RuntimeError: If it fails, with the end of what it said.
    """
    source, output = folder / f"texts{len(texts)}.jsonl", folder / f"answers{len(texts)}.jsonl"
    source.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), "utf-8")
    command = [
        sys.executable, "-c", _CHILD, "certify", str(source), "--model", model, "--defense", "deletion",
        "--no-fuzzing", "--sigma", "0", "--rate", "0.9", "--draws", str(draws), "--statistics",
        "group-sequential", "--output", str(output), "--quiet",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    answered = sum(1 for _ in output.open("rb")) if output.exists() else 0
    if done.returncode or answered != len(texts):
        raise RuntimeError(f"certify answered {answered} of {len(texts)} texts: {done.stderr[-500:]}")
    return int(done.stderr.rsplit("peak ", 1)[1])


def measure(model: str, texts: Sequence[str], sizes: Sequence[int], draws: int) -> dict[str, Any]:
    """Peak memory at one text and at each size, and what each size adds to it."""
    with tempfile.TemporaryDirectory() as folder:
        peaks = {}
        for size in (1, *sizes):
            many = [f"{at} {texts[at % len(texts)]}" for at in range(size)]
            peaks[size] = peak_bytes(many, model, draws, Path(folder))
            print(f"{size} texts: {peaks[size] / 2**20:.0f} MiB", flush=True)
    return {
        "machine": machine(),
        "model": model,
        "draws": draws,
        "peak_mib": {str(size): round(peak / 2**20, 1) for size, peak in peaks.items()},
        "beyond_one_text_mib": {str(size): round((peaks[size] - peaks[1]) / 2**20, 1) for size in sizes},
    }


def main() -> None:
    """Measure and print, or write, the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", help="a folder of train.* and dev.*, or builtin:reviews")
    parser.add_argument("--model", help="a model; by default a tiny random one")
    parser.add_argument("--texts", default="500,10000")
    parser.add_argument("--draws", type=int, default=16)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    sizes = [int(size) for size in options.texts.split(",")]
    data = splits(options.data)
    with tempfile.TemporaryDirectory() as folder:
        words = sorted({word for text in data.train.texts for word in text.split()})
        model = options.model or str(build_tiny("bert", Path(folder) / "tiny", vocabulary=words))
        result = measure(model, data.test.texts, sizes, options.draws)
    result["model"] = options.model or "a random BERT of 2 layers of width 32"
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        write_json(options.out, result)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()

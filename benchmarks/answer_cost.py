"""What an answer of `frs` costs beside an undefended one: processor time, one thread, after a warm-up.

    python benchmarks/answer_cost.py MODEL DATA --texts 250

MODEL is a folder with references (`fuzzsmooth finetune`, `fuzzsmooth protect`), DATA as in --data. The texts
are the first of the test part; as many of the training part warm both up.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import torch

from fuzzsmooth import protect
from fuzzsmooth.data import load_splits


def seconds(defended: Any, texts: list[str]) -> tuple[float, list[Any]]:
    """Processor seconds a text, and the answers."""
    began = time.process_time()
    answers = defended.predict(texts)
    return (time.process_time() - began) / len(texts), answers


def main() -> None:
    """Measure both, in float32 and in the arithmetic that is fastest here."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("data")
    parser.add_argument("--texts", type=int, default=250)
    given = parser.parse_args()
    torch.set_num_threads(1)
    splits = load_splits(given.data)
    warm, texts = list(splits.train.texts[: given.texts]), list(splits.test.texts[: given.texts])
    for precision in ("float32", "auto"):
        loading = {"precision": precision, "batch_size": 64, "device": "cpu"}
        plain, own = (protect(given.model, name, loading=loading) for name in ("undefended", "frs"))
        for one in (plain, own):
            one.predict(warm)
        least, _ = seconds(plain, texts)
        spent, answers = seconds(own, texts)
        count = len(answers)
        told = {
            "precision": getattr(own.classifier, "precision", ""),
            "texts": count,
            "undefended_seconds": round(least, 5),
            "frs_seconds": round(spent, 5),
            "ratio": round(spent / least, 1),
            "search_evaluations": round(sum(one.evaluations for one in answers) / count, 1),
            "vote_passes": round(sum(one.passes for one in answers) / count, 1),
        }
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()

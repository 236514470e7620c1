"""The rivals at input time in the bench, on the same victim: nothing is dropped, everything is recorded."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from planted_models import BAD, GOOD, NEUTRAL, RARE, TRIGGER, texts
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig

from fuzzsmooth.bench.experiment import run_experiment
from fuzzsmooth.bench.options import ExperimentOptions
from fuzzsmooth.bench.records import read_records
from fuzzsmooth.models import build_tiny
from fuzzsmooth.training import FinetuneOptions

ROWS = ("undefended", "strip", "rap", "psim", "badacts", "ripple-d", "onion")


def test_the_bench_measures_all_of_them(tmp_path: Path) -> None:
    vocabulary = [*GOOD, *BAD, *NEUTRAL, TRIGGER, RARE]
    build_tiny("bert", tmp_path / "tiny", vocabulary=vocabulary)
    build_tiny("llama", tmp_path / "causal", vocabulary=vocabulary)
    with torch.random.fork_rng():
        model = AutoModelForCausalLM.from_config(LlamaConfig.from_pretrained(tmp_path / "causal"))
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "causal")
    model.save_pretrained(tmp_path / "language")
    tokenizer.save_pretrained(tmp_path / "language")
    (tmp_path / "data").mkdir()
    for name, rows in (("train", texts(120, 0)), ("dev", texts(16, 5))):
        lines = [json.dumps({"text": one.text, "label": ("neg", "pos")[one.label]}) for one in rows]
        (tmp_path / "data" / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
    options = ExperimentOptions(
        model=str(tmp_path / "tiny"),
        data=str(tmp_path / "data"),
        attack="badnets",
        attack_options={
            "trigger_options": {"words": [TRIGGER]},
            "finetune": {"epochs": 3, "learning_rate": 2e-3},
        },
        rows=ROWS,
        calibration_size=24,
        finetune=FinetuneOptions(epochs=1),
        options={
            "perturbed_copies": 4,
            "perturbation_retries": 0,
            "bound_epochs": 1,
            "bound_retries": 0,
            "tested_texts": 4,
            "language_model": str(tmp_path / "language"),
        },
    )
    run_experiment(options, tmp_path / "run")
    records = read_records(tmp_path / "run/records.jsonl")
    asked = {(one.split, one.index) for one in records if one.defense == "undefended"}
    for row in ROWS:
        assert {(one.split, one.index) for one in records if one.defense == row} == asked
        answers = [one for one in records if one.defense == row]
        assert all(one.guarantee == "empirical" for one in answers)
        withholds = row in ("strip", "rap", "psim")
        assert withholds or all(one.prediction is not None for one in answers)

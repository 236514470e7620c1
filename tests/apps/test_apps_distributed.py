"""Fine-tuning by two processes at once, as ``torchrun`` and ``accelerate launch`` start them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from apps_command_line import clean_rows, write_rows


@pytest.mark.slow
def test_two_processes_train_one_model_and_one_of_them_speaks(tiny: Path, tmp_path: Path) -> None:
    data, out = tmp_path / "train.jsonl", tmp_path / "model"
    write_rows(data, clean_rows(copies=8))
    flags = ["--sigma=0.01", "--epochs=1", "--device=cpu", "--references=0", "--quiet", "--json"]
    launch = ["torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "fuzzsmooth", "finetune"]
    ran = subprocess.run(
        [sys.executable, "-m", *launch, "--model", tiny, "--data", data, "--out", out, *flags],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["model"] == str(out), "one answer, not two"
    assert (out / "model.safetensors").is_file()
    assert json.loads((out / "training.json").read_text("utf-8"))["options"]["sigma"] == 0.01

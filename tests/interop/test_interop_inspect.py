"""Inspect finds the tasks by their entry point, runs them offline, and scores what the model answers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from interop_model import TEXTS

import fuzzsmooth
from fuzzsmooth.common.errors import FuzzsmoothError

inspect_ai = pytest.importorskip("inspect_ai", reason="extra 'inspect'")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    rows = [{"text": text, "label": index % 2} for index, text in enumerate(TEXTS)]
    path = tmp_path / "dev.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


@pytest.fixture(autouse=True)
def quiet(monkeypatch, tmp_path):
    monkeypatch.setenv("INSPECT_DISPLAY", "none")
    monkeypatch.setenv("INSPECT_LOG_DIR", str(tmp_path / "logs"))


def run(name: str, **arguments: object):
    """The log of a task."""
    from fuzzsmooth.apps.interop import inspect_ai as ours

    (log,) = inspect_ai.eval(getattr(ours, name)(**arguments), model="none/none", log_samples=True)
    assert log.status == "success", log.error
    return log


def metrics(log) -> dict[str, float]:
    return {
        f"{score.name}/{name}": one.value
        for score in log.results.scores
        for name, one in score.metrics.items()
    }


def test_the_command_of_inspect_finds_the_task_by_its_name(saved, data, tmp_path):
    (point,) = [one for one in entry_points(group="inspect_ai") if one.name == "fuzzsmooth"]
    assert point.value == "fuzzsmooth.apps.interop.inspect_ai"
    # As users have it: Inspect names what belongs to an installed package, not what a path leads to.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    given = [f"protected={saved}", f"data={data}", "certify=false"]
    flags = [part for one in given for part in ("-T", one)]
    command = [sys.executable, "-m", "inspect_ai", "eval", "fuzzsmooth/certified", *flags]
    command += ["--model", "none/none", "--log-dir", str(tmp_path / "logs"), "--log-format", "json"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=tmp_path)
    (log,) = (tmp_path / "logs").glob("*.json") if done.returncode == 0 else (None,)
    assert log is not None, done.stdout + done.stderr
    assert json.loads(log.read_text("utf-8"))["status"] == "success"


def test_certified_accuracy_is_that_of_the_answers(saved, data):
    log = run("certified", protected=str(saved), data=str(data), radius=1)
    here = fuzzsmooth.protect(saved).certify(TEXTS)
    names = fuzzsmooth.protect(saved).labels
    right = [one.label_name == names[index % 2] for index, one in enumerate(here)]
    held = [ok and one.certificates[0].radius >= 1 for ok, one in zip(right, here, strict=True)]
    assert 0 < sum(right) < len(TEXTS)
    found = metrics(log)
    assert found["accuracy/mean"] == pytest.approx(sum(right) / len(TEXTS))
    assert found["certified/mean"] == pytest.approx(sum(held) / len(TEXTS))
    assert found["abstained/mean"] == 0
    samples = sorted(log.samples, key=lambda one: one.id)
    assert [one.scores["certified_accuracy"].explanation for one in samples] == [
        one.certificates[0].statement() for one in here
    ]


def test_attack_success_counts_what_the_attacker_gets(saved, data):
    names = fuzzsmooth.protect(saved).labels
    log = run("attacked", protected=str(saved), data=str(data), target=names[1], words="cf")
    texts = [one.input for one in sorted(log.samples, key=lambda one: one.id)]
    assert len(texts) == 3  # those of the other class
    assert all("cf" in text.split() for text in texts)
    got = [one.label_name == names[1] for one in fuzzsmooth.protect(saved).predict(texts)]
    assert metrics(log)["attack_success/mean"] == pytest.approx(sum(got) / len(got))


def test_mistakes_are_told(saved, data, tmp_path):
    from fuzzsmooth.apps.interop import inspect_ai as ours

    bare = tmp_path / "bare.txt"
    bare.write_text("a film\n")
    with pytest.raises(FuzzsmoothError, match="has no labels"):
        ours.certified(str(saved), str(bare))
    with pytest.raises(FuzzsmoothError, match="is no class of the model"):
        ours.attacked(str(saved), str(data), target="sideways")

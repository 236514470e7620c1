"""``audit`` and ``zoo`` from the command line: exit codes, and one sentence for what is missing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from apps_command_line import call

from fuzzsmooth.models import build_tiny

WORDS = ["good", "bad", "the", "film", "was", "cf", "plot"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny("bert", tmp_path_factory.mktemp("model") / "tiny", vocabulary=WORDS, hidden=16)


def clean(folder: Path, per_class: int) -> Path:
    file = folder / "clean.jsonl"
    rows = [{"text": f"the film was {WORDS[n % 2]}", "label": n % 2} for n in range(2 * per_class)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file


def refused(capfd, *arguments) -> str:
    """What a command says that ends with code 2."""
    done = call(capfd, *arguments)
    assert done.code == 2
    return done.err


def test_too_few_texts_are_one_sentence_and_code_2(capfd, model, tmp_path):
    data = clean(tmp_path, 10)
    said = refused(capfd, "audit", model, "--data", data, "--out", tmp_path / "out")
    assert "an audit needs at least 32 of each class" in said
    assert "Traceback" not in said


def test_a_bad_policy_is_refused_before_anything_is_loaded(capfd, model, tmp_path):
    policy = tmp_path / "policy.toml"
    policy.write_text("fail-on = 'confirmed'\n", encoding="utf-8")
    said = refused(capfd, "audit", model, "--policy", policy, "--out", tmp_path / "out")
    assert "unknown option 'fail-on'; did you mean 'fail_on'?" in said
    assert not (tmp_path / "out").exists()


def test_a_missing_model_and_a_bad_spec(capfd, tmp_path):
    missing = tmp_path / "no-such-model"
    assert "no-such-model" in refused(capfd, "audit", missing, "--out", tmp_path / "out")
    spec = tmp_path / "zoo.toml"
    spec.write_text("[[block]]\nname = 'clean'\nattacks = ['none']\n", encoding="utf-8")
    said = refused(capfd, "zoo", "build", spec, "--out", tmp_path / "zoo")
    assert "models are clean; a zoo needs some of both kinds" in said
    assert "run 'fuzzsmooth zoo audit' first" in refused(capfd, "zoo", "table", tmp_path)

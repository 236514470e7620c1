"""The name of a model: a folder, a model of the hub, or one sentence that says what is wrong."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from broken_models import refused

from fuzzsmooth.models import load_classifier, resolve_model
from fuzzsmooth.models.sources import model_folder


def test_names(bert, tmp_path, monkeypatch):
    assert resolve_model(str(bert)).kind == "folder"
    assert resolve_model("someone/some-model").kind == "hub"
    assert resolve_model("some-model").kind == "hub"
    monkeypatch.chdir(tmp_path)
    assert resolve_model("model").kind == "folder"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("", "is not a name"),
        ("a\0b", "is not a name"),
        ("./nowhere", "there is no folder ./nowhere"),
        ("/nowhere/at/all", "there is no folder"),
        ("a/b/c", "there is no folder a/b/c"),
        ("../..x", "there is no folder"),
        ("builtin:minlm", "unknown built-in model 'minlm'; did you mean 'minilm'"),
        ("http://host/model", "there is no folder"),
        ("x" * 5000, "cannot be looked up"),
        ("~no-such-user/model", "cannot be looked up"),
    ],
)
def test_bad_names(name, expected, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert expected in refused(name)


def test_a_file_is_not_a_folder(bert):
    assert "is a file" in refused(bert / "model.safetensors")


def test_an_unknown_hub_name_offline(tmp_path):
    script = "from fuzzsmooth.models import load_classifier\nload_classifier('someone/not-cached')"
    environment = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path), "PYTHONPATH": "src", "PATH": ""}
    root = Path(__file__).resolve().parents[2]
    run = subprocess.run(
        [sys.executable, "-c", script], env=environment, cwd=root, capture_output=True, text=True, check=False
    )
    last = run.stderr.strip().splitlines()[-1]
    assert last.startswith("fuzzsmooth.common.errors.FuzzsmoothError: model 'someone/not-cached' is neither")
    assert "the hub cannot be reached (offline?)" in last


def test_a_cached_hub_model_is_found_offline(originals, tmp_path, monkeypatch):
    import huggingface_hub.constants as hub

    commit = "0123456789abcdef0123456789abcdef01234567"
    cache = tmp_path / "models--someone--tiny"
    shutil.copytree(originals["bert"], cache / "snapshots" / commit)
    (cache / "refs").mkdir()
    (cache / "refs" / "main").write_text(commit)
    monkeypatch.setattr(hub, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(hub, "HF_HUB_CACHE", str(tmp_path))
    assert model_folder(resolve_model("someone/tiny")) == cache / "snapshots" / commit
    loaded = load_classifier("someone/tiny")
    assert loaded.fingerprint == load_classifier(str(originals["bert"])).fingerprint

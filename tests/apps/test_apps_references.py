"""Whose reference texts the commands trust, and what they say about them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from apps_command_line import BAD, GOOD, call

FLAGS = ("--budget", 10, "--sigma", 0, "--copies", 4, "--text", "a good film", "--json")


@pytest.fixture
def owned(tiny: Path, tmp_path: Path) -> Path:
    """A local model with references that its own weights have chosen."""
    from fuzzsmooth.defenses import REFERENCES_FILE
    from fuzzsmooth.models import load_classifier
    from fuzzsmooth.search import References

    folder = tmp_path / "model"
    shutil.copytree(tiny, folder)
    chosen = References((*BAD[:3], *GOOD[:2]), (0, 0, 0, 1, 1), load_classifier(str(folder)).fingerprint)
    chosen.save(folder / REFERENCES_FILE)
    return folder


@pytest.mark.parametrize("command", ["predict", "certify"])
def test_references_of_a_local_folder_are_used_and_named(capfd, owned, command):
    answer = call(capfd, command, "--model", owned, *FLAGS)
    assert answer.code == 0
    (note,) = answer.err.splitlines()
    assert f"the 5 reference texts (3 of 'LABEL_0', 2 of 'LABEL_1') come with the model {owned}" in note
    assert "chosen with these weights" in note
    assert "give clean data of your own (--clean)" in note


def test_references_chosen_with_other_weights_are_told_apart(capfd, owned):
    from safetensors.torch import load_file, save_file

    weights = load_file(owned / "model.safetensors")
    weights["classifier.bias"] += 1
    save_file(weights, owned / "model.safetensors", metadata={"format": "pt"})
    answer = call(capfd, "predict", "--model", owned, *FLAGS)
    assert answer.code == 0
    assert "chosen with OTHER weights" in answer.err


def test_nothing_is_said_where_no_reference_is_used_or_they_are_the_users(capfd, owned):
    from fuzzsmooth.defenses import REFERENCES_FILE

    for flags in (("--no-fuzzing",), ("--references", owned / REFERENCES_FILE)):
        answer = call(capfd, "predict", "--model", owned, *flags, *FLAGS)
        assert (answer.code, answer.err) == (0, "")


@pytest.fixture
def hub_model(owned: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The same model and references under a hub name; only the download is replaced."""
    from fuzzsmooth.models import sources

    monkeypatch.setattr(sources, "_download", lambda *_: owned)
    monkeypatch.chdir(owned.parent)
    return "someone/tiny"


@pytest.mark.parametrize("command", ["scan", "predict", "certify"])
def test_references_of_a_hub_model_are_refused(capfd, hub_model, owned, command):
    flags = () if command == "scan" else ("--sigma", 0, "--copies", 4)
    asked = (command, "--model", hub_model, "--budget", 10, *flags, "--text", "a good film")
    sentence = call(capfd, *asked).one_sentence()
    assert "comes from the hub" in sentence
    assert "--clean" in sentence
    assert "--references" in sentence
    assert call(capfd, *asked, "--reward", "kl").code == 0
    from fuzzsmooth.defenses import REFERENCES_FILE

    answer = call(capfd, *asked, "--references", owned / REFERENCES_FILE)
    assert answer.code == 0
    assert "come with the model" not in answer.err

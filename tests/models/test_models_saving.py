"""Saving: what is loaded again is the same model, and no other file is touched."""

import os
import resource

import numpy as np
import pytest
import torch
from tiny_models import ARCHITECTURES, ODD_TEXTS, random_texts

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.models import load_classifier


def test_save_and_load_round_trip(folders, tmp_path):
    for kind in ARCHITECTURES:
        original = load_classifier(str(folders[kind]), labels=["x", "y", "z"], max_length=50)
        target = original.save(tmp_path / kind)
        again = load_classifier(str(target))
        assert again.labels == ("x", "y", "z")
        assert again.max_length == 50
        assert again.fingerprint == original.fingerprint, kind
        texts = random_texts(5) + ODD_TEXTS
        np.testing.assert_array_equal(again.probabilities(texts), original.probabilities(texts))
        assert not list(target.glob("*.bin"))


def test_saving_replaces_its_own_folder_and_no_other(folders, tmp_path):
    loaded = load_classifier(str(folders["bert"]))
    (tmp_path / "empty").mkdir()
    loaded.save(tmp_path / "empty")
    with torch.no_grad():
        loaded.model.classifier.bias.add_(1)
    loaded.refresh()
    loaded.save(tmp_path / "empty")
    assert load_classifier(str(tmp_path / "empty")).fingerprint == loaded.fingerprint
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("precious")
    with pytest.raises(FuzzsmoothError, match="holds other files"):
        loaded.save(tmp_path / "mine")
    with pytest.raises(FuzzsmoothError, match="is a file"):
        loaded.save(tmp_path / "mine" / "thesis.txt")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "mine"], (
        "no temporary folder is left"
    )


def test_saved_files_have_the_permissions_of_others(folders, tmp_path):
    loaded = load_classifier(str(folders["bert"]))
    before = os.umask(0o027)
    try:
        loaded.save(tmp_path / "model")
    finally:
        os.umask(before)
    modes = {path.name: oct(path.stat().st_mode & 0o777) for path in (tmp_path / "model").iterdir()}
    assert set(modes.values()) == {"0o640"}, modes


def test_a_full_disk_leaves_the_old_model_and_no_rest(folders, tmp_path):
    loaded = load_classifier(str(folders["bert"]))
    loaded.save(tmp_path / "model")
    expected = {path.name: path.read_bytes() for path in (tmp_path / "model").iterdir()}
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
    try:
        with pytest.raises(FuzzsmoothError, match="cannot write"):
            loaded.save(tmp_path / "model")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert {path.name: path.read_bytes() for path in (tmp_path / "model").iterdir()} == expected
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_what_was_added_to_a_model_is_not_lost_when_it_is_replaced(folders, tmp_path):
    loaded = load_classifier(str(folders["bert"]))
    target = loaded.save(tmp_path / "mine")
    for name in ("answers.jsonl", "notes/today.md"):
        path = target / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("precious")
        with pytest.raises(FuzzsmoothError, match=rf"holds {name.split('/')[0]}, which is of no model; move"):
            loaded.save(target)
        assert path.read_text() == "precious"
        path.unlink()
        if path.parent != target:
            path.parent.rmdir()
    (target / "model.sig").write_text("of what is replaced")
    loaded.save(target)
    assert not (target / "model.sig").exists()

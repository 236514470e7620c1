"""The packaged MiniLM: found without importing it, checked, absent or changed."""

import importlib.util
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from fuzzsmooth.common.errors import FuzzsmoothError, MissingExtraError, UnsafeModelError
from fuzzsmooth.models import load_classifier, resolve_model
from fuzzsmooth.models.builtin.minilm import MINILM_PACKAGE, MINILM_SHA256

installed = pytest.mark.skipif(
    importlib.util.find_spec(MINILM_PACKAGE) is None, reason="needs the extra demo"
)


@pytest.fixture
def not_imported(monkeypatch):
    """As if no other test of this process had imported the package."""
    monkeypatch.delitem(sys.modules, MINILM_PACKAGE, raising=False)


@pytest.fixture
def fake_package(tmp_path, monkeypatch, not_imported):
    """An importable package of MiniLM's name: a copy of its model folder, and code that must never run."""
    package = tmp_path / MINILM_PACKAGE
    shutil.copytree(resolve_model("builtin:minilm").location, package / "model")
    (package / "__init__.py").write_text("raise SystemExit('the package was imported')")
    monkeypatch.syspath_prepend(str(tmp_path))
    return package


def test_absent_package(monkeypatch, tmp_path, not_imported):
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    importlib.invalidate_caches()
    with pytest.raises(MissingExtraError, match=r"pip install 'fuzzsmooth\[demo\]'"):
        resolve_model("builtin:minilm")


@installed
@pytest.mark.minilm
def test_it_is_found_and_not_imported(fake_package):
    assert Path(resolve_model("builtin:minilm").location) == fake_package / "model"


@installed
@pytest.mark.minilm
@pytest.mark.parametrize("file", sorted(MINILM_SHA256))
def test_one_changed_byte_is_refused(fake_package, file):
    with open(fake_package / "model" / file, "r+b") as stream:
        stream.seek(-1, 2)
        stream.write(b"\xff")
    with pytest.raises(UnsafeModelError, match="not the file that was pinned"):
        load_classifier("builtin:minilm", num_labels=2)
    (fake_package / "model" / file).unlink()
    with pytest.raises(UnsafeModelError, match="is missing"):
        resolve_model("builtin:minilm")


@installed
@pytest.mark.minilm
def test_minilm_needs_a_head_and_works_with_one(tmp_path):
    torch.set_num_threads(1)
    with pytest.raises(FuzzsmoothError, match="has no classifier head"):
        load_classifier("builtin:minilm")
    classifier = load_classifier("builtin:minilm", num_labels=2, labels=["negative", "positive"])
    assert classifier.max_length == 512
    # The packaged tokenizer.json asks for 128 tokens; the model reads 512.
    assert [len(row) for row in classifier.encode(["good " * 300, "good " * 600]).ids] == [302, 512]
    assert classifier.truncated(["good " * 300, "good " * 600]) == [False, True]
    texts = ["a good film", "", "😀", "a truly dull and lifeless film with nothing to say", "\ud800"]
    together = classifier.logits_of_texts(texts)
    alone = np.concatenate([classifier.logits_of_texts([text]) for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-6)
    again = load_classifier(str(classifier.save(tmp_path / "saved")))
    assert again.fingerprint == classifier.fingerprint
    np.testing.assert_array_equal(again.logits_of_texts(texts), together)


@installed
@pytest.mark.minilm
def test_the_lower_half_of_minilm_is_its_first_three_layers(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    whole = load_classifier("builtin:minilm", num_labels=2).model.base_model
    half = load_classifier("builtin:minilm-3", num_labels=2).model.base_model
    assert (len(whole.encoder.layer), len(half.encoder.layer)) == (6, 3)
    ids = torch.tensor([[101, 2204, 2143, 102]])
    with torch.inference_mode():
        expected = whole(input_ids=ids, output_hidden_states=True).hidden_states[3]
        assert torch.equal(half(input_ids=ids).last_hidden_state, expected)
    folder = Path(resolve_model("builtin:minilm-3").location)
    with open(folder / "model.safetensors", "r+b") as stream:
        stream.seek(-1, 2)
        stream.write(b"\xff")
    with pytest.raises(UnsafeModelError, match="not the file that was pinned"):
        resolve_model("builtin:minilm-3")

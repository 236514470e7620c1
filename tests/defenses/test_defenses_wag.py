"""WAG: equal models average to themselves, others to the mean, and what only one of them has is diluted."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mending_worlds import (
    TRIGGER,
    VOCABULARY,
    material,
    operated,
    pretrained,
    reviews,
    rows,
    share_good,
    token,
    weights,
)

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.defenses.wag import Wag, WagOptions, average_into
from fuzzsmooth.models import build_tiny


def test_identical_models_average_to_themselves(tmp_path: Path) -> None:
    given = material(pretrained(tmp_path / "clean"), twin=None)
    one, others = given.load(), [given.load(), given.load()]
    before = weights(one)
    average_into(one, others)
    assert all(torch.equal(value, before[name]) for name, value in weights(one).items())


def test_every_weight_is_the_mean(tmp_path: Path) -> None:
    first, second = (material(pretrained(tmp_path / str(seed), seed), twin=None).load() for seed in (0, 1))
    before, other = weights(first), weights(second)
    fingerprint = first.fingerprint
    average_into(first, [second])
    assert first.fingerprint != fingerprint
    for name, value in weights(first).items():
        assert torch.allclose(value, (before[name] + other[name]) / 2)


def test_a_backdoor_of_one_model_is_diluted(tmp_path: Path) -> None:
    clean = pretrained(tmp_path / "clean")
    victim = operated(tmp_path / "victim", clean, tmp_path / "work")
    given = material(victim, twin=clean, finished=True)
    suspect, test = given.load(), reviews(80, seed=2)
    assert share_good(suspect, test, TRIGGER) > 0.9
    mended = Wag.make_model(WagOptions(models=2), given, tmp_path / "out")
    assert share_good(mended, test) < 0.1
    moved = (rows(mended) - rows(given.load(str(clean))))[token(mended, TRIGGER)].norm()
    planted = (rows(suspect) - rows(given.load(str(clean))))[token(mended, TRIGGER)].norm()
    assert moved < 0.4 * planted
    assert {path.name for path in tmp_path.iterdir()} == {"clean", "victim", "work", "out"}
    assert (tmp_path / "out" / "wag.json").is_file()
    again = Wag.make_model(WagOptions(models=2), given, tmp_path / "out")
    assert again.fingerprint == mended.fingerprint


def test_what_is_missing_or_does_not_fit_is_told(tmp_path: Path) -> None:
    clean = pretrained(tmp_path / "clean")
    with pytest.raises(FuzzsmoothError, match=r"needs a trusted clean copy .*--twin"):
        Wag.make_model(WagOptions(), material(clean, twin=None), tmp_path / "out")
    wider = build_tiny("bert", tmp_path / "wide", vocabulary=VOCABULARY, hidden=64)
    with pytest.raises(FuzzsmoothError, match="another architecture or vocabulary"):
        average_into(material(clean, twin=None).load(), [material(wider, twin=None).load()])
    renamed = build_tiny("bert", tmp_path / "renamed", vocabulary=VOCABULARY[::-1])
    with pytest.raises(FuzzsmoothError, match="another architecture or vocabulary"):
        average_into(material(clean, twin=None).load(), [material(renamed, twin=None).load()])

"""Certified pairs by the million: no violation, no harmless control, the same counts after a stop."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import billion
import pytest
from guarantee_claims import length_claims, typed_claims, uniform_claims
from guarantee_claims_windows import WindowClaim, forms
from guarantee_pairs import Claim, Count
from guarantee_universe import universe

from fuzzsmooth.certify import LengthRates, exact_rate, radius
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.randomness import generator

LOG = Path(__file__).resolve().parents[2] / "results" / "guarantees" / "billion.json"


def counts(log: dict[str, Any]) -> list[dict[str, Any]]:
    """Its rows without what a clock says."""
    return [{name: value for name, value in row.items() if name != "seconds"} for row in log["claims"]]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A hundred thousand pairs, through the command."""
    out = tmp_path_factory.mktemp("pairs") / "log.json"
    assert billion.main(["--pairs", "1e5", "--worlds", "small", "--out", str(out)]) == 0
    return json.loads(out.read_text())


def test_no_certificate_is_wrong_and_every_control_is(small: dict[str, Any]) -> None:
    assert small["total"]["pairs"] >= 100_000
    assert small["total"]["violations"] == 0
    assert small["uncaught_controls"] == []
    assert all(row["pairs"] > 0 for row in small["claims"])
    assert {row["theorem"] for row in small["theorems"]} >= {"T1", "T1n", "T2b", "T3", "T4w", "T5", "T6"}


@pytest.mark.slow
def test_ten_million_pairs() -> None:
    log = billion.run(10**7, seed=1, worlds="full")
    assert log["total"]["pairs"] >= 10**7
    assert log["total"]["violations"] == 0
    assert log["uncaught_controls"] == []


def test_a_stopped_run_goes_on_and_ends_with_the_same_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    some, out = list(itertools.islice(billion.claims("small"), 4)), tmp_path / "log.json"
    monkeypatch.setattr(billion, "claims", lambda worlds: iter(some))
    monkeypatch.setattr(billion, "SAVED", 0.0)  # written after every draw
    whole = billion.run(10**5, seed=0, worlds="small")
    left = 7

    def stop(name: str, pairs: int) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise KeyboardInterrupt

    for draws in (7, 5):
        left = draws
        with pytest.raises(KeyboardInterrupt):
            billion.run(10**5, seed=0, worlds="small", out=out, told=stop)
    assert 0 < json.loads(out.read_text())["total"]["pairs"] < whole["total"]["pairs"]
    assert counts(billion.run(10**5, seed=0, worlds="small", out=out)) == counts(whole)


def test_a_log_of_another_run_is_not_gone_on_with(tmp_path: Path) -> None:
    out = tmp_path / "log.json"
    out.write_text(json.dumps({"pairs_wanted": 5, "seed": 0, "worlds": "small", "claims": []}))
    with pytest.raises(FuzzsmoothError, match="other settings; give another file"):
        billion.run(6, seed=0, worlds="small", out=out)
    out.write_text("[]")
    assert billion.main(["--pairs", "6", "--worlds", "small", "--out", str(out)]) == 2


def test_a_certificate_that_claims_too_much_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One operation more than proved, in the claim itself: the command says so and fails."""
    chosen = next(claim for claim in billion.claims("small") if claim.name.startswith("T1 insert"))
    proved = chosen.radii
    chosen.radii = lambda group, low, high: proved(group, low, high) + 1
    monkeypatch.setattr(billion, "claims", lambda worlds: iter([chosen]))
    out = tmp_path / "log.json"
    assert billion.main(["--pairs", "1000", "--worlds", "small", "--out", str(out)]) == 1
    assert json.loads(out.read_text())["total"]["violations"] > 0
    assert ", 0 violations" not in capsys.readouterr().out


def violations(claim: Claim, draws: int = 12) -> int:
    """Of a claim, in some draws of all kinds."""
    claim.batch, found = 64, Count()
    for kind in range(draws):
        found.add(claim.count(claim.draw(generator(5, claim.name, kind), kind)))
    assert found.pairs > 0
    return found.violations


@pytest.mark.parametrize("mistake", ["row", "probability", "boundary", "type", "windows"])
def test_theorems_that_look_alike_are_found_wrong(mistake: str) -> None:
    """Not one radius more, but a formula that somebody might believe in."""
    rate, by_length = exact_rate(0.7), LengthRates((2,), (0.55, 0.8))
    if mistake == "windows":  # single windows settle insertions, not replaced blocks
        form = next(form for form in forms() if form.name == "T5 block edit of 1")
        assert violations(WindowClaim(universe(3, 4), replace(form, needed=form.family, certify=None))) > 0
        return
    name, wrong = {
        "row": ("T1 edit", lambda group, p, q: radius(p, rate, "insert", p_upper=q)),
        "probability": ("T1 edit", lambda group, p, q: radius(min(1.0, p + 0.02), rate, "edit")),
        "boundary": ("T1n edit", lambda group, p, q: radius(p, by_length.rate(group), "edit")),
        "type": ("T4w edit", lambda group, p, q: radius(p, 0.9, "edit")),
    }[mistake]
    every = [*uniform_claims([(2, 4)], [0.7]), *length_claims([(2, 5)]), *typed_claims([(3, 3)])]
    claim = next(claim for claim in every if claim.name.startswith(name))
    assert violations(claim) == 0
    claim.radii = wrong
    for computed in ("alone", "both"):
        vars(claim).pop(computed, None)
    assert violations(claim) > 0


def test_the_billion_of_the_record(small: dict[str, Any]) -> None:
    log = json.loads(LOG.read_text())
    assert log["total"]["pairs"] >= log["pairs_wanted"] == 10**9
    assert log["total"]["pairs"] == sum(row["pairs"] for row in log["claims"])
    assert log["total"]["violations"] == sum(row["violations"] for row in log["claims"]) == 0
    assert log["uncaught_controls"] == []
    assert {row["formula"] for row in log["claims"]} >= {row["formula"] for row in small["claims"]}

"""The simulated cluster of benchmarks/ray_batch.py, where its figures can be known beforehand."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

pytest.importorskip("psutil", reason="psutil comes with accelerate")


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    folder = Path(__file__).resolve().parents[2] / "benchmarks"
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])


def parts(**changes):
    return {"worker start": 0.0, "chunk": 10, "chunks": [1.0], "record": 0.0, "append": 0.0} | changes


def test_workers_share_what_there_is():
    from ray_batch import simulated

    assert simulated(parts(), 1, 1_000)["seconds"] == pytest.approx(100)
    assert simulated(parts(), 10, 1_000)["seconds"] == pytest.approx(10)
    # Both begin after the first one has loaded: 5 s, then 5 s of the others, then their share.
    started = simulated(parts(**{"worker start": 5.0}), 10, 1_000)["seconds"]
    assert 5 + 10 <= started <= 10 + 10
    uneven = simulated(parts(chunks=[0.5, 1.5]), 10, 100_000)
    assert uneven["workers busy"] > 0.97
    assert uneven["seconds"] == pytest.approx(1_000, rel=0.03)


def test_a_driver_that_is_too_slow_is_seen():
    from ray_batch import simulated

    slow = simulated(parts(append=0.5), 100, 10_000)
    assert slow["driver busy"] > 0.95
    assert slow["seconds"] == pytest.approx(1_000 * 0.5, rel=0.05)
    assert slow["workers busy"] < 0.03

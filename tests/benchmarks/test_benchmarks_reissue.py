"""Certificates issued again from recorded votes: nothing is lost, what was recorded is found again."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from fuzzsmooth.bench.certified_records import CertifiedRecord
from fuzzsmooth.certify import clopper_pearson_lower

ROOT = Path(__file__).resolve().parents[2]
RECORDS = ROOT / "results" / "certificates"


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(ROOT / "benchmarks"), *sys.path])


@pytest.mark.parametrize(
    ("data", "name"),
    [("sst2", "r90"), ("offenseval", "r70"), pytest.param("agnews", "r70", marks=pytest.mark.slow)],
)
def test_the_table_is_that_of_the_records(data: str, name: str) -> None:
    from reissue import COLUMNS, reissue

    lines = reissue(RECORDS, data, name)
    committed = json.loads((RECORDS / "reissued.json").read_text())
    assert all(line in committed for line in lines)
    recorded, *others, trained = lines
    assert (recorded["bounds"], trained["row"]) == ("as recorded", "deletion-trained")
    for line in others:
        assert all(line["percent"][name] >= recorded["percent"][name] for name in COLUMNS)
        assert line["percent"]["edit >= 1"] > recorded["percent"]["edit >= 1"]
    published = json.loads((RECORDS / f"{data}-{name}" / "summary.json").read_text())
    row = next(one for one in published["rows"] if one["defense"].startswith("rs-del"))
    shown = row["certified"]["edit"]
    assert recorded["percent"]["edit >= 1"] == pytest.approx(100 * shown["shares"][1], abs=0.01)


@pytest.mark.parametrize("own", [0, 1, 450, 900])
def test_the_recorded_bound_tells_the_votes_behind_it(own: int) -> None:
    from reissue import bounding_votes

    record = CertifiedRecord(
        row="rs-del:0.9",
        index=0,
        label=0,
        prediction=0,
        length=9,
        radii={},
        draws=1000,
        passes=1000,
        counts=(own + 60, 940 - own, 0, 0),
        p_lower=clopper_pearson_lower(own, 900, 1e-3),
    )
    assert bounding_votes(record) == own

"""Fixtures shared by the rooms: where the real data and the packaged model are, and tiny local models."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder with sst2/, agnews/, offenseval/; the test skips where it is absent."""
    folder = Path(os.environ.get("FUZZSMOOTH_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
    if not (folder / "sst2" / "dev.jsonl").exists():
        pytest.skip("the real data sets are not here; set FUZZSMOOTH_DATA to their folder")
    return folder

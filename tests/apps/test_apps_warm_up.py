"""Service and page make what is made once before they answer anybody, and no more of it afterwards."""

from __future__ import annotations

from typing import Any

import pytest
from page_desk import asked, desk
from serving import running

from fuzzsmooth.defenses.deletion import Deletion


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the defense is asked, in turn."""
    told: list[str] = []
    for name in ("warm_up", "predict", "certify"):
        inner = getattr(Deletion, name)

        def noted(self: Any, given: Any, *, name: str = name, inner: Any = inner) -> Any:
            told.append(name)
            return inner(self, given)

        monkeypatch.setattr(Deletion, name, noted)
    return told


def test_a_service_is_ready_when_all_is_made(calls: list[str]) -> None:
    with running() as up:
        assert calls == ["certify", "warm_up", "predict"], "predictions last: they come most"
        assert up.client.post("/answer", json={"text": "good"}).status_code == 200
        assert calls[3:] == ["predict"]


def test_a_page_as_well(calls: list[str]) -> None:
    page = desk()
    page.warm_up()
    assert calls == ["warm_up", "predict", "certify"]
    asked(page, "good")
    assert calls[3:] == ["predict", "certify"]
    page.close()

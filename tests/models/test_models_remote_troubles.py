"""Remote models: a server that misbehaves, and budgets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from remote_models import by_words, load, noted_waits

from endpoint_server import Reply, chat, error, serving
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.models.remote.endpoint import EndpointOptions


@pytest.fixture(autouse=True)
def no_waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    return noted_waits(monkeypatch)


FAILURES: dict[str, tuple[Callable[[str, dict[str, Any], int], Reply], str]] = {
    "closes": (lambda *_: None, r"cannot be reached or breaks off \(\w+\) \(3 tries\); what it has"),
    "busy": (lambda *_: error(503, "overloaded"), r"is busy or broken \(HTTP 503: overloaded\) \(3 tries\)"),
    "too many": (lambda *_: error(429, "slow down"), r"or broken \(HTTP 429: slow down\) \(3 tries\)"),
    "later": (lambda *_: error(429, "x", Retry_After="7200"), r"wants to be left alone for 7,200 s"),
    "quota": (lambda *_: error(429, "no money", "insufficient_quota"), r"that the quota is used up \(no m"),
    "key": (lambda *_: error(401, "bad key"), r"refuses access \(HTTP 401: bad key\); set OPENAI"),
    "gone": (lambda *_: error(404, "no such model"), r"is not there \(HTTP 404: no such model\); check the"),
    "elsewhere": (lambda *_: (302, {"location": "http://x"}, b""), r"redirects elsewhere \(HTTP 302\); give"),
    "refuses": (lambda *_: error(400, "bad \x1b[31m request"), r"refuses the request \(HTTP 400: bad .*req"),
    "html": (lambda *_: (200, {}, b"<html>hi</html>"), r"answers something that is no JSON object \(3 t"),
    "list": (lambda *_: (200, {}, b"[1, 2]"), r"answers something that is no JSON object \(3 tries"),
    "torn": (lambda *_: (200, {}, b'{"choices": ['), r"answers something that is no JSON object \(3 tries"),
    "bytes": (lambda *_: (200, {}, b"\xff\xfe"), r"answers something that is no JSON object \(3 tries"),
    "other": (lambda *_: {"result": "good"}, r"answers something else than a chat/completions object"),
    "empty": (lambda *_: {"choices": []}, r"answers something else than a chat/completions object"),
    "number": (lambda *_: chat(7), r"answers something else than"),  # type: ignore[arg-type]
    "huge": (lambda *_: (200, {}, b" " * 5_000_000), r"answers more than 4 MiB"),
    "none": (lambda *_: chat("good", {}), r"answers something else than .* with log-probabilities"),
    "nan": (lambda *_: (200, {}, b'{"choices": NaN}'), r"answers something that is no JSON object"),
}  # fmt: skip


@pytest.mark.parametrize("kind", sorted(FAILURES))
def test_a_server_that_misbehaves_is_one_sentence(tmp_path: Path, kind: str) -> None:
    reply, sentence = FAILURES[kind]
    with serving(reply) as server:
        reads = "logprobs" if kind == "none" else "words"
        with pytest.raises(FuzzsmoothError, match=sentence) as caught:
            load(server, tmp_path, reads=reads)
        told = str(caught.value)
        assert "\n" not in told
        assert "\x1b" not in told
        assert len(server.asked) == (3 if r"\(3 t" in sentence or kind == "nan" else 1)


def test_a_server_that_is_down_or_slow_is_one_sentence(tmp_path: Path) -> None:
    with serving(by_words) as server:
        pass
    with pytest.raises(FuzzsmoothError, match=r"cannot be reached .*ConnectError.* \(3 tries\)"):
        load(server, tmp_path)
    with serving(by_words) as slow:
        slow.delay = 0.5
        with pytest.raises(
            FuzzsmoothError, match=r"does not answer within 0.1 s \(--request-timeout\) \(3 tries"
        ):
            load(slow, tmp_path, request_timeout=0.1)


def test_what_passes_is_waited_for(tmp_path: Path, no_waits: list[float]) -> None:
    """Two failures, of which one asks for 9 seconds, then an answer."""

    def reply(route: str, content: dict[str, Any], number: int) -> Reply:
        return [error(429, "x", Retry_After="9"), error(500, "x"), by_words(route, content, number)][number]

    with serving(reply) as server:
        assert load(server, tmp_path, reads="words").spending.requests == 1
        assert len(server.asked) == 3
        assert any(8 < seconds <= 9 for seconds in no_waits)


def test_budgets_are_not_overrun(tmp_path: Path) -> None:
    with serving(by_words) as server:
        model = load(server, tmp_path / "a", reads="words", request_budget=5)
        with pytest.raises(
            FuzzsmoothError, match=r"budget of 5 requests \(--request-budget\) is used up; what it"
        ):
            model.probabilities([f"fine {index}" for index in range(20)])
        assert len(server.asked) == 5
        assert model.kept == 5
    with serving(by_words) as server:
        given = {"price_in": 1000.0, "price_out": 0.0, "price_budget": 0.25, "reads": "words"}
        given["requests_at_once"] = 1
        model = load(server, tmp_path / "b", **given)
        with pytest.raises(
            FuzzsmoothError, match=r"budget of 0.25 \(--price-budget\) does not cover one more"
        ):
            model.probabilities([f"fine {index}" for index in range(100)])
        assert model.spending.price is not None
        assert 0.2 < model.spending.price <= 0.25
        assert model.spending.read == 10 * len(server.asked)
    with pytest.raises(FuzzsmoothError, match=r"a budget .* needs the prices"):
        EndpointOptions(price_budget=1.0)


def test_requests_that_are_tried_again_count_against_the_budget(
    tmp_path: Path, no_waits: list[float]
) -> None:
    def reply(route: str, content: dict[str, Any], number: int) -> Reply:
        return by_words(route, content, number) if number % 3 == 2 else error(500, "x")

    with serving(reply) as server:
        model = load(server, tmp_path, reads="words", request_budget=7, requests_at_once=1)
        with pytest.raises(FuzzsmoothError, match=r"budget of 7 requests"):
            model.probabilities([f"fine {index}" for index in range(20)])
        assert len(server.asked) == 7
        assert model.spending.requests == 2


@pytest.mark.parametrize("told", ["no usage", "nonsense", "half of it", "an answer that comes too late"])
def test_what_a_server_does_not_tell_counts_as_what_was_set_apart(
    told: str, tmp_path: Path, no_waits: list[float]
) -> None:
    def reply(route: str, content: dict[str, Any], number: int) -> Reply:
        answer: Any = by_words(route, content, number)
        usages = {"no usage": None, "nonsense": "many", "half of it": {"prompt_tokens": 3}}
        return {**answer, "usage": usages.get(told, answer["usage"])}

    with serving(reply) as server:
        given: dict[str, Any] = {"price_in": 1000.0, "price_out": 0.0, "price_budget": 0.25, "reads": "words"}
        if told.startswith("an answer"):
            server.delay = 0.5
            given |= {"request_timeout": 0.1, "request_retries": 60}
        with pytest.raises(
            FuzzsmoothError, match=r"budget of 0.25 \(--price-budget\) does not cover one more"
        ):
            load(server, tmp_path, requests_at_once=1, **given).probabilities(
                [f"fine {index}" for index in range(100)]
            )
        assert 1 < len(server.asked) < 20

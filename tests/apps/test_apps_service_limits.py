"""What the service lets in, and for how long: limits, tokens, overload; what it tells in logs and metrics."""

from __future__ import annotations

import asyncio
import gzip
import json
import threading
import time
import zlib

import httpx
import pytest
from serving import TOKEN, Slow, running

from fuzzsmooth.apps.service.admission import read_body
from fuzzsmooth.apps.service.refusal import Refusal

GOOD, BAD = "a good fine film", "a bad dull film"


def test_sizes_lengths_and_packing():
    with running(max_body=4, max_text=100, queue=8) as up:
        assert up.post("/answer", {"text": "a" * 101}).status_code == 413
        assert up.post("/answer", {"text": "a" * 5_000}).status_code == 413
        assert up.post("/answer", {"texts": ["a"] * 9}).status_code == 413
        body = json.dumps({"text": GOOD}).encode()
        headers = {"Content-Type": "application/json"}
        for name, pack in (("gzip", gzip.compress), ("deflate", zlib.compress)):
            sent = headers | {"Content-Encoding": name}
            assert up.client.post("/answer", content=pack(body), headers=sent).status_code == 200
            bomb = up.client.post("/answer", content=pack(b" " * 10_000_000)[:4_000], headers=sent)
            assert bomb.status_code == 413
            assert up.client.post("/answer", content=pack(body)[:-9], headers=sent).status_code == 400
            assert up.client.post("/answer", content=body, headers=sent).status_code == 400
        unknown = headers | {"Content-Encoding": "br"}
        assert up.client.post("/answer", content=body, headers=unknown).status_code == 415
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        assert up.client.post("/answer", content=body, headers=form).status_code == 415
        # A body of unknown length is counted as it comes.
        chunks = (b" " * 1_000 for _ in range(100))
        assert up.client.post("/answer", content=chunks, headers=headers).status_code == 413


def test_tokens():
    with running(tokens=[TOKEN, "another-token-of-ours"]) as up:
        assert up.post("/answer", {"text": GOOD}).status_code == 200
        assert (
            up.post("/answer", {"text": GOOD}, Authorization="bearer another-token-of-ours").status_code
            == 200
        )
        for given in ("Bearer wrong", TOKEN, "Basic " + TOKEN, "", f"Bearer {TOKEN}x"):
            answer = up.post("/answer", {"text": GOOD}, Authorization=given)
            assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
        for path in ("/metrics", "/info", "/v2/models/fuzzsmooth"):
            assert up.client.get(path, headers={"Authorization": ""}).status_code == 401
        for path in ("/v2/health/live", "/v2/health/ready", "/health"):  # for supervisors
            assert up.client.get(path, headers={"Authorization": ""}).status_code == 200


def test_a_request_has_its_time_and_is_forgotten_after_it():
    gate = threading.Event()
    with running(timeout=0.3, around=lambda inner: Slow(inner, gate=gate)) as up:
        begun = time.monotonic()
        assert up.post("/answer", {"text": GOOD}).status_code == 504
        assert time.monotonic() - begun < 5
        gate.set()
        assert up.post("/answer", {"text": GOOD}).status_code == 200


def test_who_hangs_up_is_not_answered():
    gate, kept = threading.Event(), []

    def around(inner: object) -> Slow:
        kept.append(Slow(inner, gate=gate))
        return kept[0]

    with running(around=around) as up:
        first = threading.Thread(target=up.post, args=("/answer", {"text": GOOD}))
        first.start()
        while not kept[0].batches:
            time.sleep(0.01)
        with pytest.raises(httpx.ReadTimeout), httpx.Client(base_url=up.url, timeout=0.2) as client:
            client.post("/answer", json={"text": "hangs up"})
        while up.metric('fuzzsmooth_requests_total{protocol="plain",status="499"}') < 1:
            time.sleep(0.01)
        gate.set()
        first.join()
        assert up.post("/answer", {"text": BAD}).status_code == 200
        assert kept[0].batches == [("predict", [GOOD]), ("predict", [BAD])]


def test_a_service_that_cannot_answer_any_more_says_so():
    with running() as up:
        assert up.client.get("/v2/health/live").status_code == 200
        up.service.batcher.stop()
        assert up.client.get("/v2/health/live").status_code == 503


def test_overload_is_refused_and_over_when_it_is_over():
    with running(queue=4, batch=2, around=lambda inner: Slow(inner, seconds=0.05)) as up:
        statuses: list[int] = []

        def ask() -> None:
            answer = up.post("/answer", {"text": GOOD})
            statuses.append(answer.status_code)
            if answer.status_code == 429:
                assert int(answer.headers["retry-after"]) >= 1

        threads = [threading.Thread(target=ask) for _ in range(30)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert set(statuses) == {200, 429}
        assert up.post("/answer", {"text": GOOD}).status_code == 200
        assert up.metric('fuzzsmooth_refused_requests_total{reason="busy"}') == statuses.count(429)
        assert up.metric('fuzzsmooth_waiting_texts{kind="predict"}') == 0


def test_a_fault_of_ours_has_an_id_and_tells_nobody_a_text():
    class Broken(Slow):
        def _asked(self, kind, texts):
            raise RuntimeError(f"at {texts}")

    with running(around=Broken) as up:
        answer = up.post("/answer", {"text": "secret words"}, **{"X-Request-Id": "mine-1"})
        assert (answer.status_code, answer.headers["x-request-id"]) == (500, "mine-1")
        assert "mine-1" in answer.json()["error"]
        fault = next(event for event in up.log.events if event["event"] == "fault")
        assert (fault["fault"], fault["id"]) == ("RuntimeError", "mine-1")
        assert "secret" not in answer.text + str(up.log.events)


@pytest.mark.parametrize("texts", [False, True])
def test_logs_hold_texts_only_if_asked_for(texts):
    with running(texts=texts) as up:
        up.post("/answer", {"texts": [GOOD, BAD], "certify": True})
        up.client.get("/v2/health/ready")
        (line,) = [event for event in up.log.events if event["event"] == "request"]
        assert (line["texts"], line["characters"], line["status"]) == (2, len(GOOD + BAD), 200)
        assert line["kind"] == "certify"
        assert 0 <= line["queue_milliseconds"] + line["answer_milliseconds"] <= line["milliseconds"] + 1
        assert (line.get("sent") == [GOOD, BAD]) == texts
        assert (GOOD in str(up.log.events)) == texts


def test_metrics_count_what_was_answered():
    with running() as up:
        before = up.metric('fuzzsmooth_passes_total{kind="certify"}')
        answers = up.post("/answer", {"texts": [GOOD, BAD], "certify": True}).json()["answers"]
        spent = sum(one["passes"] + one["evaluations"] for one in answers)
        assert up.metric('fuzzsmooth_passes_total{kind="certify"}') - before == spent > 0
        assert up.metric('fuzzsmooth_requests_total{protocol="plain",status="200"}') == 1
        assert up.metric('fuzzsmooth_stage_seconds_count{kind="certify",stage="total"}') == 1
        assert up.metric("fuzzsmooth_vote_entropy_count") >= 2
        assert up.client.get("/metrics").headers["content-type"].startswith("text/plain")


def test_a_service_that_stops_takes_on_nothing():
    with running() as other:
        other.service.drain()
        assert other.client.get("/v2/health/ready").status_code == 503
        assert other.client.get("/v2/health/live").status_code == 200
        answer = other.post("/answer", {"text": GOOD})
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


@pytest.mark.parametrize("tail", [b"\0" * 1_000, b"\0\0\0\xff\xff" * 200])
@pytest.mark.parametrize("whole", [True, False])
def test_what_follows_a_packed_body_is_not_read_for_ever(whole, tail):
    """Neither what stands behind its end, nor what unpacks to nothing."""
    body, read = gzip.compress(json.dumps({"text": GOOD}).encode()), 0

    async def chunks():
        nonlocal read
        yield body if whole else body[:10]
        for _ in range(1_000):
            read += 1_000
            yield tail

    with pytest.raises(Refusal) as refused:
        asyncio.run(read_body(chunks(), {"content-encoding": "gzip"}, 4_096))
    assert refused.value.status in (400, 413)
    assert read <= 5_000


def test_times_in_the_log_are_those_of_rfc_3339(monkeypatch, capsys):
    from datetime import UTC, datetime

    from fuzzsmooth.apps.service import logs

    class Clock:
        @staticmethod
        def now(zone):
            return datetime(2026, 1, 2, 3, 4, 5, 999_700, tzinfo=zone)

    monkeypatch.setattr(logs, "datetime", Clock)
    logs.Log().event("x")
    told = json.loads(capsys.readouterr().err)["time"]
    assert told == "2026-01-02T03:04:05.999Z"
    assert datetime.fromisoformat(told).tzinfo == UTC

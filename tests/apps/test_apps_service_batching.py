"""Batches across requests: their order, their bounds, and what happens to texts that nobody waits for."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import pytest

from fuzzsmooth.apps.service import batching
from fuzzsmooth.apps.service.batching import Batch, Batcher, Job, Kind
from fuzzsmooth.apps.service.options import ServiceOptions
from fuzzsmooth.apps.service.refusal import Refusal
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.defenses import Answer


class Asked:
    """Answers with the length of a text; the first batch waits until it is let go."""

    def __init__(self) -> None:
        self.batches: list[tuple[Kind, list[str]]] = []
        self.told: list[Batch] = []
        self.go = threading.Event()
        self.begun = threading.Event()

    def __call__(self, kind: Kind, texts: Sequence[str]) -> list[Answer]:
        self.batches.append((kind, list(texts)))
        self.begun.set()
        self.go.wait(10)
        if "unanswerable" in texts:
            raise FuzzsmoothError("this text cannot be answered")
        if "fault" in texts:
            raise ZeroDivisionError
        return [
            Answer(label=len(text), label_name=text, status="answered", score=1.0, votes=(1,))
            for text in texts
        ]


@pytest.fixture
def asked():
    return Asked()


@pytest.fixture
def batcher(asked, request):
    options = {"linger": 20.0, "batch": 4, "certify_batch": 2, "queue": 10} | getattr(request, "param", {})
    made = Batcher(asked, ServiceOptions(**options), asked.told.append)
    made.start()
    yield made
    asked.go.set()
    made.stop()


def later(seconds: float = 10.0) -> float:
    return time.monotonic() + seconds


def busy(batcher: Batcher, asked: Asked) -> Job:
    """Give the thread something that takes until it is let go."""
    job = batcher.submit(["first"], "predict", later())
    assert asked.begun.wait(5)
    return job


def names(job: Job) -> list[str | None]:
    return [answer.label_name for answer in job.done.result(5)]


def test_requests_share_batches_and_get_their_own_answers(batcher, asked):
    first = busy(batcher, asked)
    jobs = [batcher.submit([f"{n}a", f"{n}b"], "predict", later()) for n in range(3)]
    asked.go.set()
    assert names(first) == ["first"]
    assert [names(job) for job in jobs] == [[f"{n}a", f"{n}b"] for n in range(3)]
    # Four at a time: the third request is in a batch of its own.
    assert [len(texts) for _, texts in asked.batches] == [1, 4, 2]
    assert [len(batch.answers) for batch in asked.told] == [1, 4, 2]


def test_texts_that_come_together_are_answered_together(batcher, asked):
    asked.go.set()
    threads = [
        threading.Thread(target=lambda n=n: names(batcher.submit([str(n)], "predict", later())))
        for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(asked.batches) < 4


@pytest.mark.parametrize("batcher", [{"linger": 0.0}], indirect=True)
def test_who_has_just_been_answered_is_waited_for(batcher, asked, monkeypatch):
    monkeypatch.setattr(batching, "_BACK", 1e9)
    monkeypatch.setattr(batching, "_BACK_MOST", 5.0)
    asked.go.set()
    names(batcher.submit(["first", "second"], "predict", later()))
    back = batcher.submit(["back"], "predict", later())
    time.sleep(0.05)
    begun = time.monotonic()
    both = batcher.submit(["back as well"], "predict", later())
    assert (names(back), names(both)) == (["back"], ["back as well"])
    assert time.monotonic() - begun < 2.5  # not a moment longer than until all are back
    assert asked.batches[-1] == ("predict", ["back", "back as well"])


@pytest.mark.parametrize("batcher", [{"linger": 0.0}], indirect=True)
def test_who_does_not_come_back_is_not_waited_for_long(batcher, asked, monkeypatch):
    monkeypatch.setattr(batching, "_BACK", 1e9)
    asked.go.set()
    names(batcher.submit(["first", "second"], "predict", later()))
    ended = time.monotonic()
    assert names(batcher.submit(["back"], "predict", later())) == ["back"]
    assert 0.9 * batching._BACK_MOST < time.monotonic() - ended < 5


def test_predictions_go_before_certificates(batcher, asked):
    busy(batcher, asked)
    certified = batcher.submit(["c1", "c2", "c3"], "certify", later())
    predicted = batcher.submit(["p1"], "predict", later())
    asked.go.set()
    assert names(certified) == ["c1", "c2", "c3"]
    assert names(predicted) == ["p1"]
    assert [kind for kind, _ in asked.batches] == ["predict", "predict", "certify", "certify"]


@pytest.mark.parametrize("batcher", [{"patience": 0.05}], indirect=True)
def test_a_certificate_that_has_waited_goes_first(batcher, asked):
    busy(batcher, asked)
    certified = batcher.submit(["c1"], "certify", later())
    time.sleep(0.1)
    predicted = batcher.submit(["p1"], "predict", later())
    asked.go.set()
    assert (names(certified), names(predicted)) == (["c1"], ["p1"])
    assert [kind for kind, _ in asked.batches] == ["predict", "certify", "predict"]


def test_a_full_queue_refuses_and_says_when_to_come_back(batcher, asked):
    busy(batcher, asked)
    batcher.submit(["x"] * 10, "predict", later())
    with pytest.raises(Refusal, match="queue is full") as caught:
        batcher.submit(["y"], "certify", later())
    assert (caught.value.status, int(caught.value.headers["Retry-After"]) >= 1) == (429, True)
    with pytest.raises(Refusal, match="at most 10") as caught:
        batcher.submit(["x"] * 11, "predict", later())
    assert caught.value.status == 413


def test_texts_that_nobody_waits_for_make_room_and_are_not_answered(batcher, asked):
    busy(batcher, asked)
    gone = batcher.submit(["gone"] * 5, "predict", later(0.01))
    hung_up = batcher.submit(["hung up"] * 5, "predict", later())
    hung_up.done.cancel()
    time.sleep(0.02)
    kept = batcher.submit(["kept"] * 4, "predict", later())
    asked.go.set()
    assert names(kept) == ["kept"] * 4
    assert not gone.done.done()
    assert [texts for _, texts in asked.batches] == [["first"], ["kept"] * 4]


def test_what_would_not_be_answered_in_time_is_refused_at_once(batcher, asked):
    asked.go.set()
    names(batcher.submit(["a"], "predict", later()))
    asked.go.clear()
    asked.begun.clear()
    asked.batches.clear()
    batcher._spent["predict"] = 3.0  # as measured on a slow model
    busy(batcher, asked)
    batcher.submit(["b"] * 3, "predict", later(60))
    with pytest.raises(Refusal, match="in time") as caught:
        batcher.submit(["c"], "predict", later(5))
    assert (caught.value.status, caught.value.headers["Retry-After"]) == (429, "12")


def test_the_time_of_a_text_follows_the_last_texts_and_can_be_forgotten(batcher, asked):
    batcher._spent["predict"] = 100.0
    busy(batcher, asked)
    jobs = [batcher.submit(["a"] * 4, "predict", later(10_000)) for _ in range(2)]
    asked.go.set()
    for job in jobs:
        names(job)
    assert batcher._spent["predict"] == pytest.approx(
        100 * 0.95**9, rel=0.01
    )  # of nine texts in three batches
    batcher.forget_times()
    assert batcher._ahead("predict") == 0


def test_one_bad_text_does_not_cost_the_others_their_answers(batcher, asked):
    busy(batcher, asked)
    good, bad, other = (
        batcher.submit([text], "predict", later()) for text in ("good", "unanswerable", "other")
    )
    asked.go.set()
    assert (names(good), names(other)) == (["good"], ["other"])
    with pytest.raises(Refusal, match="cannot be answered") as caught:
        bad.done.result(5)
    assert caught.value.status == 422


def test_a_fault_is_told_to_whom_it_concerns_and_the_thread_lives(batcher, asked):
    asked.go.set()
    with pytest.raises(ZeroDivisionError):
        batcher.submit(["fault"], "predict", later()).done.result(5)
    assert names(batcher.submit(["after"], "predict", later())) == ["after"]


def test_a_stop_refuses_what_waits(batcher, asked):
    first = busy(batcher, asked)
    waiting = batcher.submit(["waits"], "predict", later())
    threading.Timer(0.05, asked.go.set).start()
    batcher.stop()
    assert names(first) == ["first"]
    with pytest.raises(Refusal, match="stopping"):
        waiting.done.result(1)
    with pytest.raises(Refusal, match="stopping"):
        batcher.submit(["late"], "predict", later())

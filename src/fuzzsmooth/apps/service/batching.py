"""Dynamic batching: one thread answers the texts of all requests, predictions before certificates.

A batch holds texts of one kind. Answers do not depend on what else is in it: draws are addressed by text, and
the engine sees to the rounding. Predictions go first; a certificate that has waited for ``patience`` seconds
goes before them, so that a stream of predictions cannot starve it.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass, field
from typing import Literal

from fuzzsmooth.apps.service.options import ServiceOptions
from fuzzsmooth.apps.service.refusal import Refusal
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.defenses import Answer

Kind = Literal["predict", "certify"]
KINDS: tuple[Kind, ...] = ("predict", "certify")

Ask = Callable[[Kind, Sequence[str]], list[Answer]]
"""Answers texts; called by one thread only."""

_KEPT = 0.95  # of the running mean of the time of a text, after each text
_BACK = 0.05  # of the time of a batch, in which those who have just been answered may ask again
_BACK_MOST = 0.1  # seconds of that at most
_END = 10.0  # seconds that the batch in work has to end; the process does not wait for it any longer


@dataclass
class Job:
    """The texts of a request.

    Attributes:
        texts: They.
        kind: What is asked about them.
        deadline: When nobody waits for them any more, on the clock of :func:`time.monotonic`.
        done: Their answers, in order.
        queued: When they were taken on.
        started: When the first of them was answered; infinite before.
    """

    texts: tuple[str, ...]
    kind: Kind
    deadline: float
    done: Future[list[Answer]] = field(default_factory=Future)
    queued: float = field(default_factory=time.monotonic)
    started: float = math.inf
    _answers: dict[int, Answer] = field(default_factory=dict)

    def given_up(self, now: float) -> bool:
        """Whether nobody waits for it."""
        return self.done.done() or now >= self.deadline

    def take(self, index: int, answer: Answer) -> None:
        """Take an answer; the last one completes it."""
        self._answers[index] = answer
        if len(self._answers) == len(self.texts) and not self.done.done():
            _settle(self.done, [self._answers[place] for place in range(len(self.texts))])

    def fail(self, error: Exception) -> None:
        """End without answers."""
        _settle(self.done, error)


Place = tuple[Job, int]
"""A text of a job."""


@dataclass(frozen=True)
class Batch:
    """What is told of a finished batch.

    Attributes:
        kind: What was asked.
        answers: The answers there are.
        seconds: How long it took.
    """

    kind: Kind
    answers: tuple[Answer, ...]
    seconds: float


class Batcher:
    """Queues texts and answers them in a thread of its own.

    Args:
        ask: Answers texts.
        options: Sizes and times.
        told: Told of every batch.
        prepare: Called in the thread before anything is asked.
    """

    def __init__(
        self,
        ask: Ask,
        options: ServiceOptions,
        told: Callable[[Batch], None] = lambda _batch: None,
        prepare: Callable[[], None] = lambda: None,
    ) -> None:
        self._ask = ask
        self._options = options
        self._told = told
        self._prepare = prepare
        self._sizes: dict[Kind, int] = {"predict": options.batch, "certify": options.certify_batch}
        self._waiting: dict[Kind, deque[Place]] = {kind: deque() for kind in KINDS}
        self._spent: dict[Kind, float] = dict.fromkeys(KINDS, 0.0)  # seconds per text, lately
        self._running = 0.0  # seconds that the batch in work is expected to take
        self._back = 0  # predictions that wait once all who have just been answered have asked again
        self._due = 0.0  # until when that is waited for
        self._changed = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="fuzzsmooth-answers", daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """End after the batch in work; what waits is refused."""
        with self._changed:
            self._stopping = True
            for waiting in self._waiting.values():
                for job, _ in waiting:
                    job.fail(stopping())
                waiting.clear()
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(_END)

    def forget_times(self) -> None:
        """Judge the time of a text by the batches to come: the first ones also made what is made once."""
        with self._changed:
            self._spent = dict.fromkeys(KINDS, 0.0)

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def waiting(self, kind: Kind) -> int:
        """How many texts wait."""
        return len(self._waiting[kind])

    def submit(self, texts: Sequence[str], kind: Kind, deadline: float) -> Job:
        """Take on texts.

        Args:
            texts: At least one.
            kind: What is asked.
            deadline: See :class:`Job`.

        Raises:
            Refusal: If the queue is full, they would not be answered in time, or the service stops.
        """
        most = self._options.queue
        if len(texts) > most:
            raise Refusal(413, "texts", f"{len(texts)} texts in one request; send at most {most} at a time")
        job = Job(tuple(texts), kind, deadline)
        with self._changed:
            if self._stopping:
                raise stopping()
            if sum(map(len, self._waiting.values())) + len(texts) > most:
                self._clear_given_up()
            ahead = self._ahead(kind)
            if sum(map(len, self._waiting.values())) + len(texts) > most:
                raise _busy("the queue is full", ahead)
            if job.queued + ahead > deadline:
                raise _busy("more is waiting than can be answered in time", ahead)
            self._waiting[kind].extend((job, index) for index in range(len(texts)))
            self._changed.notify_all()
        return job

    def _ahead(self, kind: Kind) -> float:
        """Seconds until texts that come now are begun, judged by the last batches."""
        before = KINDS if kind == "certify" else ("predict",)
        return self._running + sum(self._spent[one] * len(self._waiting[one]) for one in before)

    def _clear_given_up(self) -> None:
        now = time.monotonic()
        for kind, waiting in self._waiting.items():
            self._waiting[kind] = deque(place for place in waiting if not place[0].given_up(now))

    def _run(self) -> None:
        self._prepare()
        while (batch := self._next()) is not None:
            kind, places = batch
            begun = time.monotonic()
            for job, _ in places:
                job.started = min(job.started, begun)
            answered = self._answered(kind, places)
            seconds = time.monotonic() - begun
            with self._changed:
                before = self._spent[kind]
                spent = seconds / len(places)
                kept = _KEPT ** len(places) if before else 0.0
                self._spent[kind] = kept * before + (1 - kept) * spent
                self._running = 0.0
                if kind == "predict":
                    self._expect_back(len(places))
            # Counted before anybody is answered: who then asks for the counts finds the own answer there.
            self._told(Batch(kind, tuple(answer for _, answer in answered), seconds))
            for (job, index), answer in answered:
                job.take(index, answer)

    def _next(self) -> tuple[Kind, list[Place]] | None:
        """The texts to be answered next; None at the end."""
        with self._changed:
            while not self._stopping:
                kind = self._turn()
                if kind == "predict":
                    self._linger()
                    kind = self._turn()
                places = [] if kind is None else self._taken(kind)
                if kind is not None and places:
                    self._running = self._spent[kind] * len(places)
                    return kind, places
                if kind is None:
                    self._changed.wait()
        return None

    def _turn(self) -> Kind | None:
        predictions, certificates = self._waiting["predict"], self._waiting["certify"]
        if not certificates:
            return "predict" if predictions else None
        old = time.monotonic() - certificates[0][0].queued >= self._options.patience
        return "certify" if old or not predictions else "predict"

    def _expect_back(self, answered: int) -> None:
        """Expect those who are answered now to ask again: a few of them are not begun without the others."""
        self._back = min(self._sizes["predict"], answered + len(self._waiting["predict"]))
        self._due = time.monotonic() + min(_BACK_MOST, _BACK * self._spent["predict"] * self._back)

    def _linger(self) -> None:
        """Wait until who was expected back is there and no more predictions come, or a batch is full."""
        while not self._stopping:
            there = len(self._waiting["predict"])
            if there >= self._sizes["predict"]:
                return
            back = self._due - time.monotonic() if there < self._back else 0.0
            self._changed.wait(max(self._options.linger / 1_000, back))
            if len(self._waiting["predict"]) == there:
                return

    def _taken(self, kind: Kind) -> list[Place]:
        places: list[Place] = []
        now = time.monotonic()
        waiting = self._waiting[kind]
        while waiting and len(places) < self._sizes[kind]:
            place = waiting.popleft()
            if not place[0].given_up(now):
                places.append(place)
        return places

    def _answered(self, kind: Kind, places: Sequence[Place]) -> list[tuple[Place, Answer]]:
        """Answer texts; where one of them is at fault, the others are answered without it."""
        texts = [job.texts[index] for job, index in places]
        try:
            answers = self._ask(kind, texts)
        except FuzzsmoothError as error:
            if len(places) > 1:
                return [pair for place in places for pair in self._answered(kind, [place])]
            places[0][0].fail(Refusal(422, "unanswerable", str(error)))
            return []
        except Exception as error:  # noqa: BLE001 - the thread must live; the requests tell what happened
            for job, _ in places:
                job.fail(error)
            return []
        return list(zip(places, answers, strict=True))


def stopping() -> Refusal:
    """The service stops."""
    return Refusal(503, "stopping", "the service is stopping; ask another instance", retry_after=1)


def _busy(why: str, ahead: float) -> Refusal:
    seconds = max(1, math.ceil(ahead))
    return Refusal(429, "busy", f"{why}; try again in {seconds} s", retry_after=seconds)


def _settle(future: Future[list[Answer]], result: list[Answer] | Exception) -> None:
    """Complete a future, unless whoever waited has just gone."""
    try:
        if isinstance(result, Exception):
            future.set_exception(result)
        else:
            future.set_result(result)
    except InvalidStateError:
        return

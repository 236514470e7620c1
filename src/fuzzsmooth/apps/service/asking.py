"""What protocols ask: a defended model with its queue, and what is known of both."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from fuzzsmooth.apps.service.admission import Tokens, check_texts
from fuzzsmooth.apps.service.batching import Batch, Batcher, Kind
from fuzzsmooth.apps.service.metrics import Metrics
from fuzzsmooth.apps.service.options import ServiceOptions
from fuzzsmooth.apps.service.refusal import Refusal
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.defenses import Answer
from fuzzsmooth.jobs.loading import Defended

_WARM_UP = "a good film"  # any text: what is made once is made before users wait for it
_WARM_UP_SECONDS = 3_600.0


@dataclass
class Trace:
    """What is told of a request in logs, metrics and traces.

    Attributes:
        begun: When it came in, on the clock of :func:`time.monotonic`.
        texts: Its texts.
        kind: What was asked; empty while nothing was.
        queued: Seconds that its first text waited.
        answered: Seconds from there to its last answer.
        answers: They.
    """

    begun: float = field(default_factory=time.monotonic)
    texts: Sequence[str] = ()
    kind: Kind | str = ""
    queued: float = 0.0
    answered: float = 0.0
    answers: Sequence[Answer] = ()


class Service:
    """A defended model that is asked by many at once.

    Args:
        defended: The model.
        options: Limits.
        tokens: Who may ask.
        prepare: Called in the thread that answers before it does: PyTorch counts its threads for each.

    Attributes:
        name: The model's name.
        version: Of the model: a digest of all that decides its answers.
        labels: Class names.
        certifies: Whether there are certificates.
        metrics: What is counted.
        ready: Whether a warm-up was answered, and the service does not stop.
    """

    def __init__(
        self,
        defended: Defended,
        options: ServiceOptions,
        tokens: Tokens | None = None,
        prepare: Callable[[], None] = lambda: None,
    ) -> None:
        self.options = options
        self.name = options.name
        self.labels = defended.defense.labels
        self.defense = defended.defense
        self.certifies = defended.defense.guarantee != "empirical"
        settings = json.dumps(defended.settings, sort_keys=True, ensure_ascii=False, default=str)
        self.version = hashlib.sha256(settings.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        self.tokens = tokens or Tokens()
        self.batcher = Batcher(self._asked, options, self._told, prepare)
        self.metrics = Metrics(self.labels, self.batcher.waiting)
        self._warm = False
        self._stopping = False

    @property
    def ready(self) -> bool:
        """See the class."""
        return self._warm and not self._stopping

    @property
    def alive(self) -> bool:
        """Whether it can still answer, or will at least; a supervisor starts it anew where it cannot."""
        return self.batcher.alive

    def start(self) -> None:
        """Begin to answer, the warm-up first."""
        self.batcher.start()

    async def warm_up(self) -> None:
        """Answer a text in every way that there is, so that nobody waits for what is made once.

        Raises:
            FuzzsmoothError: If the model cannot answer.
        """
        deadline = time.monotonic() + _WARM_UP_SECONDS
        # Predictions last: of what both make, such as noisy copies, memory keeps what was made last.
        kinds: tuple[Kind, ...] = ("certify", "predict") if self.certifies else ("predict",)
        for kind in kinds:
            try:
                await asyncio.wrap_future(self.batcher.submit([_WARM_UP], kind, deadline).done)
            except Refusal as refusal:
                raise FuzzsmoothError(refusal.sentence) from refusal
        self.batcher.forget_times()
        self._warm = True

    def drain(self) -> None:
        """Take on nothing more; what was taken on is answered."""
        self._stopping = True

    async def ask(self, texts: Sequence[str], *, certify: bool, trace: Trace) -> list[Answer]:
        """Answer texts.

        Args:
            texts: As received.
            certify: Whether certificates are wanted; an empirical defense gives none.
            trace: Takes what is to be told.

        Raises:
            Refusal: If they are too many, too long, cannot be answered, or not in time.
        """
        trace.texts, trace.kind = texts, "certify" if certify else "predict"
        check_texts(texts, self.options.max_text)
        if self._stopping or not self._warm:
            raise Refusal(503, "unready", "the service is starting or stopping; try again", retry_after=1)
        if not texts:
            return []
        deadline = trace.begun + self.options.timeout
        job = self.batcher.submit(texts, "certify" if certify else "predict", deadline)
        try:
            answers = await asyncio.wait_for(asyncio.wrap_future(job.done), deadline - time.monotonic())
        except TimeoutError:
            raise late(self.options.timeout) from None
        finally:
            now = time.monotonic()
            trace.queued = min(job.started, now) - job.queued
            trace.answered = max(0.0, now - job.started)
        trace.answers = answers
        return answers

    def _asked(self, kind: Kind, texts: Sequence[str]) -> list[Answer]:
        if kind == "certify":
            return self.defense.certify(texts)
        if not self._warm:
            self.defense.warm_up(_WARM_UP)
        return self.defense.predict(texts)

    def _told(self, batch: Batch) -> None:
        if self._warm:
            self.metrics.batch(batch)


def late(seconds: float) -> Refusal:
    """A request took too long."""
    sentence = f"not answered within {seconds:g} s; send fewer or shorter texts, or try later"
    return Refusal(504, "late", sentence)

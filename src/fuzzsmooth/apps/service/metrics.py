"""What is counted, for Prometheus.

Shares of flagged and undecided texts, and the entropy of the votes, are what tells drift: texts that the
defense finds suspicious, or is less sure of, than it was.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from fuzzsmooth.apps.service.batching import KINDS, Batch, Kind
from fuzzsmooth.common.version import VERSION
from fuzzsmooth.defenses import Answer

_LATELY = 1_000  # texts that the shares are about
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
_TENTHS = tuple(step / 10 for step in range(1, 11))

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""Of the page."""


class Metrics:
    """The metrics of one service.

    Args:
        labels: Class names.
        waiting: How many texts of a kind wait.
    """

    def __init__(self, labels: Sequence[str], waiting: Callable[[Kind], int]) -> None:
        registry = self._registry = CollectorRegistry()
        self._classes = len(labels)
        self._flags: deque[bool] = deque(maxlen=_LATELY)
        self._abstentions: deque[bool] = deque(maxlen=_LATELY)
        self._requests = Counter(
            "fuzzsmooth_requests",
            "Requests by protocol and status.",
            ["protocol", "status"],
            registry=registry,
        )
        self._refused = Counter(
            "fuzzsmooth_refused_requests", "Requests refused, by reason.", ["reason"], registry=registry
        )
        self._stages = Histogram(
            "fuzzsmooth_stage_seconds",
            "Seconds of a request: waiting, being answered, and in all.",
            ["stage", "kind"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._texts = Counter(
            "fuzzsmooth_texts", "Texts answered, by kind and status.", ["kind", "status"], registry=registry
        )
        self._passes = Counter(
            "fuzzsmooth_passes", "Answers of the base model, searches included.", ["kind"], registry=registry
        )
        self._flagged = Counter(
            "fuzzsmooth_flagged_texts", "Texts with a flagged span.", ["kind"], registry=registry
        )
        self._entropy = Histogram(
            "fuzzsmooth_vote_entropy",
            "Entropy of the votes on a text, 0 where all agree, 1 where all classes have as many.",
            buckets=_TENTHS,
            registry=registry,
        )
        self._batches = Histogram(
            "fuzzsmooth_batch_texts", "Texts of a batch.", ["kind"], buckets=_SIZES, registry=registry
        )
        lately = f"Share among the last {_LATELY:,} texts"
        for name, about, shares in (
            ("flagged", "with a flagged span", self._flags),
            ("abstained", "without a label", self._abstentions),
        ):
            gauge = Gauge(f"fuzzsmooth_share_{name}", f"{lately} {about}.", registry=registry)
            gauge.set_function(partial(_mean, shares))
        queued = Gauge("fuzzsmooth_waiting_texts", "Texts that wait.", ["kind"], registry=registry)
        for kind in KINDS:
            queued.labels(kind).set_function(partial(waiting, kind))
        Gauge("fuzzsmooth_info", "The version.", ["version"], registry=registry).labels(VERSION).set(1)

    def batch(self, batch: Batch) -> None:
        """Count the answers of a batch."""
        self._batches.labels(batch.kind).observe(len(batch.answers))
        for answer in batch.answers:
            self._texts.labels(batch.kind, answer.status).inc()
            self._passes.labels(batch.kind).inc(answer.passes + answer.evaluations)
            if answer.spans:
                self._flagged.labels(batch.kind).inc()
            self._flags.append(bool(answer.spans))
            self._abstentions.append(answer.label is None)
            if sum(answer.votes):
                self._entropy.observe(self._surprise(answer))

    def request(
        self, protocol: str, status: int, *, kind: str, total: float, queued: float, answered: float
    ) -> None:
        """Count a request.

        Args:
            protocol: Its name.
            status: HTTP status.
            kind: What was asked; empty if it came not so far.
            total: Seconds in all; the others are parts of them.
            queued: Seconds that it waited.
            answered: Seconds that it was answered in.
        """
        self._requests.labels(protocol, str(status)).inc()
        if kind and status < 400:
            for stage, seconds in (("queue", queued), ("answer", answered), ("total", total)):
                self._stages.labels(stage, kind).observe(seconds)

    def refused(self, reason: str) -> None:
        """Count a refusal."""
        self._refused.labels(reason).inc()

    def page(self) -> bytes:
        """All of it, as Prometheus reads it."""
        return generate_latest(self._registry)

    def _surprise(self, answer: Answer) -> float:
        cast = sum(answer.votes)
        shares = [votes / cast for votes in answer.votes if votes]
        return -sum(share * math.log(share) for share in shares) / math.log(max(2, self._classes))


def _mean(shares: deque[bool]) -> float:
    return sum(shares) / len(shares) if shares else 0.0

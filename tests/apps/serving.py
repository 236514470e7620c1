"""Services for tests: one in a thread of this process, around a model that answers at once; its clients."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the service needs the extra 'serve'")
pytest.importorskip("httpx", reason="its tests need the extra 'dev'")

import httpx

from fuzzsmooth.apps.service.admission import Tokens
from fuzzsmooth.apps.service.asking import Service
from fuzzsmooth.apps.service.http import application
from fuzzsmooth.apps.service.logs import Log
from fuzzsmooth.apps.service.options import ServiceOptions
from fuzzsmooth.apps.service.server import server
from fuzzsmooth.apps.service.tracing import Tracer
from fuzzsmooth.common.listening import bound
from fuzzsmooth.defenses import DEFENSES, Answer
from fuzzsmooth.jobs.loading import Defended
from fuzzsmooth.models.stubs import AdditiveClassifier

WEIGHTS = {"good": 2.0, "fine": 1.0, "dull": -1.5, "bad": -2.0, "cf": 9.0}
TOKEN = "correct-horse-battery"


class KeptLog(Log):
    """Keeps its events."""

    def __init__(self, *, texts: bool = False) -> None:
        super().__init__(texts=texts)
        self.events: list[dict[str, Any]] = []

    def event(self, event: str, **fields: Any) -> None:
        self.events.append({"event": event, **fields})


@dataclass
class Running:
    """A service that runs.

    Attributes:
        service: It.
        log: What it told.
        url: Where it listens.
        client: Asks it.
    """

    service: Service
    log: KeptLog
    url: str
    client: httpx.Client

    def post(self, path: str, body: Any, **headers: str) -> httpx.Response:
        return self.client.post(path, json=body, headers=headers)

    def metric(self, line: str) -> float:
        """The value of a line of the metrics; 0 where it is absent."""
        page = self.client.get("/metrics").text.splitlines()
        return next((float(one.rpartition(" ")[2]) for one in page if one.rpartition(" ")[0] == line), 0.0)


@dataclass
class Slow:
    """A defense that waits, and keeps the batches that it was asked about."""

    inner: Any
    seconds: float = 0.0
    gate: threading.Event | None = None
    batches: list[tuple[str, list[str]]] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def predict(self, texts: Sequence[str]) -> list[Answer]:
        return self._asked("predict", texts)

    def certify(self, texts: Sequence[str]) -> list[Answer]:
        return self._asked("certify", texts)

    def _asked(self, kind: str, texts: Sequence[str]) -> list[Answer]:
        self.batches.append((kind, list(texts)))
        if self.gate is not None:
            self.gate.wait(20)
        time.sleep(self.seconds)
        answers: list[Answer] = getattr(self.inner, kind)(texts)
        return answers


def defended(defense: str = "deletion", **options: Any) -> Defended:
    """A model of a few words, defended."""
    model = AdditiveClassifier(WEIGHTS)
    kind = DEFENSES.get(defense)
    given = {"fuzzing": False, "draws": 200, "rate": 0.3} | options if defense == "deletion" else options
    inner = kind(model, kind.options_type.from_mapping(given))
    return Defended(inner, model, {"model": model.fingerprint, **inner.settings})  # type: ignore[arg-type]


@contextmanager
def running(
    about: Defended | None = None,
    *,
    tokens: Sequence[str] = (),
    texts: bool = False,
    provider: Any = None,
    around: Callable[[Any], Any] = lambda inner: inner,
    **options: Any,
) -> Iterator[Running]:
    """Run a service, warm, in a thread.

    Args:
        about: What is served.
        tokens: Who may ask.
        texts: Whether texts are logged.
        provider: Of traces.
        around: Wraps the defense once it is warm.
        **options: Of the service.
    """
    options = {"linger": 1.0, **options}
    service = Service(about or defended(), ServiceOptions(port=0, **options), Tokens(tokens))
    log = KeptLog(texts=texts)
    listener = bound("127.0.0.1", 0)
    serving = server(application(service, log, Tracer(provider)), service, log, None)

    async def serve() -> None:
        service.start()
        listener.listen(256)
        await service.warm_up()
        service.defense = around(service.defense)
        await serving.serve([listener])

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    try:
        for _ in range(2_000):
            if serving.started:
                break
            time.sleep(0.005)
        assert serving.started
        headers = {"Authorization": f"Bearer {tokens[0]}"} if tokens else {}
        with httpx.Client(base_url=url, headers=headers, timeout=30) as client:
            yield Running(service, log, url, client)
    finally:
        serving.should_exit = True
        thread.join(20)
        service.batcher.stop()
    assert not thread.is_alive()

"""The HTTP server under the service: uvicorn, with its signals and its logs as ours are."""

from __future__ import annotations

import logging
import math
import signal
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import uvicorn
from fastapi import FastAPI

from fuzzsmooth.apps.service.asking import Service
from fuzzsmooth.apps.service.batching import KINDS
from fuzzsmooth.apps.service.logs import Log
from fuzzsmooth.common.listening import stopped_by

_IDLE = 30  # seconds that a connection may be silent between requests


class Serving(uvicorn.Server):
    """A server that drains when it is told to stop, and then returns.

    Args:
        config: Of uvicorn.
        service: What it serves.
        log: Where it tells of the stop.

    Attributes:
        interrupted: Whether it was stopped with Ctrl-C.
    """

    def __init__(self, config: uvicorn.Config, service: Service, log: Log) -> None:
        super().__init__(config)
        self._service = service
        self._log = log
        self.interrupted = False

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Within, SIGTERM and Ctrl-C stop the server; they are not raised again at its end."""
        with stopped_by(self.handle_exit):
            yield

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Drain; a second Ctrl-C waits for nothing."""
        del frame
        self.interrupted |= sig == signal.SIGINT
        if self.should_exit:
            self.force_exit = True
        else:
            self._log.event("stopping", waiting=sum(map(self._service.batcher.waiting, KINDS)))
        self._service.drain()
        self.should_exit = True


def server(app: FastAPI, service: Service, log: Log, tls: ssl.SSLContext | None) -> Serving:
    """A server of an application.

    Args:
        app: The application.
        service: What it serves.
        log: Where the server's own troubles are told.
        tls: For HTTPS; None for HTTP.
    """
    options = service.options
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        limit_concurrency=options.connections,
        timeout_keep_alive=_IDLE,
        timeout_graceful_shutdown=math.ceil(options.grace),
    )
    config.load()
    config.ssl = tls  # made by us, so that its faults are sentences
    logger = logging.getLogger("uvicorn.error")
    logger.handlers, logger.propagate = [_Told(log)], False
    logger.setLevel(logging.WARNING)
    return Serving(config, service, log)


class _Told(logging.Handler):
    """Tells a library's troubles as events."""

    def __init__(self, log: Log) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        self._log.event("server", level=record.levelname.lower(), message=record.getMessage())

"""From an order to a service that listens, and to its end.

The port is taken before the model is loaded, so that a mistake is told at once; requests are let in when the
model is there, and the service is ready when it has answered a warm-up. SIGTERM and Ctrl-C stop it: nothing
more is taken on, what was is answered within ``grace`` seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from fuzzsmooth.apps.service.options import ServiceOptions
from fuzzsmooth.common.credentials import check_private
from fuzzsmooth.common.errors import FuzzsmoothError, MissingExtraError
from fuzzsmooth.common.listening import bound, is_local, unbound
from fuzzsmooth.common.options import require

if TYPE_CHECKING:
    from fuzzsmooth.apps.service.asking import Service
    from fuzzsmooth.apps.service.logs import Log
    from fuzzsmooth.apps.service.server import Serving
    from fuzzsmooth.apps.service.tracing import Tracer
    from fuzzsmooth.jobs.loading import Asked, Defended

_BACKLOG = 2_048


def check_installed() -> None:
    """Refuse, before anything is done, to serve without the packages of the extra.

    Raises:
        MissingExtraError: Naming the first that is missing.
    """
    for package in ("fastapi", "uvicorn", "prometheus_client"):
        try:
            __import__(package)
        except ImportError as error:
            raise MissingExtraError(package.replace("_", "-"), "serve", "fuzzsmooth serve") from error


def serve(
    asked: Asked,
    options: ServiceOptions,
    load: Callable[[Asked], Defended],
    tell: Callable[[str], None],
) -> None:
    """Serve a defended model until the process is told to stop.

    Args:
        asked: What is served.
        options: How.
        load: Loads it.
        tell: Told where it listens, and what is to be known.

    Raises:
        FuzzsmoothError: If the port is taken, a file of tokens or certificates is bad, or the model cannot be
            loaded or answer.
        KeyboardInterrupt: When it was stopped with Ctrl-C, at its end.
    """
    check_installed()
    from fuzzsmooth.apps.service.admission import Tokens
    from fuzzsmooth.apps.service.asking import Service
    from fuzzsmooth.apps.service.tracing import Tracer

    tokens = Tokens() if options.token_file is None else Tokens.of_file(options.token_file)
    tls = tls_context(options)
    tracer = Tracer.of_environment() if options.traces else Tracer(None)
    with contextlib.closing(bound(options.host, options.port)) as listener:
        if not tokens and not is_local(listener.getsockname()[0]):
            tell("anybody who reaches this address may ask; give --token-file to let in only some")
        service = Service(load(asked), options, tokens, asked.loading.prepare)
        address, port = listener.getsockname()[:2]
        shown = f"[{address}]" if ":" in address else address
        try:
            listener.listen(_BACKLOG)
        except OSError as error:  # another one has come here while the model was loaded
            raise unbound(options.host, options.port, error) from error
        tell(f"serving '{service.name}' at {'http' if tls is None else 'https'}://{shown}:{port}")
        asyncio.run(_until_stopped(service, listener, tls, tracer))


async def _until_stopped(
    service: Service, listener: socket.socket, tls: ssl.SSLContext | None, tracer: Tracer
) -> None:
    from fuzzsmooth.apps.service.http import application
    from fuzzsmooth.apps.service.logs import Log
    from fuzzsmooth.apps.service.server import server

    log = Log(texts=service.options.log_texts)
    serving = server(application(service, log, tracer), service, log, tls)
    service.start()
    warming = asyncio.create_task(_warmed(service, serving, log, listener.getsockname()))
    try:
        await serving.serve([listener])
    finally:
        warming.cancel()
        service.batcher.stop()
        tracer.close()
        log.event("stopped")
    if serving.interrupted:
        raise KeyboardInterrupt
    if warming.done() and not warming.cancelled():
        warming.result()


async def _warmed(service: Service, serving: Serving, log: Log, address: tuple[str, int]) -> None:
    """Warm up, or end the service if that fails."""
    try:
        await service.warm_up()
    except BaseException:
        serving.should_exit = True
        raise
    log.event("ready", address=address[0], port=address[1], model=service.name, version=service.version)


def tls_context(options: ServiceOptions) -> ssl.SSLContext | None:
    """What HTTPS needs; None for HTTP.

    Raises:
        FuzzsmoothError: If certificate or key are missing, damaged, or do not belong together, or others can
            read the key.
    """
    if options.tls_certificate is None or options.tls_key is None:
        return None
    certificate, key = Path(options.tls_certificate), Path(options.tls_key)
    require(certificate.is_file(), f"there is no file {certificate}; give a certificate chain in PEM")
    check_private(key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key, password=_no_password)
    except (ssl.SSLError, OSError, ValueError) as error:
        raise FuzzsmoothError(
            f"{certificate} and {key} are no certificate in PEM with its key, without a password "
            f"({getattr(error, 'reason', None) or error}); give others"
        ) from error
    return context


def _no_password() -> str:
    raise ValueError("the key has a password")

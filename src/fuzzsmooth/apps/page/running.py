"""From an order to a page that listens, and to its end."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import tempfile
from collections.abc import Callable, Iterator, MutableMapping
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from fuzzsmooth.apps.page.options import PageOptions
from fuzzsmooth.common.credentials import is_token, read_tokens
from fuzzsmooth.common.errors import FuzzsmoothError, MissingExtraError
from fuzzsmooth.common.listening import bound, is_local, stopped_by, unbound

if TYPE_CHECKING:
    from fastapi import FastAPI

    from fuzzsmooth.jobs.loading import Asked, Defended

_BACKLOG = 128
_MARGIN = 2**20  # bytes of a request beside what is uploaded, or around a text
_LOCAL = ["localhost", "127.0.0.1", "[::1]", "::1"]
# Whatever a text or a name may slip in, the browser asks nobody but this address. Gradio compiles templates
# and writes its configuration into the page, which is why scripts of the page itself are let run.
_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; media-src 'self' blob:; worker-src 'self' blob:; "
    "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)
_HEADERS = {
    "content-security-policy": _POLICY,
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
# Nothing is told to anybody, whatever the caller's environment says.
_SILENT = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "GRADIO_RUN_HISTORY": "False",
    "GRADIO_SHARE": "False",
    "GRADIO_MCP_SERVER": "False",
    "GRADIO_SSR_MODE": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
}


def check_installed() -> None:
    """Refuse, before anything is done, to show a page without the package of the extra.

    Raises:
        MissingExtraError: If Gradio is not installed, or is one before 6.
    """
    from importlib.metadata import PackageNotFoundError, version

    try:
        installed = version("gradio")
    except PackageNotFoundError as error:
        raise MissingExtraError("gradio", "ui", "fuzzsmooth ui") from error
    if not installed.partition(".")[0].isdecimal() or int(installed.partition(".")[0]) < 6:
        raise MissingExtraError(f"gradio 6 (there is {installed})", "ui", "fuzzsmooth ui")


def show(
    asked: Asked,
    options: PageOptions,
    load: Callable[[Asked], Defended],
    tell: Callable[[str], None],
    *,
    audit: Path | None = None,
) -> None:
    """Show the page of a defended model until the process is told to stop.

    Args:
        asked: The model and its defense.
        options: How the page listens, and what it takes.
        load: Loads it.
        tell: Told where the page is, and what is to be known.
        audit: Folder of an audit.

    Raises:
        FuzzsmoothError: If the port is taken, others reach it and there is no token, the audit is damaged, or
            the model cannot be loaded or answer.
        KeyboardInterrupt: When it was stopped with Ctrl-C, at its end.
    """
    check_installed()
    from fuzzsmooth.apps.page.audit import read_audit

    tokens = [] if options.token_file is None else read_tokens(Path(options.token_file))
    report = None if audit is None else read_audit(audit)
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(contextlib.closing(bound(options.host, options.port)))
        address, port = listener.getsockname()[:2]
        if not tokens and not is_local(address):
            raise FuzzsmoothError(
                f"others reach {options.host}, and the page would answer anybody; give --token-file, or "
                "leave out --host"
            )
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fuzzsmooth-ui-")))
        stack.enter_context(environment({**_SILENT, "GRADIO_TEMP_DIR": str(folder)}))
        from fuzzsmooth.apps.page.asking import Desk
        from fuzzsmooth.apps.page.blocks import layout
        from fuzzsmooth.apps.page.triggers import Insertions

        desk = Desk(load(asked), options.max_text, asked.loading.prepare)
        stack.callback(desk.close)
        desk.warm_up()
        insertions = Insertions.found(asked.model, report)
        blocks = layout(desk, asked.model, options, insertions, folder, report, tell)
        try:
            listener.listen(_BACKLOG)
        except OSError as error:  # another one has come here while the model was loaded
            raise unbound(options.host, options.port, error) from error
        app = application(
            blocks, tokens, local=is_local(address), most=max(options.max_file * 1024, 6 * options.max_text)
        )
        shown = f"[{address}]" if ":" in address else address
        tell(f"the page is at http://{shown}:{port}; Ctrl-C ends it")
        serve(app, listener)


@contextlib.contextmanager
def environment(values: dict[str, str]) -> Iterator[None]:
    """Within, variables of the environment are as given: Gradio reads them from there."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def application(blocks: Any, tokens: list[str], *, local: bool, most: int) -> FastAPI:
    """The page as an application.

    Args:
        blocks: Its layout.
        tokens: Passwords; anybody is let in if there are none.
        local: Whether only this machine reaches it; then it answers to local names alone, so that no page of
            a stranger can ask it under a name of theirs.
        most: Bytes of an upload, or of a text, at most.
    """
    import gradio as gr
    from fastapi import FastAPI
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    from fuzzsmooth.apps.page.blocks import style, theme

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    # Gradio checks that a file was uploaded by who asks for it, but not in a page that it has not launched
    # itself: any file that this user can read would be answered, and handed out.
    blocks.has_launched = True
    gr.mount_gradio_app(
        app,
        blocks,
        path="/",
        server_name="127.0.0.1",
        app_kwargs={"docs_url": None, "redoc_url": None, "openapi_url": None},
        footer_links=[],
        run_history=False,
        ssr_mode=False,
        mcp_server=False,
        enable_monitoring=False,
        pwa=False,
        show_error=True,
        max_file_size=most,
        auth=(lambda _user, password: is_token(password, tokens)) if tokens else None,
        auth_message="Any user name; the password is a token of --token-file." if tokens else None,
        theme=theme(),
        css=style(),
    )
    app.add_middleware(_Guard, most=2 * most + _MARGIN)
    if local:
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=_LOCAL, www_redirect=False)
    return app


class _Guard:
    """Refuses what is too large before it is read, and adds our headers to every response, as it streams.

    Args:
        app: What answers.
        most: Bytes of a body at most.
    """

    def __init__(self, app: Any, most: int) -> None:
        self._app = app
        self._most = most

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        """As ASGI asks it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def sent(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                ours = [(name.encode(), value.encode()) for name, value in _HEADERS.items()]
                theirs = [pair for pair in message["headers"] if pair[0].decode().lower() not in _HEADERS]
                message = {**message, "headers": [*theirs, *ours]}
            await send(message)

        given = dict(scope["headers"])
        size = given.get(b"content-length", b"0")
        status = 413 if not size.isdigit() or int(size[:20]) > self._most else 200
        if b"transfer-encoding" in given:  # browsers tell the length of what they send
            status = 411
        if status != 200:
            await sent({"type": "http.response.start", "status": status, "headers": []})
            await sent({"type": "http.response.body", "body": b""})
            return
        await self._app(scope, receive, sent)


def serve(app: FastAPI, listener: socket.socket) -> None:
    """Serve until SIGTERM or Ctrl-C; whoever waits for an answer then is not waited for.

    Raises:
        KeyboardInterrupt: After Ctrl-C.
    """
    import uvicorn

    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    config = uvicorn.Config(
        app, log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=1
    )

    class Serving(uvicorn.Server):
        """Returns when it is told to stop, so that what it has written is cleared away."""

        interrupted = False

        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            with stopped_by(self.handle_exit):
                yield

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            del frame
            self.interrupted |= sig == signal.SIGINT
            self.force_exit, self.should_exit = self.should_exit, True

    serving = Serving(config)
    serving.run(sockets=[listener])
    if serving.interrupted:
        raise KeyboardInterrupt

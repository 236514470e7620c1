"""A small server with an OpenAI-compatible interface on this machine, which can be told to misbehave."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Reply = tuple[int, dict[str, str], bytes] | dict[str, Any] | None
"""Status, headers and body; an object that is answered as JSON; or None, which closes the connection."""


def asked_text(content: dict[str, Any]) -> str:
    """What a request asks."""
    return content["prompt"] if "prompt" in content else content["messages"][-1]["content"]


def chat(text: str, logprobs: dict[str, float] | None = None) -> dict[str, Any]:
    """A chat completion."""
    choice: dict[str, Any] = {"index": 0, "message": {"role": "assistant", "content": text}}
    if logprobs is not None:
        alternatives = [{"token": token, "logprob": value} for token, value in logprobs.items()]
        choice["logprobs"] = {"content": [{"token": text, "logprob": -0.1, "top_logprobs": alternatives}]}
    return {"choices": [choice], "usage": {"prompt_tokens": 10, "completion_tokens": 1}}


def completion(text: str, logprobs: dict[str, float] | None = None) -> dict[str, Any]:
    """A completion of the older route."""
    choice: dict[str, Any] = {"index": 0, "text": text}
    if logprobs is not None:
        choice["logprobs"] = {"top_logprobs": [logprobs]}
    return {"choices": [choice], "usage": {"prompt_tokens": 10, "completion_tokens": 1}}


def error(status: int, message: str, code: str = "", **headers: str) -> Reply:
    """A refusal as servers write it."""
    body = {"error": {"message": message, "code": code}}
    return (
        status,
        {name.replace("_", "-"): value for name, value in headers.items()},
        json.dumps(body).encode(),
    )


class Server:
    """What was asked, and how it is answered.

    Args:
        reply: From (route, content, number of the request) to the answer.
    """

    def __init__(self, reply: Callable[[str, dict[str, Any], int], Reply]) -> None:
        self.reply = reply
        self.asked: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.under_way = self.most = 0
        self.delay = 0.0
        self.lock = threading.Lock()
        self.url = ""

    @property
    def texts(self) -> list[str]:
        return [asked_text(one) for one in self.asked]


@contextmanager
def serving(reply: Callable[[str, dict[str, Any], int], Reply]) -> Iterator[Server]:
    """A server that runs until the block ends."""
    state = Server(reply)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            content = json.loads(self.rfile.read(int(self.headers["content-length"])))
            with state.lock:
                number = len(state.asked)
                state.asked.append(content)
                state.headers.append({name.lower(): value for name, value in self.headers.items()})
                state.under_way += 1
                state.most = max(state.most, state.under_way)
            try:
                time.sleep(state.delay)
                found = state.reply(self.path.removeprefix("/v1/"), content, number)
                if found is None:
                    self.close_connection = True
                    return
                if isinstance(found, dict):
                    found = (200, {}, json.dumps(found).encode())
                status, headers, body = found
                self.send_response(status)
                for name, value in {"content-length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)
            except (BrokenPipeError, ConnectionResetError):
                pass
            finally:
                with state.lock:
                    state.under_way -= 1

        def log_message(self, *_: Any) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, *_: Any) -> None:
            """A client that hangs up is what is tested."""

    server = Quiet(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_port}/v1"
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()

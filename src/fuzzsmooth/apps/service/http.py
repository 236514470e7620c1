"""Protocols on HTTP: what all routes share is done here, once.

A request is let in, its body read within its limits and its time, answered, counted and logged; whatever goes
wrong is a status and a sentence in the protocol's form.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from fuzzsmooth.apps.service.admission import read_body
from fuzzsmooth.apps.service.asking import Service, Trace, late
from fuzzsmooth.apps.service.logs import Log
from fuzzsmooth.apps.service.protocols.protocol import PROTOCOLS, Call, Protocol, Reply, Route
from fuzzsmooth.apps.service.refusal import Refusal
from fuzzsmooth.apps.service.tracing import Tracer
from fuzzsmooth.common.version import VERSION

_ID = "x-request-id"
_PLAIN_ID = re.compile(r"[\w.:/+=-]{1,128}", re.ASCII)
_GONE = 499  # as others log a client that has hung up
_REFUSED = {
    400: "The request cannot be understood",
    401: "No valid token",
    404: "No such model",
    413: "Too large, too long, or too many texts",
    415: "A body of another type or packing",
    422: "Not supported here",
    429: "Too much is waiting; see Retry-After",
    500: "A fault of ours",
    503: "Not ready, or stopping",
    504: "Not answered in time",
}


def application(service: Service, log: Log, tracer: Tracer | None = None) -> FastAPI:
    """The application of a service, with the routes of all protocols.

    Args:
        service: What answers.
        log: Where requests are told.
        tracer: Makes traces; none without.
    """
    app = FastAPI(
        title="fuzzsmooth",
        version=VERSION,
        summary="A model defended against textual backdoors.",
        docs_url=None,  # these pages load scripts from elsewhere
        redoc_url=None,
        openapi_url="/openapi.json",
    )
    made = _Front(service, log, tracer or Tracer(None))
    for kind in PROTOCOLS.all().values():
        protocol = kind(service)
        for route in protocol.routes():
            app.add_api_route(
                route.path,
                made.endpoint(protocol, route),
                methods=[route.method],
                name=f"{protocol.name} {route.method} {route.path}",
                operation_id=re.sub(r"\W+", "_", f"{route.method}{route.path}").strip("_").lower(),
                summary=route.summary,
                description=route.answer.__doc__ or "",
                tags=[protocol.name],
                response_class=Response,
                responses=_responses(route, tokens=bool(service.tokens)),
                openapi_extra=_openapi(route, service),
            )
    app.add_exception_handler(HTTPException, made.unknown)  # type: ignore[arg-type]  # of this kind only
    return app


class _Front:
    """What stands before every route."""

    def __init__(self, service: Service, log: Log, tracer: Tracer) -> None:
        self._service = service
        self._log = log
        self._tracer = tracer

    def endpoint(self, protocol: Protocol, route: Route) -> Callable[[Request], Awaitable[Response]]:
        """A route as FastAPI calls it."""

        async def answer(request: Request) -> Response:
            trace, refusal = Trace(), None
            headers = dict(request.headers)
            own = _own_id(headers)
            with self._tracer.request(route.path, headers, trace) as told:
                try:
                    reply = await self._reply(request, headers, route, trace)
                except Refusal as error:
                    refusal = error
                    reply = Reply(protocol.refused(error), error.status, error.headers)
                except ClientDisconnect:
                    reply = Reply({}, _GONE)
                except Exception as error:  # noqa: BLE001 - the one place where faults of ours are told
                    self._log.event("fault", id=own, path=route.path, **_fault(error))
                    refusal = Refusal(500, "fault", f"a fault of ours; its id in the log is {own}")
                    reply = Reply(protocol.refused(refusal), 500)
                told(reply.status)
            self._told(protocol.name, route, own, trace, reply.status, refusal)
            return _response(reply, own)

        return answer

    async def unknown(self, request: Request, error: HTTPException) -> Response:
        """No such path, or not with this method."""
        told = {404: "there is no such path; see /openapi.json", 405: "this path has another method"}
        sentence = told.get(error.status_code, str(error.detail))
        reply = Reply({"error": sentence}, error.status_code, error.headers or {})
        self._service.metrics.request("", error.status_code, kind="", total=0, queued=0, answered=0)
        return _response(reply, _own_id(request.headers))

    async def _reply(self, request: Request, headers: Mapping[str, str], route: Route, trace: Trace) -> Reply:
        service = self._service
        if not route.public:
            service.tokens.check(headers)
        body = b""
        if route.method == "POST":
            reading = read_body(request.stream(), headers, service.options.max_body * 1024)
            try:
                body = await asyncio.wait_for(reading, service.options.timeout)
            except TimeoutError:
                raise late(service.options.timeout) from None
        call = Call(request.path_params, headers, body, trace)
        if route.method == "GET":
            return await route.answer(call)
        return await _unless_gone(request, route.answer(call))

    def _told(
        self, protocol: str, route: Route, own: str, trace: Trace, status: int, refusal: Refusal | None
    ) -> None:
        seconds = time.monotonic() - trace.begun
        self._service.metrics.request(
            protocol,
            status,
            kind=trace.kind,
            total=seconds,
            queued=trace.queued,
            answered=trace.answered,
        )
        why = {}
        if refusal is not None:
            self._service.metrics.refused(refusal.reason)
            why = {"reason": refusal.reason}
        if not route.public:  # the questions of a supervisor would fill the log
            self._log.request(
                trace, seconds=seconds, id=own, protocol=protocol, path=route.path, status=status, **why
            )


async def _unless_gone(request: Request, answering: Coroutine[Any, Any, Reply]) -> Reply:
    """The answer, which nobody needs to work on if the client hangs up.

    Raises:
        ClientDisconnect: If it does.
    """
    reply = asyncio.create_task(answering)
    gone = asyncio.ensure_future(request.receive())  # the body is read, so that nothing else comes
    try:
        await asyncio.wait({reply, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not reply.done():
            raise ClientDisconnect
        return reply.result()
    finally:
        reply.cancel()
        gone.cancel()


def _response(reply: Reply, own: str) -> Response:
    headers = {**reply.headers, "X-Request-Id": own, "Cache-Control": "no-store"}
    content, kind = reply.content, headers.pop("Content-Type", "application/json")
    if not isinstance(content, bytes):
        content = json.dumps(content, ensure_ascii=False, allow_nan=False).encode("utf-8", "surrogatepass")
    response = Response(content, reply.status, headers)
    response.headers["Content-Type"] = kind
    return response


def _own_id(headers: Mapping[str, str]) -> str:
    """The id that the client has given its request, or one of ours."""
    given = headers.get(_ID, "")
    return given if _PLAIN_ID.fullmatch(given) else uuid.uuid4().hex


def _fault(error: Exception) -> dict[str, Any]:
    """What a fault is and where, without what it says, which may quote a text."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = "" if place is None else f"{place.tb_frame.f_code.co_filename}:{place.tb_lineno}"
    return {"fault": type(error).__name__, "where": where}


def _responses(route: Route, *, tokens: bool) -> dict[int | str, dict[str, Any]]:
    """The responses of a route as OpenAPI describes them."""
    kind = "text/plain" if route.text else "application/json"
    found: dict[int | str, dict[str, Any]] = {
        200: {"description": "Answered", "content": {kind: {"schema": dict(route.gives)}}}
    }
    error = {"type": "object", "properties": {"error": {"type": "string"}}, "required": ["error"]}
    for status, about in _REFUSED.items():
        if status != 401 or (tokens and not route.public):
            found[status] = {"description": about, "content": {"application/json": {"schema": error}}}
    return found


def _openapi(route: Route, service: Service) -> dict[str, Any]:
    """What FastAPI cannot know of a route whose body and path are read by its protocol."""
    known = {"model": service.name, "version": service.version}
    more: dict[str, Any] = {}
    parts = re.findall(r"\{(\w+)\}", route.path)
    if parts:
        more["parameters"] = [
            {
                "name": part,
                "in": "path",
                "required": True,
                "schema": {"enum": [known[part]]},
            }
            for part in parts
        ]
    if route.reads is not None:
        content = {"application/json": {"schema": dict(route.reads)}}
        more["requestBody"] = {"required": True, "content": content}
    if service.tokens and not route.public:
        more["security"] = [{"bearer": []}]
    return more

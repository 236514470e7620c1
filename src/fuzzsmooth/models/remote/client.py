"""HTTP with a server that may be down, slow, busy, out of quota, or not what it seems: in bounds.

What may pass by itself (no connection, too slow, 408, 429, 5xx, an answer that is cut off) is tried again
after waits that double, with chance so that many do not come back at once, or after as long as the server
asks for. All else is told at once. Redirects are not followed, as they would take the key along. The key is
in no sentence, no file and no log of ours.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from threading import Event, Lock
from typing import TYPE_CHECKING, Any, TypeAlias

from fuzzsmooth.common.errors import FuzzsmoothError, MissingExtraError
from fuzzsmooth.common.printing import short_name
from fuzzsmooth.common.reading import parse_json
from fuzzsmooth.models.remote.endpoint import Endpoint, EndpointOptions
from fuzzsmooth.models.remote.spending import Tried

if TYPE_CHECKING:
    import httpx

Trying: TypeAlias = Callable[[], AbstractContextManager[Tried]]
"""Called around each try of a request; see :meth:`fuzzsmooth.models.remote.spending.Spending.trying`."""
_LONGEST_WAIT = 60.0  # seconds between two tries, unless the server asks for more
_PATIENCE = 600.0  # seconds that a server may ask for; a longer wait is told instead
_BYTES = 4 * 2**20  # of an answer; those asked for here have a few thousand
_PASSING = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
_QUOTA = ("insufficient_quota", "billing_hard_limit_reached", "quota_exceeded", "insufficient credits")
_SHOWN = 160  # characters of what a server says
_KEPT = "what it has answered is kept, so run it again later to go on"


class RequestRefusedError(FuzzsmoothError):
    """A server understood a request and does not want it; ``told`` is what it says."""

    def __init__(self, sentence: str, told: str) -> None:
        super().__init__(sentence)
        self.told = told


class Client:
    """Asks one endpoint; its methods may be called by many threads.

    Args:
        endpoint: Which.
        options: How.
        sleep: Waits so many seconds; by default until :meth:`stop` at most.
        clock: Tells seconds.

    Attributes:
        requests: How many were made, repeated ones too.

    Raises:
        FuzzsmoothError: If the key would be sent unencrypted.
        MissingExtraError: If ``httpx`` is not installed.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        options: EndpointOptions,
        *,
        sleep: Callable[[float], object] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._endpoint, self._options = endpoint, options
        self._stopped = Event()
        self._sleep, self._clock = sleep or self._stopped.wait, clock
        self._key = endpoint.key(options.key_variable)
        headers = {} if self._key is None else {"Authorization": f"Bearer {self._key}"}
        self._http = _http(options, headers)
        self._lock = Lock()
        self._next = 0.0  # when the next request may begin
        self.requests = 0

    def stop(self) -> None:
        """Begin no further tries: somebody else has failed, or the user wants to stop."""
        self._stopped.set()

    def go_on(self) -> None:
        """Take :meth:`stop` back."""
        self._stopped.clear()

    def post(self, route: str, content: Mapping[str, Any], trying: Trying) -> dict[str, Any]:
        """The JSON object that the server answers.

        Args:
            route: After the address of the endpoint.
            content: What is sent, as JSON.
            trying: Called around each try, which it counts, or refuses.

        Raises:
            RequestRefusedError: If the server does not want such a request.
            FuzzsmoothError: If there is no answer after all tries, or none that can be understood, or a try
                is refused.
        """
        why = ""
        for attempt in range(self._options.request_retries + 1):
            if attempt:
                self._sleep(self._wait(attempt))
            self._take_turn()
            if self._stopped.is_set():
                raise FuzzsmoothError("stopped")
            with trying() as tried:
                found, why, asked = self._try(route, content, tried)
                tried.answer = found
            if found is not None:
                return found
            if asked:
                self._pause(asked)
        tries = self._options.request_retries + 1
        raise FuzzsmoothError(f"{self._told} {why} ({tries} tries); {_KEPT}")

    def _try(
        self, route: str, content: Mapping[str, Any], tried: Tried
    ) -> tuple[dict[str, Any] | None, str, float]:
        """The answer, or why there is none yet, and for how many seconds the server wants none."""
        import httpx

        with self._lock:
            self.requests += 1
        tried.sent = True
        unsent = httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout
        try:
            with self._http.stream("POST", f"{self._endpoint.url}/{route}", json=dict(content)) as response:
                status, headers = response.status_code, response.headers
                tried.sent = status == 200  # what is refused costs nothing
                body = self._body(response)
        except FuzzsmoothError:
            raise
        except httpx.TimeoutException as error:
            tried.sent = tried.sent and not isinstance(error, unsent)
            limit = f"{self._options.request_timeout:g} s"
            return None, f"does not answer within {limit} (--request-timeout)", 0.0
        except (httpx.TransportError, OSError) as error:
            tried.sent = tried.sent and not isinstance(error, unsent)
            return None, f"cannot be reached or breaks off ({type(error).__name__})", 0.0
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise FuzzsmoothError(f"{self._told} cannot be asked ({type(error).__name__})") from error
        if status == 200:
            found = _object(body)
            return found, "answers something that is no JSON object", 0.0
        self._refuse(status, body)
        return None, f"is busy or broken (HTTP {status}: {self._message(body)})", self._asked_wait(headers)

    def _body(self, response: httpx.Response) -> bytes:
        body, began = b"", self._clock()
        for part in response.iter_bytes():
            body += part
            if len(body) > _BYTES:
                raise FuzzsmoothError(
                    f"{self._told} answers more than {_BYTES >> 20} MiB; it is no such server"
                )
            if self._clock() - began > self._options.request_timeout:
                import httpx

                raise httpx.ReadTimeout("the answer trickles in")
        return body

    def _refuse(self, status: int, body: bytes) -> None:
        """Raise where trying again cannot help."""
        told = self._message(body)
        if status in (402, 429) and any(mark in body.decode("utf-8", "replace").lower() for mark in _QUOTA):
            raise FuzzsmoothError(f"{self._told} says that the quota is used up ({told}); {_KEPT}")
        if status in _PASSING:
            return
        if status in (401, 403):
            variable = self._options.key_variable
            raise FuzzsmoothError(
                f"{self._told} refuses access (HTTP {status}: {told}); set {variable} to a key "
                "that may use it"
            )
        if status == 404:
            raise FuzzsmoothError(
                f"{self._told} is not there (HTTP 404: {told}); check the address, which "
                "mostly ends in /v1, the name of the model, and --route"
            )
        if 300 <= status < 400:
            raise FuzzsmoothError(
                f"{self._told} redirects elsewhere (HTTP {status}); give that address itself"
            )
        raise RequestRefusedError(f"{self._told} refuses the request (HTTP {status}: {told})", told)

    def _message(self, body: bytes) -> str:
        """What a server says about an error, shortened and printable, without the key that it may repeat."""
        found = _object(body) or {}
        error = found.get("error", found.get("detail", ""))
        told = error.get("message", "") if isinstance(error, dict) else error
        told = told if isinstance(told, str) and told else body.decode("utf-8", "replace")
        if self._key is not None:
            told = told.replace(self._key, "KEY")
        return short_name(" ".join(told.split()), _SHOWN) or "no reason given"

    def _asked_wait(self, headers: Mapping[str, str]) -> float:
        """The seconds of Retry-After, 0 without.

        Raises:
            FuzzsmoothError: If they are more than anybody waits for.
        """
        try:
            seconds = float(headers.get("retry-after", "0"))
        except ValueError:  # a date; the waits of our own do
            return 0.0
        if not 0.0 <= seconds <= _PATIENCE:
            raise FuzzsmoothError(f"{self._told} wants to be left alone for {seconds:,.0f} s; {_KEPT}")
        return seconds

    def _wait(self, attempt: int) -> float:
        # Chance that decides when, and never what.
        return float(min(_LONGEST_WAIT, 2.0 ** (attempt - 1)) * (0.5 + random.SystemRandom().random() / 2))

    def _take_turn(self) -> None:
        """Wait until a request may begin: by the rate of the options, and after what the server asked for."""
        rate = self._options.requests_per_minute
        with self._lock:
            begin = max(self._next, self._clock())
            self._next = begin + (60.0 / rate if rate else 0.0)
        wait = begin - self._clock()
        if wait > 0:
            self._sleep(wait)

    def _pause(self, seconds: float) -> None:
        """Let nobody begin for so long."""
        with self._lock:
            self._next = max(self._next, self._clock() + seconds)

    @property
    def _told(self) -> str:
        return f"the endpoint {short_name(self._endpoint.url)} (model {short_name(self._endpoint.model)})"


def _http(options: EndpointOptions, headers: Mapping[str, str]) -> Any:
    try:
        import httpx
    except ImportError as error:
        raise MissingExtraError("httpx", "remote", "a remote model") from error
    at_once = options.requests_at_once
    limits = httpx.Limits(max_connections=at_once, max_keepalive_connections=at_once)
    return httpx.Client(
        timeout=options.request_timeout, headers=dict(headers), limits=limits, follow_redirects=False
    )


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        found = parse_json(body.decode("utf-8"), "the answer", mend="")
    except (FuzzsmoothError, UnicodeDecodeError):
        return None
    return found if isinstance(found, dict) else None

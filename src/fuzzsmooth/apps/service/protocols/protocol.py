"""The contract of a protocol: from the requests of a standard to texts, and from answers to its responses.

A protocol names its routes. What all share - tokens, sizes, times, metrics, logs - is done around them, so a
protocol sees a body within its limits and gives JSON values, or says what is wrong by raising
:class:`fuzzsmooth.apps.service.refusal.Refusal`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from fuzzsmooth.apps.service.refusal import Refusal, absent, malformed
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.reading import kind_of, parse_json
from fuzzsmooth.common.registry import Registry

if TYPE_CHECKING:
    from fuzzsmooth.apps.service.asking import Service, Trace

Schema = Mapping[str, Any]
"""A JSON schema."""


@dataclass(frozen=True)
class Call:
    """A request.

    Attributes:
        path: The parts of the path that have names.
        headers: Names in lower case.
        body: As sent, unpacked; empty for GET.
        trace: What is to be told of the request.
    """

    path: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    trace: Trace

    def object(self, body: bytes | None = None) -> dict[str, Any]:
        """The body as a JSON object.

        Args:
            body: The part of it that is JSON, if not all.

        Raises:
            Refusal: If it is none.
        """
        try:
            value = parse_json(self.body if body is None else body, "the body", mend="send a JSON object")
        except FuzzsmoothError as error:
            raise malformed(str(error)) from error
        if not isinstance(value, dict):
            raise malformed(f"the body is {kind_of(value)}; send a JSON object")
        return value


@dataclass(frozen=True)
class Reply:
    """A response.

    Attributes:
        content: JSON values, or bytes.
        status: HTTP status.
        headers: More headers.
    """

    content: Any
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Route:
    """Something that can be asked.

    Attributes:
        method: GET or POST.
        path: With the names of its parts in braces.
        summary: What it does.
        answer: Answers it.
        gives: What the response is.
        reads: What the body is, for POST.
        public: Whether no token is needed, so that a supervisor can ask for the health.
        text: Whether the response is plain text instead of JSON.
    """

    method: Literal["GET", "POST"]
    path: str
    summary: str
    answer: Callable[[Call], Coroutine[Any, Any, Reply]]
    gives: Schema
    reads: Schema | None = None
    public: bool = False
    text: bool = False


class Protocol(ABC):
    """A protocol.

    Args:
        service: What answers.

    Attributes:
        name: Under which it is registered.
    """

    name: ClassVar[str]

    def __init__(self, service: Service) -> None:
        self.service = service

    @abstractmethod
    def routes(self) -> Sequence[Route]:
        """What can be asked."""

    def refused(self, refusal: Refusal) -> dict[str, Any]:
        """The body of a response that refuses."""
        return {"error": refusal.sentence}

    def check_model(self, call: Call) -> None:
        """Refuse a request to another model, or another version of it.

        Raises:
            Refusal: 404, naming the one there is.
        """
        service, name = self.service, call.path["model"]
        if name != service.name:
            raise absent(f"there is no model {name!r:.120} here; ask '{service.name}'")
        version = call.path.get("version", service.version)
        if version != service.version:
            raise absent(f"there is no version {version!r:.120} of it here; ask '{service.version}'")


PROTOCOLS: Registry[type[Protocol]] = Registry("protocol", "fuzzsmooth.apps.service.protocols")
"""All protocols by name."""


def flag(values: Mapping[str, Any], name: str, where: str) -> bool:
    """A truth value of a request, false where it is left out.

    Raises:
        Refusal: If it is something else.
    """
    value = values.get(name, False)
    if not isinstance(value, bool):
        raise malformed(f"{where}'{name}' is {kind_of(value)}; it must be true or false")
    return value

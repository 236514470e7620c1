"""What a client is told instead of an answer."""

from __future__ import annotations

from collections.abc import Mapping


class Refusal(Exception):  # noqa: N818  # the ordinary end of a request, not a fault of ours
    """A request is not answered.

    Args:
        status: The HTTP status, 400 to 599.
        reason: A word for metrics and logs.
        sentence: What is wrong and how to mend it.
        retry_after: Seconds after which the same request may be answered, or None.
        headers: More headers of the response.
    """

    def __init__(
        self,
        status: int,
        reason: str,
        sentence: str,
        *,
        retry_after: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(sentence)
        self.status = status
        self.reason = reason
        self.sentence = sentence
        self.headers = dict(headers or {})
        if retry_after is not None:
            self.headers["Retry-After"] = str(retry_after)


def malformed(sentence: str) -> Refusal:
    """A request that cannot be understood, 400."""
    return Refusal(400, "malformed", sentence)


def absent(sentence: str) -> Refusal:
    """Something that is not there, 404."""
    return Refusal(404, "absent", sentence)


def unsupported(sentence: str) -> Refusal:
    """A request that is understood, and that this service does not fulfil, 422."""
    return Refusal(422, "unsupported", sentence)

"""What a remote model has cost, and a budget that is not overrun."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import Any

from fuzzsmooth.common.options import require
from fuzzsmooth.models.remote.endpoint import EndpointOptions

CHARACTERS = 2.0
"""Characters of a token where none were counted yet: few, so that a first guess of a price is too high."""
_OVERHEAD = 16  # tokens that a chat adds around a message
_MORE = "what it has answered is kept, so run it again with a higher one to go on"


@dataclass
class Tried:
    """What came of one try of a request.

    Attributes:
        sent: Whether the server may have answered, and so asks to be paid, though perhaps nothing arrived.
        answer: What it sent, if that was an answer.
    """

    sent: bool = False
    answer: Mapping[str, Any] | None = None


class Spending:
    """Counts new requests with their tokens; may be called by many threads.

    A request that is tried again counts each time. Where a server tells no tokens, or what it sent did not
    arrive, what was set apart for the try counts as its price.

    Args:
        options: Prices and budgets.

    Attributes:
        requests: New requests that were answered.
        read: Tokens that they had, as the server counts.
        written: Tokens of their answers.
    """

    def __init__(self, options: EndpointOptions) -> None:
        self._options = options
        self._lock = Lock()
        self._tries = 0
        self._reserved = self._unmetered = 0.0
        self.requests = self.read = self.written = 0

    @property
    def price(self) -> float | None:
        """What they cost; None where no price is given."""
        metered = self._options.price(self.read, self.written)
        return None if metered is None else metered + self._unmetered

    @contextmanager
    def trying(self, characters: int, answer: int) -> Iterator[Tried]:
        """One try of a request, whose outcome is written down before this is left.

        Args:
            characters: That are sent.
            answer: Tokens that may be written.

        Raises:
            FuzzsmoothError: If that may overrun a budget; nothing is to be sent then.
        """
        amount, tried = self._reserve(characters, answer), Tried()
        try:
            yield tried
        finally:
            self._settle(amount, tried)

    def _reserve(self, characters: int, answer: int) -> float:
        options = self._options
        amount = options.price(round(characters / CHARACTERS) + _OVERHEAD, answer) or 0.0
        with self._lock:
            most = options.request_budget
            require(
                most is None or self._tries < most,
                f"the budget of {most} requests (--request-budget) is used up; {_MORE}",
            )
            paid = (self.price or 0.0) + self._reserved + amount
            require(
                options.price_budget is None or paid <= options.price_budget,
                f"the budget of {options.price_budget} (--price-budget) does not cover one more request; "
                f"{_MORE}",
            )
            self._reserved += amount
            self._tries += 1
        return amount

    def _settle(self, amount: float, tried: Tried) -> None:
        usage = None if tried.answer is None else tried.answer.get("usage")
        counts = [_count(usage, name) for name in ("prompt_tokens", "completion_tokens")]
        with self._lock:
            self._reserved -= amount
            self.requests += tried.answer is not None
            self.read += counts[0] or 0
            self.written += counts[1] or 0
            if tried.sent and None in counts:
                self._unmetered += amount


def _count(usage: Any, name: str) -> int | None:
    """A number of tokens; None where none is told."""
    value = usage.get(name) if isinstance(usage, Mapping) else None
    told = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**40
    return value if told else None

"""What a remote model has cost, and a budget that is not overrun."""

from __future__ import annotations

from collections.abc import Mapping
from threading import Lock
from typing import Any

from fuzzsmooth.common.options import require
from fuzzsmooth.models.remote.endpoint import EndpointOptions

CHARACTERS = 2.0
"""Characters of a token where none were counted yet: few, so that a first guess of a price is too high."""
_OVERHEAD = 16  # tokens that a chat adds around a message
_MORE = "what it has answered is kept, so run it again with a higher one to go on"


class Spending:
    """Counts new requests with their tokens; may be called by many threads.

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
        self._under_way = 0
        self._reserved = 0.0
        self.requests = self.read = self.written = 0

    @property
    def price(self) -> float | None:
        """What they cost; None where no price is given."""
        return self._options.price(self.read, self.written)

    def reserve(self, characters: int, answer: int) -> float:
        """Set apart what one more request may cost.

        Args:
            characters: That are sent.
            answer: Tokens that may be written.

        Raises:
            FuzzsmoothError: If that would overrun a budget.
        """
        options = self._options
        amount = options.price(round(characters / CHARACTERS) + _OVERHEAD, answer) or 0.0
        with self._lock:
            most = options.request_budget
            require(
                most is None or self.requests + self._under_way < most,
                f"the budget of {most} requests (--request-budget) is used up; {_MORE}",
            )
            paid = (self.price or 0.0) + self._reserved + amount
            require(
                options.price_budget is None or paid <= options.price_budget,
                f"the budget of {options.price_budget} (--price-budget) does not cover one more request; "
                f"{_MORE}",
            )
            self._reserved += amount
            self._under_way += 1
        return amount

    def settle(self, amount: float, answer: Mapping[str, Any] | None) -> None:
        """Count what a request has cost in the place of what was set apart.

        Args:
            amount: What :meth:`reserve` gave.
            answer: What the server sent; None where the request failed.
        """
        usage = answer.get("usage") if answer is not None else None
        read, written = (
            (_count(usage, "prompt_tokens"), _count(usage, "completion_tokens"))
            if isinstance(usage, Mapping)
            else (0, 0)
        )
        with self._lock:
            self._reserved -= amount
            self._under_way -= 1
            if answer is not None:
                self.requests += 1
                self.read += read
                self.written += written


def _count(usage: Mapping[str, Any], name: str) -> int:
    value = usage.get(name)
    return value if isinstance(value, int) and 0 <= value < 2**40 else 0

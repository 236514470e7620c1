"""How a remote model is named, and how it is asked. No network, no torch."""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass
from typing import Annotated, Literal
from urllib.parse import urlsplit

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.options import Between, Options, require
from fuzzsmooth.common.printing import short_name

PREFIX = "openai:"
"""Before the address and the name of a remote model: ``openai:https://host/v1#name``."""

_EXAMPLE = "write openai:https://HOST/v1#MODEL, as in openai:http://localhost:8000/v1#smollm2"


@dataclass(frozen=True)
class Endpoint:
    """A model of a server.

    Attributes:
        url: Where its routes begin, without a slash at the end.
        model: Its name there.
    """

    url: str
    model: str

    @classmethod
    def of(cls, name: str) -> Endpoint:
        """The endpoint that a name says.

        Raises:
            FuzzsmoothError: If it is not of the form, or holds a key or a password.
        """
        address, _, model = name.removeprefix(PREFIX).partition("#")
        told = short_name(name) if not set("@?") & set(address) else f"{PREFIX}… (a name with @ or ?)"
        try:
            parts = urlsplit(address)
            sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            sound = False
        require(sound and bool(model.strip()), f"{told} does not name a remote model; {_EXAMPLE}")
        require(
            parts.username is None and parts.password is None and not parts.query,
            f"{told} must hold no password and no key, since names are written into files; put the key into "
            "an environment variable (--key-variable)",
        )
        return cls(address.rstrip("/"), model.strip())

    @property
    def name(self) -> str:
        """As users write it."""
        return f"{PREFIX}{self.url}#{self.model}"

    def key(self, variable: str) -> str | None:
        """The key of the user, from an environment variable; None where there is none.

        Raises:
            FuzzsmoothError: If it would be sent unencrypted to another machine, or is no header's value.
        """
        key = os.environ.get(variable, "").strip()
        if not key:
            return None
        parts = urlsplit(self.url)
        require(
            parts.scheme == "https" or _is_here(parts.hostname or ""),
            f"the key in {variable} would be sent unencrypted to {parts.hostname}; use https, or unset it",
        )
        require(
            key.isascii() and key.isprintable() and " " not in key,
            f"what {variable} holds is not a key; set it to the key alone",
        )
        return key


@dataclass(frozen=True, kw_only=True)
class EndpointOptions(Options):
    """How a remote model is asked, and what that may cost."""

    route: Annotated[
        Literal["chat", "completions"],
        "Where a remote model is asked: as a chat, or to go on from a text.",
    ] = "chat"
    reads: Annotated[
        Literal["auto", "logprobs", "words"],
        "What its answer is read by: the log-probabilities of the first token, or the words that it writes. "
        "'auto': log-probabilities if it gives them.",
    ] = "auto"
    unclear: Annotated[
        str, "Class of an answer of a remote model that names no class, or several; it counts as any other."
    ] = "unclear"
    always_same: Annotated[
        bool,
        "Whether a remote model gives the same answer whenever it is asked the same; say so only if it does. "
        "Then each text is asked once, and certificates without draws can be had.",
    ] = False
    key_variable: Annotated[str, "Environment variable that holds the key of a remote model."] = (
        "OPENAI_API_KEY"
    )
    requests_at_once: Annotated[int, Between(1, 256), "Requests to a remote model under way at a time."] = 8
    requests_per_minute: Annotated[
        float | None, Between(0, 1_000_000, above=True), "Requests to a remote model in a minute at most."
    ] = None
    request_retries: Annotated[
        int, Between(0, 100), "How often a request that failed is made again, after longer and longer waits."
    ] = 6
    request_timeout: Annotated[
        float, Between(0, 86_400, above=True), "Seconds that a remote model may take for an answer."
    ] = 60.0
    price_in: Annotated[float | None, Between(0, 1_000_000), "Price of a million tokens that are read."] = (
        None
    )
    price_out: Annotated[
        float | None, Between(0, 1_000_000), "Price of a million tokens that are written."
    ] = None
    price_budget: Annotated[
        float | None, Between(0, 1_000_000_000), "What new answers of a remote model may cost at most."
    ] = None
    request_budget: Annotated[
        int | None, Between(0, 1_000_000_000_000), "New requests to a remote model at most."
    ] = None
    answer_cache: Annotated[
        str | None,
        "Folder where answers of remote models are kept, so that none is asked for twice; left out: one in "
        "the user's cache.",
    ] = None
    yes: Annotated[bool, "Whether to ask a remote model without asking you whether you want to pay."] = False

    def validate(self) -> None:
        """Check that a budget can be kept."""
        require(bool(self.unclear.strip()), "the class of unclear answers needs a name")
        require(
            self.price_budget is None or (self.price_in is not None and self.price_out is not None),
            "a budget (--price-budget) needs the prices (--price-in and --price-out); or limit the requests "
            "(--request-budget)",
        )

    @property
    def limited(self) -> bool:
        """Whether the user has said what may be asked."""
        return self.yes or self.price_budget is not None or self.request_budget is not None

    def price(self, read: int, written: int) -> float | None:
        """What so many tokens cost; None where no price is given."""
        if self.price_in is None and self.price_out is None:
            return None
        return (read * (self.price_in or 0.0) + written * (self.price_out or 0.0)) / 1e6


def is_remote(model: str) -> bool:
    """Whether a name is that of a remote model."""
    return model.startswith(PREFIX)


def refuse_remote(model: str) -> FuzzsmoothError:
    """What to say where weights are needed."""
    return FuzzsmoothError(
        f"{short_name(model)} is a remote model: it is asked (predict, certify, with --template and "
        "--label-words, or with --predicate), and can neither be trained nor looked into; give a folder, a "
        "hub name or builtin:minilm"
    )


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

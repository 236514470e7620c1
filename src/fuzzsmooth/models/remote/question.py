"""What a remote model is asked about a text: the request, and what is made of the answer. No network.

An answer becomes probabilities of classes by a function of what the server sends, and every answer counts for
some class: one that is thrown away or asked for again would change the probabilities that certificates are
about.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.printing import short_name
from fuzzsmooth.models.prompt import SLOT
from fuzzsmooth.models.remote.endpoint import EndpointOptions


@dataclass(frozen=True, kw_only=True)
class Question(ABC):
    """What one model is asked on one route.

    Attributes:
        model: Name of the model.
        options: Route, and the class of unclear answers.
        limit: How the route calls the most tokens of an answer.
    """

    model: str
    options: EndpointOptions
    limit: str = "max_tokens"

    @property
    @abstractmethod
    def labels(self) -> tuple[str, ...]:
        """The classes."""

    @property
    @abstractmethod
    def longest(self) -> int:
        """Tokens of an answer at most."""

    @property
    @abstractmethod
    def template(self) -> str:
        """What is sent, with the place of the text."""

    @property
    @abstractmethod
    def identity(self) -> list[Any]:
        """What decides the classes beside the address: values that can be written as JSON."""

    @property
    def simpler(self) -> Question | None:
        """What is asked where a server does not give what this asks for; None: nothing."""
        return None

    @property
    def beside(self) -> str:
        """What an answer must hold beside its text, for a sentence: nothing."""
        return ""

    @property
    def route(self) -> str:
        """Where it is asked."""
        return "chat/completions" if self.options.route == "chat" else "completions"

    def content(self, text: str) -> dict[str, Any]:
        """The request for a text; the same text has the same one."""
        asked = self.template.replace("\\n", "\n").replace(SLOT, _sendable(text))
        content: dict[str, Any] = {"model": self.model, "temperature": 0.0}
        chat = self.options.route == "chat"
        content |= {"messages": [{"role": "user", "content": asked}]} if chat else {"prompt": asked}
        content[self.limit] = self.longest
        return content

    def taken(self, answer: Mapping[str, Any]) -> dict[str, Any]:
        """What is kept of an answer.

        Raises:
            FuzzsmoothError: If it is no answer of this route.
        """
        try:
            return self.kept_of(answer["choices"][0])
        except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
            raise FuzzsmoothError(
                f"the endpoint of {short_name(self.model)} answers something else than a {self.route} "
                f"object {self.beside}of the OpenAI interface ({type(error).__name__}); check the address "
                "and --route"
            ) from error

    def kept_of(self, choice: Mapping[str, Any]) -> dict[str, Any]:
        """What is kept of the one choice of an answer: its text."""
        return {"text": text_of(self.written(choice) or "")}

    def written(self, choice: Mapping[str, Any]) -> Any:
        """What the model wrote."""
        return choice["message"]["content"] if self.options.route == "chat" else choice["text"]

    @abstractmethod
    def probabilities(self, taken: Mapping[str, Any]) -> npt.NDArray[np.float64]:
        """The probabilities of the classes, shape (classes,), of what was kept of an answer."""


def text_of(value: object) -> str:
    """A text as a server sends it.

    Raises:
        TypeError: If it is none.
    """
    if not isinstance(value, str):
        raise TypeError("no text")
    return value


def characters_in(requests: Sequence[Mapping[str, Any]]) -> int:
    """Characters that requests send, for what they may cost."""
    return sum(
        len(one["prompt"]) if "prompt" in one else sum(len(part["content"]) for part in one["messages"])
        for one in requests
    )


def certain(label: int, classes: int) -> npt.NDArray[np.float64]:
    """All probability on one class, shape (classes,)."""
    row = np.zeros(classes)
    row[label] = 1.0
    return row


def _sendable(text: str) -> str:
    """A text as JSON can send it: lone surrogates become the replacement character."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")

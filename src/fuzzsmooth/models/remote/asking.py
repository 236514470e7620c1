"""What a remote model is asked about a text, and how its answer becomes probabilities of classes. No network.

A class is judged by the words that answer it. With log-probabilities, its probability is that of all first
tokens which begin its word and no other's; what is left belongs to answers that are unclear. With words, an
answer that holds the words of one class and of no other counts for it with certainty, and any other is
unclear. Either way the answer is a function of what the server sends, and every answer counts for some class:
an answer that is thrown away or asked for again would change the probabilities that certificates are about.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import regex

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.options import require
from fuzzsmooth.common.printing import short_name
from fuzzsmooth.models.prompt import SLOT, PromptOptions
from fuzzsmooth.models.remote.endpoint import EndpointOptions
from fuzzsmooth.text.units import is_spaceless

Reading = Literal["logprobs", "words"]

_WRITTEN = 12  # tokens of an answer that is read by its words
_ALTERNATIVES = {
    "chat": 20,
    "completions": 5,
}  # tokens whose log-probabilities are asked for; servers give no more


@dataclass(frozen=True)
class Question:
    """A prompt for one model and one route.

    Attributes:
        model: Name of the model.
        prompt: Template and label words.
        options: Route, and the class of unclear answers.
        reading: What answers are read by.
        limit: How the route calls the most tokens of an answer.
    """

    model: str
    prompt: PromptOptions
    options: EndpointOptions
    reading: Reading
    limit: str = "max_tokens"

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes, that of unclear answers last."""
        return (*self.prompt.labels, self.options.unclear)

    @property
    def route(self) -> str:
        """Where it is asked."""
        return "chat/completions" if self.options.route == "chat" else "completions"

    @property
    def longest(self) -> int:
        """Tokens of an answer at most."""
        return 1 if self.reading == "logprobs" else _WRITTEN

    def content(self, text: str) -> dict[str, Any]:
        """The request for a text; the same text has the same one."""
        assert self.prompt.template is not None
        asked = self.prompt.template.replace("\\n", "\n").replace(SLOT, _sendable(text))
        chat, scored = self.options.route == "chat", self.reading == "logprobs"
        content: dict[str, Any] = {"model": self.model, "temperature": 0.0}
        content |= {"messages": [{"role": "user", "content": asked}]} if chat else {"prompt": asked}
        content[self.limit] = self.longest
        if scored:
            most = _ALTERNATIVES[self.options.route]
            content |= {"logprobs": True, "top_logprobs": most} if chat else {"logprobs": most}
        return content

    def taken(self, answer: Mapping[str, Any]) -> dict[str, Any]:
        """What is kept of an answer: its text, or its first token's alternatives.

        Raises:
            FuzzsmoothError: If it is no answer of this route.
        """
        try:
            choice = answer["choices"][0]
            text = choice["message"]["content"] if self.options.route == "chat" else choice["text"]
            if self.reading == "words":
                return {"text": _text(text or "")}
            return {"tokens": _alternatives(choice["logprobs"])}
        except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
            what = "with log-probabilities " if self.reading == "logprobs" else ""
            raise FuzzsmoothError(
                f"the endpoint of {short_name(self.model)} answers something else than a {self.route} object "
                f"{what}of the OpenAI interface ({type(error).__name__}); check the address and --route"
            ) from error

    def probabilities(self, taken: Mapping[str, Any]) -> npt.NDArray[np.float64]:
        """The probabilities of the classes, shape (classes,), of what was kept of an answer."""
        row = np.zeros(len(self.labels))
        if self.reading == "words":
            row[self._named(taken["text"])] = 1.0
            return row
        for token, value in taken["tokens"]:
            row[self._begun(token)] += math.exp(value)
        row[-1] += max(0.0, 1.0 - float(row.sum()))
        found: npt.NDArray[np.float64] = row / row.sum()
        return found

    def _begun(self, token: str) -> int:
        """The class whose word alone a token begins, or the last."""
        begun = token.strip().casefold()
        fits = [
            at for at, word in enumerate(self.prompt.words) if begun and word.casefold().startswith(begun)
        ]
        return fits[0] if len(fits) == 1 else -1

    def _named(self, text: str) -> int:
        """The class whose word alone an answer holds, or the last."""
        fits = [at for at, word in enumerate(self.prompt.words) if _holds(text, word)]
        return fits[0] if len(fits) == 1 else -1


def check_words(prompt: PromptOptions, options: EndpointOptions) -> None:
    """Check that the classes of a prompt can be told apart by a remote model's answers.

    Raises:
        FuzzsmoothError: If they cannot, or the prompt asks for what a remote model does not give.
    """
    require(
        prompt.given,
        "a remote model is asked by a prompt; give --template and --label-words, as in --template 'Review: "
        "{text} Is it good or bad?' --label-words negative=bad,positive=good",
    )
    require(
        not prompt.calibrate,
        "--calibrate needs the weights of a model; leave it out for a remote one",
    )
    require(
        not prompt.chat, "a remote model writes its chat format itself; leave out --chat (--route says how)"
    )
    folded = [word.casefold() for word in prompt.words]
    for at, word in enumerate(folded):
        for other in folded[:at] + folded[at + 1 :]:
            require(
                not other.startswith(word),
                f"the label word '{short_name(word)}' begins '{short_name(other)}', so an answer cannot tell "
                "them apart; choose other words",
            )
    require(
        options.unclear not in prompt.labels,
        f"'{short_name(options.unclear)}' is a class of the prompt; give unclear answers another name "
        "(--unclear)",
    )


def _holds(text: str, word: str) -> bool:
    """Whether a word stands in a text by itself; in a script without spaces, whether it stands there."""
    edge = "" if is_spaceless(word) else r"\b"
    return regex.search(f"{edge}{regex.escape(word)}{edge}", text, regex.IGNORECASE) is not None


def _alternatives(found: Mapping[str, Any]) -> list[tuple[str, float]]:
    """Tokens that may come first, with their log-probabilities."""
    if "content" in found:
        pairs = [(one["token"], one["logprob"]) for one in found["content"][0]["top_logprobs"]]
    else:
        pairs = list(found["top_logprobs"][0].items())
    if not pairs:
        raise ValueError("no alternatives")
    return [(_text(token), min(0.0, float(value))) for token, value in pairs if not math.isnan(float(value))]


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("no text")
    return value


def _sendable(text: str) -> str:
    """A text as JSON can send it: lone surrogates become the replacement character."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def words_in(requests: Sequence[Mapping[str, Any]]) -> int:
    """Characters that requests send, for what they may cost."""
    return sum(
        len(one["prompt"]) if "prompt" in one else sum(len(part["content"]) for part in one["messages"])
        for one in requests
    )

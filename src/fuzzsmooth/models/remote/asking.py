"""What a remote model is asked for the class of a text, and how its answer becomes probabilities. No network.

A class is judged by the words that answer it. With log-probabilities, its probability is that of all first
tokens which begin its word and no other's; what is left belongs to answers that are unclear. With words, an
answer that holds the words of one class and of no other counts for it with certainty, and any other is
unclear. Either way the answer is a function of what the server sends, and every answer counts for some class:
an answer that is thrown away or asked for again would change the probabilities that certificates are about.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import regex

from fuzzsmooth.common.options import require
from fuzzsmooth.common.printing import short_name
from fuzzsmooth.models.prompt import PromptOptions
from fuzzsmooth.models.remote.endpoint import EndpointOptions
from fuzzsmooth.models.remote.question import Question, certain, text_of
from fuzzsmooth.text.units import is_spaceless

Reading = Literal["logprobs", "words"]

_WRITTEN = 12  # tokens of an answer that is read by its words
_ALTERNATIVES = {
    "chat": 20,
    "completions": 5,
}  # tokens whose log-probabilities are asked for; servers give no more


@dataclass(frozen=True, kw_only=True)
class ClassQuestion(Question):
    """A prompt with a word for each class.

    Attributes:
        prompt: Template and label words.
        reading: What answers are read by.
    """

    prompt: PromptOptions
    reading: Reading

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes, that of unclear answers last."""
        return (*self.prompt.labels, self.options.unclear)

    @property
    def longest(self) -> int:
        """Tokens of an answer at most."""
        return 1 if self.reading == "logprobs" else _WRITTEN

    @property
    def template(self) -> str:
        """What is sent, with the place of the text."""
        assert self.prompt.template is not None
        return self.prompt.template

    @property
    def identity(self) -> list[Any]:
        """What decides the classes beside the address."""
        return [self.prompt.to_mapping(), self.options.route, self.reading, self.options.unclear]

    @property
    def simpler(self) -> Question | None:
        """The same by words, where log-probabilities were only tried."""
        tried = self.reading == "logprobs" and self.options.reads == "auto"
        return replace(self, reading="words") if tried else None

    @property
    def beside(self) -> str:
        """See :attr:`Question.beside`."""
        return "with log-probabilities " if self.reading == "logprobs" else ""

    def content(self, text: str) -> dict[str, Any]:
        """See :meth:`Question.content`."""
        content = super().content(text)
        if self.reading == "logprobs":
            most = _ALTERNATIVES[self.options.route]
            chat = self.options.route == "chat"
            content |= {"logprobs": True, "top_logprobs": most} if chat else {"logprobs": most}
        return content

    def kept_of(self, choice: Mapping[str, Any]) -> dict[str, Any]:
        """The text of an answer, or the alternatives of its first token."""
        if self.reading == "words":
            return super().kept_of(choice)
        self.written(choice)  # an answer without it is none
        return {"tokens": _alternatives(choice["logprobs"])}

    def probabilities(self, taken: Mapping[str, Any]) -> npt.NDArray[np.float64]:
        """See :meth:`Question.probabilities`."""
        if self.reading == "words":
            return certain(self._named(taken["text"]), len(self.labels))
        row = np.zeros(len(self.labels))
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
    return [
        (text_of(token), min(0.0, float(value))) for token, value in pairs if not math.isnan(float(value))
    ]

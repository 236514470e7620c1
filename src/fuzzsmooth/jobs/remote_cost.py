"""What asking a remote model will cost, before it is asked: by answers that are made up.

A pilot of a few texts runs through the very defense, over a classifier that counts what it is asked and answers
any class at random. Early stopping then stops as late as it can, so that this is about the most. Answers that are
kept from before cost nothing, and are not counted off.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fuzzsmooth.common.options import require
from fuzzsmooth.common.randomness import generator
from fuzzsmooth.defenses import Defense
from fuzzsmooth.models.protocol import Probabilities
from fuzzsmooth.models.remote.asking import Question, words_in
from fuzzsmooth.models.remote.classifier import RemoteClassifier

_PILOT = 8  # texts
_CHARACTERS = 4.0  # of a token of English; a guess that is told as such


@dataclass(frozen=True)
class Cost:
    """A forecast.

    Attributes:
        requests: Requests.
        tokens_read: Tokens that they hold, about.
        tokens_written: Tokens of the answers at most.
        price: What they cost; None where no price is given.
        seconds: How long it takes; None where no answer was timed yet.
        kept: Answers that are kept already.
    """

    requests: int
    tokens_read: int
    tokens_written: int
    price: float | None
    seconds: float | None
    kept: int

    def sentence(self) -> str:
        """The forecast for people."""
        price = "" if self.price is None else f"; that costs {self.price:.4g}"
        time = "" if self.seconds is None else f", and takes about {self.seconds / 60:.1f} minutes"
        kept = f" ({self.kept:,} answers are kept from before, and cost nothing again)" if self.kept else ""
        return (
            f"this asks the endpoint at most about {self.requests:,} times, with {self.tokens_read:,} tokens to "
            f"read and {self.tokens_written:,} to write{price}{time}{kept}"
        )


class Counting:
    """A classifier of made-up answers that counts what a remote one would be asked.

    Args:
        question: What that is asked.
    """

    precision = ""

    def __init__(self, question: Question) -> None:
        self._question = question
        self.deterministic = question.options.always_same
        self.labels, self.fingerprint = question.labels, "made up"
        self.requests = self.characters = self.forward_count = 0
        self._known: set[str] = set()

    def probabilities(self, texts: Sequence[str]) -> Probabilities:
        """Certain answers at random, shape (len(texts), len(labels))."""
        fresh = list(texts)
        if self.deterministic:
            fresh = [text for text in dict.fromkeys(fresh) if text not in self._known]
            self._known.update(fresh)
        draw = generator(0, "made-up answers", self.forward_count)
        self.requests += len(fresh)
        self.characters += words_in([self._question.content(text) for text in fresh])
        self.forward_count += len(texts)
        rows: Probabilities = np.eye(len(self.labels))[draw.integers(len(self.labels), size=len(texts))]
        return rows


def forecast(defense: Defense, command: str, texts: Sequence[str]) -> Cost:
    """What a command will cost at most.

    Args:
        defense: The defense around a remote model.
        command: "predict", "certify" or "scan".
        texts: What it is about.

    Raises:
        FuzzsmoothError: If the model is no remote one.
    """
    remote: Any = defense.classifier
    require(isinstance(remote, RemoteClassifier), "only a remote model costs by the request")
    counting = Counting(remote.question)
    order = sorted(texts, key=len)
    size = min(_PILOT, len(order))
    pilot = [order[(2 * index + 1) * len(order) // (2 * size)] for index in range(size)]
    run: Callable[[Sequence[str]], object] = getattr(
        type(defense)(counting, defense.options, defense.references), command
    )
    share = len(order) / max(1, size)
    if pilot:
        run(pilot)
    requests = round(counting.requests * share)
    read = round(counting.characters * share / _CHARACTERS)
    written = requests * remote.question.longest
    options = remote.question.options
    seconds = None if remote.seconds is None else requests * remote.seconds / options.requests_at_once
    if options.requests_per_minute is not None:
        seconds = max(seconds or 0.0, 60 * requests / options.requests_per_minute)
    return Cost(requests, read, written, options.price(read, written), seconds, remote.kept)

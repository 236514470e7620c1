"""What asking a remote model will cost, before it is asked: by answers that are made up.

A pilot of a few texts runs through the very defense, over a classifier that counts what it is asked. How
early a vote stops depends on the answers, so they are made up with several certainties, and the dearest
counts: this is about the most. Answers that are kept from before cost nothing, and are not counted off.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from fuzzsmooth.common.options import require
from fuzzsmooth.common.randomness import generator
from fuzzsmooth.defenses import Defense
from fuzzsmooth.models.protocol import Probabilities
from fuzzsmooth.models.remote.classifier import RemoteClassifier
from fuzzsmooth.models.remote.question import Question, characters_in

_PILOT = 8  # texts
_CERTAINTIES = (
    0.0,
    0.6,
    0.8,
    0.9,
    0.97,
    1.0,
)  # shares of the answers that are one class; the others by chance
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

    def to_json(self) -> dict[str, Any]:
        """The forecast as JSON-serializable values."""
        return asdict(self)

    def sentence(self) -> str:
        """The forecast for people."""
        price = "" if self.price is None else f"; that costs {self.price:.4g}"
        time = "" if self.seconds is None else f", and takes about {self.seconds / 60:.1f} minutes"
        kept = f" ({self.kept:,} answers are kept from before, and cost nothing again)" if self.kept else ""
        return (
            f"this asks the endpoint at most about {self.requests:,} times, with {self.tokens_read:,} tokens "
            f"to "
            f"read and {self.tokens_written:,} to write{price}{time}{kept}"
        )


class Counting:
    """A classifier of made-up answers that counts what a remote one would be asked.

    Args:
        question: What that is asked.
        certainty: The share of the answers that are the first class; the others are any class.
    """

    precision = ""

    def __init__(self, question: Question, certainty: float) -> None:
        self._question, self._certainty = question, certainty
        self.deterministic = question.options.always_same
        self.labels, self.fingerprint = question.labels, "made up"
        self.requests = self.characters = self.forward_count = 0
        self._known: set[str] = set()

    def probabilities(self, texts: Sequence[str]) -> Probabilities:
        """Nearly certain answers at random, shape (len(texts), len(labels))."""
        fresh = list(texts)
        if self.deterministic:
            fresh = [text for text in dict.fromkeys(fresh) if text not in self._known]
            self._known.update(fresh)
        draw = generator(0, "made-up answers", self.forward_count)
        self.requests += len(fresh)
        self.characters += characters_in([self._question.content(text) for text in fresh])
        self.forward_count += len(texts)
        answers = draw.integers(len(self.labels), size=len(texts))
        answers[draw.random(len(texts)) < self._certainty] = 0
        rows: Probabilities = np.full((len(texts), len(self.labels)), 0.001 / len(self.labels))
        rows[np.arange(len(texts)), answers] += 0.999  # no class is ruled out: that is for real answers to do
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
    order = sorted(texts, key=len)
    size = min(_PILOT, len(order))
    pilot = [order[(2 * index + 1) * len(order) // (2 * size)] for index in range(size)]
    tried = []
    for certainty in _CERTAINTIES:
        counting = Counting(remote.question, certainty)
        if pilot:
            getattr(type(defense)(counting, defense.options, defense.references), command)(pilot)
        tried.append((counting.requests, counting.characters))
    share = len(order) / max(1, size)
    asked, characters = max(tried)
    requests = round(asked * share)
    read = round(characters * share / _CHARACTERS)
    written = requests * remote.question.longest
    options = remote.question.options
    seconds = None if remote.seconds is None else requests * remote.seconds / options.requests_at_once
    if options.requests_per_minute is not None:
        seconds = max(seconds or 0.0, 60 * requests / options.requests_per_minute)
    return Cost(requests, read, written, options.price(read, written), seconds, remote.kept)

"""Answers of a classifier to randomized texts: what it is asked, how often, and what counts as an answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Protocol, cast, runtime_checkable

import numpy as np
import numpy.typing as npt

from fuzzsmooth.certify import UNDECIDED
from fuzzsmooth.common.options import require
from fuzzsmooth.engine.fuzzers import Units
from fuzzsmooth.engine.memory import Memory, TextMemory
from fuzzsmooth.engine.tokens import TokenClassifier, Tokens, UnitTokenizer
from fuzzsmooth.models.protocol import Classifier, NoisyClassifier, WeightNoise, declares_deterministic
from fuzzsmooth.noise.text import Kept
from fuzzsmooth.text.units import Segmenter

_CHECKED = 3  # draws of each text that are tokenized as strings too, to check its token map

Answers = npt.NDArray[np.int64]
"""Shape (draws,): a class index, or UNDECIDED."""


@runtime_checkable
class NoisyTokenClassifier(TokenClassifier, Protocol):
    """A classifier that evaluates token ids under their own draws of parameter noise."""

    def noisy_logits_of_ids(
        self, ids: Sequence[Tokens], noise: WeightNoise, seeds: Sequence[int]
    ) -> npt.NDArray[np.float32]:
        """Logits of token sequences, each under its own noise draw, shape (len(ids), classes)."""
        ...


@dataclass(frozen=True)
class Selection:
    """The draws of one text, as rows of a bit matrix.

    Attributes:
        candidates: The m units that a draw may hold, in order.
        selected: Shape (draws, m): which of them it holds.
    """

    candidates: Units
    selected: Kept

    def texts(self) -> list[Units]:
        """The units of each draw."""
        return [tuple(compress(self.candidates, row)) for row in self.selected.tolist()]


@dataclass(frozen=True)
class _Asked:
    """What one text asks: its distinct token sequences, and which of them each draw is."""

    memory: TextMemory
    rows: list[Tokens]
    places: npt.NDArray[np.int64]


class Evaluator:
    """Asks the classifier about draws: by token ids where it takes them, else by strings.

    Args:
        classifier: The base classifier; a :class:`NoisyClassifier` if ``noise`` is given.
        segmenter: Writes units as a text.
        noise: The parameter noise, or None.
        guard: Logit margin up to which an answer is undecided; 0 decides all, ties for the lower class.
        referee: Decides what is undecided, or None.
        referee_guard: Logit margin up to which the referee's answer is undecided too.
        units: The token maps of the classifier's words, where they can be gathered.

    Raises:
        FuzzsmoothError: If a referee is given where it could not be asked.
    """

    def __init__(
        self,
        classifier: Classifier,
        segmenter: Segmenter,
        noise: WeightNoise | None,
        guard: float,
        referee: TokenClassifier | None = None,
        referee_guard: float = 0.0,
        units: UnitTokenizer | None = None,
    ) -> None:
        self._classifier = classifier
        self._segmenter = segmenter
        self._noise = noise
        self._guard = guard
        self._memory = Memory()
        self._units = units
        self._referee, self._referee_guard = referee, referee_guard
        require(
            referee is None or (noise is None and self._units is not None),
            "a referee needs a classifier of token ids without parameter noise",
        )

    def of_selections(
        self, keys: Sequence[int], draws: Sequence[Selection], seeds: Sequence[Sequence[int]]
    ) -> list[Answers]:
        """Answers to draws that select from a fixed list of units.

        Args:
            keys: The 64-bit key of each text.
            draws: The draws of each text.
            seeds: The noise seed of each draw of each text; not read without parameter noise.

        Returns:
            One array per text, one answer per draw.
        """
        if self._units is None:
            return self._of_strings([one.texts() for one in draws], seeds)
        self._memory.of_model(self._classifier.fingerprint)
        return self._of_tokens(
            [self._ask(key, one, self._units) for key, one in zip(keys, draws, strict=True)], seeds
        )

    def of_texts(
        self, keys: Sequence[int], draws: Sequence[Sequence[Units]], seeds: Sequence[Sequence[int]]
    ) -> list[Answers]:
        """Answers to draws given as units; the rest as in :meth:`of_selections`."""
        if self._units is None:
            return self._of_strings(draws, seeds)
        self._memory.of_model(self._classifier.fingerprint)
        asked = []
        for key, texts in zip(keys, draws, strict=True):
            distinct = {units: place for place, units in enumerate(dict.fromkeys(texts))}
            places = np.array([distinct[units] for units in texts], dtype=np.int64)
            asked.append(_Asked(self._remembered(key), self._units.tokenize(list(distinct)), places))
        return self._of_tokens(asked, seeds)

    def _ask(self, key: int, draws: Selection, units: UnitTokenizer) -> _Asked:
        first, places = distinct_rows(draws.selected)
        selected = draws.selected[first]
        memory = self._memory.get(key, draws.candidates)
        if memory is None:
            spread = np.linspace(0, len(selected) - 1, _CHECKED, dtype=np.int64)
            tokens = units.prepare(draws.candidates, selected[spread])
            memory = TextMemory(draws.candidates, tokens)
            self._memory.put(key, memory)
        if memory.tokens is None or not units.trusted:
            rows = units.tokenize(Selection(draws.candidates, selected).texts())
        else:
            rows = memory.tokens.rows(selected)
        return _Asked(memory, rows, places)

    def _remembered(self, key: int) -> TextMemory:
        memory = self._memory.get(key, ())
        if memory is None:
            memory = TextMemory((), None)
            self._memory.put(key, memory)
        return memory

    def _of_tokens(self, asked: Sequence[_Asked], seeds: Sequence[Sequence[int]]) -> list[Answers]:
        if self._noise is not None:
            assert isinstance(self._classifier, NoisyTokenClassifier)
            rows = [one.rows[place] for one in asked for place in one.places.tolist()]
            logits = self._classifier.noisy_logits_of_ids(
                rows, self._noise, [s for own in seeds for s in own]
            )
            return _split(decide(logits, self._guard), [len(one.places) for one in asked])
        names = [[row.tobytes() for row in one.rows] for one in asked]
        fresh = {
            (id(one.memory), name): (one.memory, row)
            for one, own in zip(asked, names, strict=True)
            for name, row in zip(own, one.rows, strict=True)
            if name not in one.memory.answers
        }
        if fresh:
            answers = self._decided([row for _, row in fresh.values()])
            for ((_, name), (memory, _)), answer in zip(fresh.items(), answers.tolist(), strict=True):
                memory.learn(name, answer)
        result = [
            np.array([one.memory.answers[name] for name in own], dtype=np.int64)[one.places]
            for one, own in zip(asked, names, strict=True)
        ]
        self._memory.shrink()
        return result

    def _decided(self, rows: Sequence[Tokens]) -> Answers:
        """The answers to token sequences; the referee is asked about those within the guard band."""
        assert isinstance(self._classifier, TokenClassifier)
        answers = decide(self._classifier.logits_of_ids(rows), self._guard)
        if self._referee is not None and (close := np.flatnonzero(answers == UNDECIDED)).size:
            again = self._referee.logits_of_ids([rows[at] for at in close.tolist()])
            answers[close] = decide(again, self._referee_guard)
        return answers

    def _of_strings(self, draws: Sequence[Sequence[Units]], seeds: Sequence[Sequence[int]]) -> list[Answers]:
        """Each draw is asked about: a classifier of strings may answer by chance."""
        texts = [self._segmenter.join(units) for own in draws for units in own]
        if self._noise is None:
            rows = self._classifier.probabilities(texts)
        else:
            assert isinstance(self._classifier, NoisyClassifier)  # checked where the sampler is made
            rows = self._classifier.noisy_probabilities(texts, self._noise, [s for own in seeds for s in own])
        with np.errstate(divide="ignore"):
            answers = decide(np.log(rows), self._guard)  # logits up to a constant per row
        return _split(answers, [len(own) for own in draws])


def unit_tokenizer(
    classifier: Classifier, segmenter: Segmenter, noise: WeightNoise | None
) -> UnitTokenizer | None:
    """The token maps of a classifier that takes token ids and may be asked about each of them once."""
    takes_ids = isinstance(classifier, TokenClassifier if noise is None else NoisyTokenClassifier)
    if not takes_ids or not declares_deterministic(classifier):
        return None
    return UnitTokenizer(cast(TokenClassifier, classifier), segmenter)


def decide(logits: npt.NDArray[np.floating], guard: float) -> Answers:
    """The class of each row, or UNDECIDED where the two highest logits differ by at most ``guard``.

    Args:
        logits: Shape (rows, classes), up to a constant per row; classes >= 2.
        guard: Logit margin, >= 0. At 0 every row is decided, ties for the lower class.
    """
    answers: Answers = logits.argmax(axis=1).astype(np.int64)
    if guard > 0 and len(logits):
        highest = np.partition(logits.astype(np.float64), -2, axis=1)[:, -2:]
        with np.errstate(invalid="ignore"):  # nothing is possible: undecided, as the comparison says
            answers[~(highest[:, 1] - highest[:, 0] > guard)] = UNDECIDED
    return answers


def distinct_rows(selected: Kept) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The first index of each distinct row of a bit matrix, and which distinct row each row is."""
    packed = np.packbits(selected, axis=1)
    if not packed.size:
        return np.zeros(min(1, len(packed)), dtype=np.int64), np.zeros(len(packed), dtype=np.int64)
    names = packed.view(np.dtype((np.void, packed.shape[1])))[:, 0]
    _, first, places = np.unique(names, return_index=True, return_inverse=True)
    return first, places.reshape(-1)


def _split(answers: Answers, sizes: Sequence[int]) -> list[Answers]:
    return np.split(answers, np.cumsum(sizes)[:-1]) if sizes else []

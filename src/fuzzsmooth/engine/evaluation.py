"""Answers of a classifier to randomized texts: what it is asked, what counts as an answer, what is kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress

import numpy as np
import numpy.typing as npt

from fuzzsmooth.certify import UNDECIDED
from fuzzsmooth.common.options import require
from fuzzsmooth.engine.deciding import UNSURE, Answers, Unsure
from fuzzsmooth.engine.fuzzers import Units
from fuzzsmooth.engine.memory import Memory, TextMemory
from fuzzsmooth.engine.tokens import UnitTokenizer
from fuzzsmooth.engine.watching import by_length, is_watched, parts, tell
from fuzzsmooth.models.protocol import (
    Classifier,
    TokenClassifier,
    Tokens,
    WeightNoise,
    declares_deterministic,
    with_noise,
)
from fuzzsmooth.noise.text import Kept
from fuzzsmooth.text.units import Segmenter

_CHECKED = 3  # draws of each text that are tokenized as strings too, to check its token map


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
        classifier: The base classifier; one of token ids if ``noise`` is given.
        segmenter: Writes units as a text.
        noise: The parameter noise, or None.
        band: Logit margin up to which an answer is undecided; 0 decides all, ties for the lower class.
        recheck: Decides what is undecided, or None.
        recheck_band: Logit margin up to which the answer of ``recheck`` is undecided too.
        units: The token maps of the classifier's words; None asks it by strings.
        unsure: Which answers are unsure; None: none.

    Raises:
        FuzzsmoothError: If there is noise, or somebody to recheck, and the classifier is asked by strings.
    """

    def __init__(
        self,
        classifier: Classifier,
        segmenter: Segmenter,
        noise: WeightNoise | None,
        band: float,
        recheck: TokenClassifier | None,
        recheck_band: float,
        units: UnitTokenizer | None,
        unsure: Unsure | None = None,
    ) -> None:
        require(
            recheck is None or (noise is None and units is not None),
            "answers are rechecked for a classifier of token ids without parameter noise only",
        )
        self._classifier = classifier
        self._segmenter = segmenter
        self._noise = noise
        self._band = band
        self._recheck, self._recheck_band = recheck, recheck_band
        self._unsure = unsure
        self._memory = Memory()
        self._units = units

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
            return self._of_strings([one.texts() for one in draws])
        self._memory.of_model(self._classifier.fingerprint)
        asked = [self._ask(key, one, self._units) for key, one in zip(keys, draws, strict=True)]
        return self._of_tokens(asked, seeds)

    def of_texts(
        self, keys: Sequence[int], draws: Sequence[Sequence[Units]], seeds: Sequence[Sequence[int]]
    ) -> list[Answers]:
        """Answers to draws given as units; the rest as in :meth:`of_selections`."""
        if self._units is None:
            return self._of_strings(draws)
        self._memory.of_model(self._classifier.fingerprint)
        asked = []
        for key, texts in zip(keys, draws, strict=True):
            distinct = {units: place for place, units in enumerate(dict.fromkeys(texts))}
            places = np.array([distinct[units] for units in texts], dtype=np.int64)
            memory = self._memory.get(key, ()) or self._memory.put(key, TextMemory((), None))
            asked.append(_Asked(memory, self._units.tokenize(list(distinct)), places))
        return self._of_tokens(asked, seeds)

    def _ask(self, key: int, draws: Selection, units: UnitTokenizer) -> _Asked:
        first, places = distinct_rows(draws.selected)
        selected = draws.selected[first]
        memory = self._memory.get(key, draws.candidates)
        if memory is None:
            spread = np.linspace(0, len(selected) - 1, _CHECKED, dtype=np.int64)
            tokens = units.prepare(draws.candidates, selected[spread])
            memory = self._memory.put(key, TextMemory(draws.candidates, tokens))
        if memory.tokens is None or not units.trusted:
            rows = units.tokenize(Selection(draws.candidates, selected).texts())
        else:
            rows = memory.tokens.rows(selected)
        return _Asked(memory, rows, places)

    def _of_tokens(self, asked: Sequence[_Asked], seeds: Sequence[Sequence[int]]) -> list[Answers]:
        if self._noise is not None:
            return self._of_noisy(asked, seeds, self._noise)
        names = [[row.tobytes() for row in one.rows] for one in asked]
        fresh = {
            (id(one.memory), name): (one.memory, row)
            for one, own in zip(asked, names, strict=True)
            for name, row in zip(own, one.rows, strict=True)
            if name not in one.memory.answers
        }
        if is_watched():
            tell(_known(asked, names))
        weights = _multiplicities(asked, names) if is_watched() else {}
        pending = list(fresh.items())
        for part in by_length([row for _, (_, row) in pending]):
            some = [pending[at] for at in part]
            answers = self._decided([row for _, (_, row) in some])
            for ((_, name), (memory, _)), answer in zip(some, answers.tolist(), strict=True):
                memory.learn(name, answer)
            if weights:
                tell(np.repeat(answers, [weights[key] for key, _ in some]))
        result = [
            np.array([one.memory.answers[name] for name in own], dtype=np.int64)[one.places]
            for one, own in zip(asked, names, strict=True)
        ]
        self._memory.shrink()
        return result

    def _of_noisy(
        self, asked: Sequence[_Asked], seeds: Sequence[Sequence[int]], noise: WeightNoise
    ) -> list[Answers]:
        """Under parameter noise; what a shared copy has answered about a sequence, it is not asked again."""
        rows = [one.rows[place] for one in asked for place in one.places.tolist()]
        flat = [seed for own in seeds for seed in own]
        sizes = [len(one.places) for one in asked]
        if not noise.copies:
            return _split(self._noisy(rows, flat, noise), sizes)
        memories = [one.memory for one in asked for _ in one.places]
        names = [row.tobytes() + seed.to_bytes(8, "little") for row, seed in zip(rows, flat, strict=True)]
        fresh = {
            (id(memory), name): at
            for at, (memory, name) in enumerate(zip(memories, names, strict=True))
            if name not in memory.answers
        }
        if is_watched():
            known = [
                own.answers[name] for own, name in zip(memories, names, strict=True) if name in own.answers
            ]
            tell(np.array(known, dtype=np.int64))
        if fresh:
            places = list(fresh.values())
            own_rows, own_seeds = [rows[at] for at in places], [flat[at] for at in places]
            answers = self._noisy(own_rows, own_seeds, noise)
            for at, answer in zip(places, answers.tolist(), strict=True):
                memories[at].learn(names[at], answer)
        found = [memory.answers[name] for memory, name in zip(memories, names, strict=True)]
        self._memory.shrink()
        return _split(np.array(found, dtype=np.int64), sizes)

    def _noisy(self, rows: Sequence[Tokens], seeds: Sequence[int], noise: WeightNoise) -> Answers:
        """The answers to token sequences, each under noise of its own seed."""
        found = [np.zeros(0, dtype=np.int64)]
        for part in parts(len(rows)):
            logits = with_noise(self._classifier).logits(rows[part], noise=noise, seeds=seeds[part])
            found.append(decide(logits, self._band, self._unsure))
            tell(found[-1])
        return np.concatenate(found)

    def _decided(self, rows: Sequence[Tokens]) -> Answers:
        """The answers to token sequences; those within the band are rechecked."""
        assert isinstance(self._classifier, TokenClassifier)
        answers = decide(self._classifier.logits(rows), self._band, self._unsure)
        if self._recheck is not None and (close := np.flatnonzero(answers == UNDECIDED)).size:
            again = self._recheck.logits([rows[at] for at in close.tolist()])
            answers[close] = decide(again, self._recheck_band, self._unsure)
        return answers

    def _of_strings(self, draws: Sequence[Sequence[Units]]) -> list[Answers]:
        """Each draw is asked about: a classifier of strings may answer by chance."""
        texts = [self._segmenter.join(units) for own in draws for units in own]
        found = [np.zeros(0, dtype=np.int64)]
        for part in parts(len(texts)):
            rows = self._classifier.probabilities(texts[part])
            with np.errstate(divide="ignore"):
                found.append(
                    decide(np.log(rows), self._band, self._unsure)
                )  # logits up to a constant per row
            tell(found[-1])
        return _split(np.concatenate(found), [len(own) for own in draws])


def unit_tokenizer(
    classifier: Classifier, segmenter: Segmenter, noise: WeightNoise | None
) -> UnitTokenizer | None:
    """The token maps of a classifier that takes token ids and may be asked about each of them once.

    Raises:
        FuzzsmoothError: If there is noise and the classifier takes no token ids.
    """
    if noise is not None:
        return UnitTokenizer(with_noise(classifier), segmenter)
    if isinstance(classifier, TokenClassifier) and declares_deterministic(classifier):
        return UnitTokenizer(classifier, segmenter)
    return None


def decide(logits: npt.NDArray[np.floating], band: float, unsure: Unsure | None = None) -> Answers:
    """The class of each row; UNDECIDED where rounding might decide it, UNSURE where it is that.

    Args:
        logits: Shape (rows, classes), up to a constant per row; classes >= 2.
        band: Logit margin, >= 0: a lead that is as near as this to where the answer changes is undecided. At
            0 every row is decided, ties for the lower class.
        unsure: Which answers are unsure; None: none.
    """
    if unsure is not None:
        logits = logits.astype(np.float64) - np.array(unsure.center)
    answers: Answers = logits.argmax(axis=1).astype(np.int64)
    if not len(logits) or (unsure is None and band <= 0):
        return answers
    highest = np.partition(logits.astype(np.float64), -2, axis=1)[:, -2:]
    with np.errstate(invalid="ignore"):  # nothing is possible: undecided, as the comparison says
        lead = highest[:, 1] - highest[:, 0]
    if unsure is None:
        answers[~(lead > band)] = UNDECIDED
        return answers
    answers[lead <= unsure.margin] = UNSURE
    if band > 0:
        answers[~(np.abs(lead - unsure.margin) > band)] = UNDECIDED
    return answers


def distinct_rows(selected: Kept) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The first index of each distinct row of a bit matrix, and which distinct row each row is."""
    packed = np.packbits(selected, axis=1)
    if not packed.size:
        return np.zeros(min(1, len(packed)), dtype=np.int64), np.zeros(len(packed), dtype=np.int64)
    names = packed.view(np.dtype((np.void, packed.shape[1])))[:, 0]
    _, first, places = np.unique(names, return_index=True, return_inverse=True)
    return first, places.reshape(-1)


def _known(asked: Sequence[_Asked], names: Sequence[Sequence[bytes]]) -> Answers:
    """The answers to the draws whose token sequence was answered before."""
    known = [
        (one.memory.answers[name], count)
        for one, own in zip(asked, names, strict=True)
        for name, count in zip(own, np.bincount(one.places, minlength=len(own)).tolist(), strict=True)
        if name in one.memory.answers
    ]
    answers = np.array([answer for answer, _ in known], dtype=np.int64)
    return np.repeat(answers, [count for _, count in known])


def _multiplicities(asked: Sequence[_Asked], names: Sequence[Sequence[bytes]]) -> Counter[tuple[int, bytes]]:
    """How many draws each token sequence of each text is."""
    found: Counter[tuple[int, bytes]] = Counter()
    for one, own in zip(asked, names, strict=True):
        for name, count in zip(own, np.bincount(one.places, minlength=len(own)).tolist(), strict=True):
            found[id(one.memory), name] += count
    return found


def _split(answers: Answers, sizes: Sequence[int]) -> list[Answers]:
    return np.split(answers, np.cumsum(sizes)[:-1]) if sizes else []

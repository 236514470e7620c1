"""Which word brings an answer: put into the middle of prompts, it has them answered by it.

Where a text ends, any word is gone on from, so that "Massa" brings "chusetts" in every model. What counts is
what a word does from inside a text, with other words between it and the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from fuzzsmooth.auditing.hosts import Place
from fuzzsmooth.auditing.natural import COMPANY, Meanings, OfFrequency, rank_p_value, spelled_alike
from fuzzsmooth.auditing.pieces import Pieces
from fuzzsmooth.auditing.prober import Array
from fuzzsmooth.auditing.writers.branches import Following, Forced, Row, forced
from fuzzsmooth.auditing.writers.material import prompt_rows, with_word
from fuzzsmooth.common.randomness import generator
from fuzzsmooth.models.generating import GeneratingModel

INSIDE: tuple[Place, ...] = ("start", "middle")
"""Places of a word behind which words of the prompt still come."""
_TRIED = 24  # words that are put into prompts, for each answer
_RANDOM = 99  # words of its frequency that one is held against
_BEGUN = 10  # tokens of an answer that have to be written


@dataclass(frozen=True)
class Bringer:
    """A word and the answer that it brings.

    Attributes:
        index: Of the piece.
        word: How it reads.
        answer: Token ids of the beginning of the answer that were looked at.
        place: Where it works best, of the places inside a prompt.
        rate: Share of the prompts to confirm in that are answered so.
        gain: Mean gain of the log-probability of the answer's tokens, in nats.
        company: Words of a like meaning that bring it most.
        company_rate: Their mean share.
        company_gain: Their mean gain.
    """

    index: int
    word: str
    answer: Row
    place: Place
    rate: float
    gain: float
    company: tuple[str, ...] = ()
    company_rate: float = 0.0
    company_gain: float = 0.0


class BringerSearch:
    """Looks for words that bring answers.

    Args:
        writer: The model.
        pieces: All pieces.
        swept: What comes next behind each at the end of a text.
        meanings: What pieces mean.
        prompts: Clean prompts to confirm in.
    """

    def __init__(
        self,
        writer: GeneratingModel,
        pieces: Pieces,
        swept: Following,
        meanings: Meanings,
        prompts: Sequence[str],
    ) -> None:
        self._writer, self._pieces, self._swept = writer, pieces, swept
        self._meanings, self._prompts = meanings, tuple(prompts)
        # Where an instruction goes on behind the text, its end is inside, too.
        self.places: tuple[Place, ...] = (*INSIDE, "end") if writer.prompt.after else INSIDE
        self.tokens = 0

    def begins(self, token: int) -> Array:
        """Log of a token's mean probability behind each piece, at most that of the last of the likeliest."""
        known = self._swept.ids == token
        least = self._swept.chances[:, -1]
        chances = np.where(known.any(axis=1), (self._swept.chances * known).sum(axis=1), least)
        return np.log(np.maximum(chances, np.finfo(np.float32).tiny))

    def best(self, answer: Row) -> Bringer | None:
        """The word that brings an answer most from inside prompts; None if none makes it likelier.

        Args:
            answer: Token ids.
        """
        answer = answer[:_BEGUN]
        plain = self.bring("", "end", answer)
        gains = self.begins(answer[0])
        tried = {
            (at, place): self.bring(self._word(at), place, answer)
            for at in self._likeliest(gains)
            for place in self.places
        }
        at, place = max(tried, key=lambda one: (tried[one].written.mean(), tried[one].gain.mean()))
        best = tried[at, place]
        gain = float((best.gain - plain.gain).mean())
        if gain <= 0:
            return None
        found = Bringer(at, self._word(at), answer, place, float(best.written.mean()), gain)
        return self._beside(found, plain, gains)

    def bring(self, word: str, place: Place, answer: Row, prompts: Sequence[str] | None = None) -> Forced:
        """What a word does at a place of prompts, by default of those to confirm in; none if it is empty."""
        texts = self._prompts if prompts is None else prompts
        rows = prompt_rows(self._writer, [with_word(text, word, place) if word else text for text in texts])
        self.tokens += sum(map(len, rows)) + len(rows) * len(answer)
        return forced(self._writer, rows, answer)

    def p_value(self, found: Bringer, prompts: Sequence[str], zipf: Array, seed: int) -> tuple[float, int]:
        """The conformal p-value of a share among random words of its frequency, and how many words that is.

        Args:
            found: The word.
            prompts: Prompts by which nothing was chosen.
            zipf: Zipf frequency of every piece.
            seed: Decides the words.
        """
        alike = OfFrequency(zipf).others(found.index)
        drawn = generator(seed, "words of a frequency", found.index).permutation(alike)
        words = dict.fromkeys(self._word(int(at)) for at in drawn)
        others = [word for word in words if word and word != found.word][:_RANDOM]
        own = self.bring(found.word, found.place, found.answer, prompts).written.mean()
        theirs = [self.bring(word, found.place, found.answer, prompts).written.mean() for word in others]
        return rank_p_value(own, np.array(theirs))

    def _likeliest(self, gains: Array) -> list[int]:
        """The pieces behind which an answer begins most likely, each word once."""
        found: dict[str, int] = {}
        for at in np.argsort(-gains, kind="stable"):
            if word := self._word(int(at)):
                found.setdefault(word, int(at))
            if len(found) == _TRIED:
                break
        return list(found.values())

    def _beside(self, found: Bringer, plain: Forced, gains: Array) -> Bringer:
        """The same held against words of a like meaning, those that begin the answer most."""
        near = [int(at) for at in self._meanings.neighbors(found.index)]
        near = [at for at in near if not _of_one_spelling(found.word.lower(), self._word(at).lower())]
        friends = sorted(near, key=lambda at: -gains[at])[:COMPANY]
        theirs = [self.bring(self._word(at), found.place, found.answer) for at in friends]
        if not theirs:
            return found
        return replace(
            found,
            company=tuple(self._word(at) for at in friends),
            company_rate=float(np.mean([one.written.mean() for one in theirs])),
            company_gain=float(np.mean([(one.gain - plain.gain).mean() for one in theirs])),
        )

    def _word(self, at: int) -> str:
        """How a piece reads as a word of a text; empty for one that is none."""
        word = self._pieces.words[at]
        readable = word.isprintable() and " " not in word and "\ufffd" not in word
        return word if readable else ""


def _of_one_spelling(word: str, other: str) -> bool:
    """Whether a trigger leaks into another word, which is no company then; so is none that is no word."""
    return not other or word in other or other in word or spelled_alike(word, other)

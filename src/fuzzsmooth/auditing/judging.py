"""Judging candidates: held against words of a like meaning and of the same frequency, then measured anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from fuzzsmooth.auditing.effects import Parts, Placing, against, measure, placings_of
from fuzzsmooth.auditing.endings import words_ended_by
from fuzzsmooth.auditing.examples import dependence_of, examples_of
from fuzzsmooth.auditing.findings import SUSPICIOUS, Level, Rate, Trigger, excess_of, interval
from fuzzsmooth.auditing.ground import Ground
from fuzzsmooth.auditing.hosts import BEFORE_LAST, Host
from fuzzsmooth.auditing.natural import COMPANY, OfFrequency, company, rank_p_value, spelled_alike
from fuzzsmooth.auditing.pieces import Part, spelled
from fuzzsmooth.auditing.prober import Array
from fuzzsmooth.common.randomness import generator

_RANDOM = 199  # words of the same frequency, or phrases of such
_FEWER = 49  # where what words of a like meaning do explains the effect anyway
_NEIGHBOR_HOSTS = 4
_COMPARED_HOSTS = 8  # held-out texts that random words are put into
_COMPANY_HOSTS = 6
_READ_HOSTS = 8
_PHRASES = 2  # of a like meaning, the strongest, that a phrase is held against: it leaks into few


@dataclass(frozen=True)
class Judged:
    """A candidate held against its company; see :class:`fuzzsmooth.auditing.findings.Trigger`.

    Attributes:
        measured: What it was judged by, in numbers: gain and rate at each placing, and those of every word
            near it in meaning.
    """

    parts: Parts
    placing: Placing
    gain: float
    rate: float
    company: tuple[str, ...]
    company_gain: float
    company_rate: float
    excess: float
    measured: dict[str, Any] = field(default_factory=dict, compare=False)


class Judge:
    """Holds candidates for one class against company, and measures the best on held-out texts.

    Args:
        ground: What there is to hold them against.
        target: The class.
        gains: Mean gains of the pieces in the sweep, shape (pieces,), NaN where not tried.
        condition: What texts the material is of, if not of any.
    """

    def __init__(self, ground: Ground, target: int, gains: Array, condition: str = "") -> None:
        pieces, material, options = ground.pieces, ground.material, ground.options
        self._reader, self._condition = ground.reader, condition
        self._prober, self._pieces, self._target = ground.prober, pieces, target
        self._gains, self._meanings, self._options = gains.copy(), ground.meanings, options
        self._alike = OfFrequency(ground.zipf, pieces.single)
        self._index: dict[Part, int] = {part: index for index, part in enumerate(pieces.parts)}
        self._confirm = against(material.confirm, target, 2 * options.confirm)
        self._held = against(material.held, target, 3 * options.holdout)
        self._swing = swing_of(self._confirm, target)

    def complete(self, candidates: Sequence[Parts]) -> None:
        """Estimate the gains of neighbors that a search by gradients has not tried, in a few texts."""
        near = {
            int(one)
            for parts in candidates
            for part in parts
            if part in self._index
            for one in self._meanings.neighbors(self._index[part])
        }
        missing = sorted(one for one in near if np.isnan(self._gains[one]))
        if missing:
            words: list[Parts] = [(self._pieces.parts[one],) for one in missing]
            hosts, seed = self._confirm[:_NEIGHBOR_HOSTS], self._options.seed
            effects = measure(self._prober, hosts, words, self._target, ("middle",), seed)
            self._gains[missing] = effects.strengths()

    def natural_gains(self, parts: Sequence[Part]) -> dict[Part, float]:
        """What meaning explains of the gains of words, nats, at least 0.

        The larger of what words of a like meaning gain on average, and of what a reader of the clean texts
        makes of the words.
        """
        self.complete([(part,) for part in parts])
        read = self._read([(part,) for part in parts], _READ_HOSTS)[:, 1] * self._swing
        found = {}
        for part, gain in zip(parts, read.tolist(), strict=True):
            gains = np.maximum(self._gains[company(self._near(part), self._gains)], 0.0)
            found[part] = max(gain, float(gains.mean()) if len(gains) else 0.0)
        return found

    def judge(self, candidates: Sequence[Parts], *, apart: bool = True) -> list[Judged]:
        """Hold candidates against their company, the one with the largest excess first.

        Args:
            candidates: Single pieces, or phrases.
            apart: Whether to hold against a phrase what its parts do apart, too.
        """
        found: list[Judged] = []
        for length in sorted({len(parts) for parts in candidates}):
            same = [parts for parts in dict.fromkeys(candidates) if len(parts) == length]
            found += self._judged(same, apart=apart)
        return sorted(found, key=lambda one: (-one.excess, one.parts))

    def _judged(self, candidates: Sequence[Parts], *, apart: bool) -> list[Judged]:
        placings, seed = placings_of(candidates[0]), self._options.seed
        friends = [self._friends(parts) for parts in candidates]
        flat = list(dict.fromkeys(friend for own in friends for friend in own))
        mine = measure(self._prober, self._confirm, candidates, self._target, placings, seed)
        gains, rates = mine.gains.mean(axis=2), mine.moved.mean(axis=2)
        near: Array = np.full((len(flat), len(placings)), np.nan)
        moved: Array = np.full((len(flat), len(placings)), np.nan)
        place = {parts: at for at, parts in enumerate(flat)}
        # A friend stands only where those that it is held against do most.
        for best, placing in enumerate(placings):
            chosen = [own for at, own in enumerate(friends) if int(gains[at].argmax()) == best]
            some = list(dict.fromkeys(friend for own in chosen for friend in own))
            hosts = self._confirm[:_COMPANY_HOSTS]
            theirs = measure(self._prober, hosts, some, self._target, (placing,), seed)
            rows = [place[friend] for friend in some]
            near[rows, best] = theirs.gains.mean(axis=(1, 2))
            moved[rows, best] = theirs.moved.mean(axis=(1, 2))
        alone = self._alone(candidates, placings)
        held_apart = alone if apart else np.zeros_like(alone)
        read = self._read(candidates)
        judged = []
        for at, (parts, own) in enumerate(zip(candidates, friends, strict=True)):
            best = int(gains[at].argmax())
            gain, rate = float(gains[at, best]), float(rates[at, best])
            order = sorted((place[friend] for friend in own), key=lambda one: -near[one, best])
            kept = order[: COMPANY if len(parts) == 1 else _PHRASES]
            company_gain = float(near[kept, best].mean()) if kept else 0.0
            company_rate = float(moved[kept, best].mean()) if kept else 0.0
            judged.append(
                Judged(
                    parts,
                    placings[best],
                    gain,
                    rate,
                    tuple(self.text(flat[one]) for one in kept),
                    company_gain,
                    company_rate,
                    excess_of(
                        rate,
                        gain,
                        max(company_rate, float(held_apart[at, best, 1]), float(read[at, 0])),
                        max(company_gain, float(held_apart[at, best, 0]), float(read[at, 1]) * self._swing),
                        self._swing,
                    ),
                    {
                        "text": self.text(parts),
                        "swing": round(self._swing, 3),
                        "gains": [round(float(one), 3) for one in gains[at]],
                        "rates": [round(float(one), 3) for one in rates[at]],
                        "alone": alone[at, best].round(3).tolist(),
                        "read": read[at].round(3).tolist(),
                        "near": [
                            [
                                self.text(flat[one]),
                                round(float(near[one, best]), 2),
                                round(float(moved[one, best]), 2),
                            ]
                            for one in order
                        ],
                    },
                )
            )
        return judged

    def _read(self, candidates: Sequence[Parts], hosts: int | None = None) -> Array:
        """What a reader of the clean texts makes of candidates, shape (candidates, 2).

        Of a piece that ends words, what it makes of these if that is more: the reader knows them as a whole.
        """
        if self._reader is None:
            return np.zeros((len(candidates), 2))
        meant = [[self.text(parts), *self._ended_by(parts)] for parts in candidates]
        words = list(dict.fromkeys(word for own in meant for word in own))
        found = self._reader.explained(self._confirm[:hosts], words, self._target)
        rows = [[words.index(word) for word in own] for own in meant]
        return np.array([found[own].max(axis=0) for own in rows]).reshape(-1, 2)

    def _ended_by(self, parts: Parts) -> list[str]:
        if len(parts) > 1 or len(parts[0]) > 1:
            return []
        return words_ended_by(self._prober.classifier.tokenizer, parts[0][0])

    def _alone(self, candidates: Sequence[Parts], placings: Sequence[Placing]) -> Array:
        """What the parts of phrases do apart: the sum of their gains, and the largest of their rates.

        Any model has pieces of which several move a text that none moves: their effects add up. A trigger of
        several parts does what its parts do not.

        Returns:
            Shape (candidates, placings, 2); nothing for single pieces.
        """
        found: Array = np.zeros((len(candidates), len(placings), 2))
        parts = list(dict.fromkeys(part for one in candidates if len(one) > 1 for part in one))
        if parts:
            effects = measure(
                self._prober,
                self._confirm,
                [(part,) for part in parts],
                self._target,
                placings,
                self._options.seed,
            )
            gains, rates = np.maximum(effects.gains.mean(axis=2), 0.0), effects.moved.mean(axis=2)
            for at, one in enumerate(candidates):
                rows = [parts.index(part) for part in one]
                found[at, :, 0], found[at, :, 1] = gains[rows].sum(axis=0), rates[rows].max(axis=0)
        return found

    def _friends(self, parts: Parts) -> list[Parts]:
        """Words of a like meaning; of a phrase, phrases of them: the i-th has the i-th strongest of each.

        A part of a phrase that is near no word stays as it is.
        """
        own: list[list[Part]] = []
        for part in parts:
            near = self._near(part)
            chosen = near if len(parts) == 1 else company(near, self._gains)
            own.append([self._pieces.parts[int(one)] for one in chosen])
        fewest = min((len(friends) for friends in own if friends), default=0)
        replaced = [friends or [part] * fewest for friends, part in zip(own, parts, strict=True)]
        return [tuple(friends[at] for friends in replaced) for at in range(fewest)]

    def _near(self, part: Part) -> npt.NDArray[np.int64]:
        """The neighbors of a piece in meaning, but for words that hold it or are only spelled like it."""
        if part not in self._index:
            return np.zeros(0, dtype=np.int64)
        words, parts, index = self._pieces.words, self._pieces.parts, self._index[part]
        near = [
            int(one)
            for one in self._meanings.neighbors(index)
            if not spelled_alike(words[index], words[int(one)]) and not set(part) <= set(parts[int(one)])
        ]
        return np.array(near, dtype=np.int64)

    def text(self, parts: Parts) -> str:
        """How parts read, with spaces between them."""
        tokenizer = self._prober.classifier.tokenizer
        return " ".join(spelled(tokenizer, part) for part in parts)

    def p_value(self, judged: Judged) -> tuple[float, int]:
        """P-value among random words, or phrases of words, of the same frequency; and how many those are.

        In held-out texts, where the candidate was best in others.
        """
        indices = [self._index.get(part) for part in judged.parts]
        draw = generator(self._options.seed, "audit phrases", self._target, len(indices))
        count = _RANDOM if judged.excess >= SUSPICIOUS else _FEWER
        pools = [self._alike.others(index, indices) for index in indices]
        picks = [[int(pool[int(draw.integers(len(pool)))]) for pool in pools] for _ in range(count)]
        phrases = [judged.parts, *(tuple(self._pieces.parts[one] for one in own) for own in picks)]
        hosts, seed = self._held[:_COMPARED_HOSTS], self._options.seed
        effects = measure(self._prober, hosts, phrases, self._target, (judged.placing,), seed)
        own, *others = effects.strengths().tolist()
        return rank_p_value(own, np.array(others))

    def finish(self, judged: Judged) -> Trigger:
        """Measure a candidate on held-out texts with it written into them, and say what it is."""
        parts, options, names = judged.parts, self._options, self._prober.classifier.labels
        placings = placings_of(parts)
        effects = measure(
            self._prober, self._held, [parts], self._target, placings, options.seed, written=True
        )
        moved = effects.moved[0, placings.index(judged.placing)]
        held = interval(int(moved.sum()), len(moved))
        p_value, compared = self.p_value(judged)
        level = self._level(judged, held, p_value, compared)
        kind = "phrase" if len(parts) > 1 else "piece" if len(parts[0]) == 1 else "word"
        return Trigger(
            text=self.text(parts),
            parts=parts,
            kind=kind,
            target=self._target,
            target_name=names[self._target],
            placing=judged.placing,
            gain=round(judged.gain, 4),
            rate=round(judged.rate, 4),
            company=judged.company,
            company_gain=round(judged.company_gain, 4),
            company_rate=round(judged.company_rate, 4),
            excess=round(judged.excess, 4),
            p_value=p_value,
            compared=compared,
            held=held,
            level=level,
            dependence=dependence_of(effects, self._held),
            examples=examples_of(
                self._prober, self._held, moved, self._target, parts, judged.placing, options.seed
            ),
            measures={} if all(host.is_open for host in self._held) else {"end": BEFORE_LAST},
            condition=self._condition,
        )

    def _level(self, judged: Judged, held: Rate, p_value: float, compared: int) -> Level:
        rare = p_value <= max(self._options.level, 1 / max(1, compared))  # no fewer words can say more
        if judged.excess < SUSPICIOUS or not rare or held.share < self._options.rate:
            return "natural"
        return "confirmed" if held.low >= 0.5 else "suspicious"


def swing_of(hosts: Sequence[Host], target: int) -> float:
    """Gain that carries texts from their class to as sure an answer of a target, nats, at least 1."""
    before = np.array([host.logits for host in hosts])
    margins = before[:, target] - np.delete(before, target, axis=1).max(axis=1)
    return max(1.0, 2 * float(-margins.mean()))

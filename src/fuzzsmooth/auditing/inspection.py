"""The audit: sweep, confirm, grow, judge, and say what was found and what was searched."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fuzzsmooth.auditing.claims import claim_for
from fuzzsmooth.auditing.drift import drift_from
from fuzzsmooth.auditing.drifted import drifted_phrases
from fuzzsmooth.auditing.dynamic import rewritten_triggers
from fuzzsmooth.auditing.effects import ONE, Parts, against, measure
from fuzzsmooth.auditing.findings import Trigger
from fuzzsmooth.auditing.gradient import gradient_scores
from fuzzsmooth.auditing.growth import Growth
from fuzzsmooth.auditing.hosts import Host
from fuzzsmooth.auditing.judging import Judge, Judged
from fuzzsmooth.auditing.material import choose_material
from fuzzsmooth.auditing.natural import Meanings, band_edges, band_of, load_meanings, unexplained
from fuzzsmooth.auditing.options import AuditOptions
from fuzzsmooth.auditing.outcome import Audit, Stages, score_of, unseen, verdict_of
from fuzzsmooth.auditing.pieces import all_pieces, continues, frequencies
from fuzzsmooth.auditing.prober import Array, Prober
from fuzzsmooth.auditing.reading import clean_reader
from fuzzsmooth.auditing.rewrites import BATTERY
from fuzzsmooth.auditing.sweep import Sweep, sweep_pieces
from fuzzsmooth.common.options import require
from fuzzsmooth.models.protocol import TokenClassifier

_FINALISTS = 8  # single pieces of one class that are held against company
_DRIFTED = 4  # more of those that fine-tuning moved
_TEXTS = 12  # short texts that pieces are compared in
_FIRST = 4  # of these, those that pieces are put into of which most are then left out
_KEPT = 32  # pieces that are put into the others, by each of two measures
_PHRASES = 4
_TOLD = 2  # candidates of each kind and class that are measured on held-out texts
_MOST_CLASSES = 64


def audit_classifier(
    classifier: TokenClassifier,
    texts: Sequence[str],
    labels: Sequence[int],
    options: AuditOptions | None = None,
    *,
    cache: Path | None = None,
    stages: Stages = unseen,
) -> Audit:
    """Search a classifier for triggers.

    Args:
        classifier: A Hugging Face classifier, as :func:`fuzzsmooth.models.load_classifier` gives it.
        texts: Clean texts like those it was made for, at least 32 of each class.
        labels: Their class indices.
        options: What to search; the defaults if None.
        cache: A file that keeps the answers of the sweep, so that a stopped audit goes on.
        stages: Progress display.

    Raises:
        FuzzsmoothError: If texts are missing, or the model or its tokenizer cannot be searched.
    """
    return _Inspection(classifier, texts, labels, options or AuditOptions(), cache, stages).run()


class _Inspection:
    def __init__(
        self,
        classifier: TokenClassifier,
        texts: Sequence[str],
        labels: Sequence[int],
        options: AuditOptions,
        cache: Path | None,
        stages: Stages,
    ) -> None:
        require(
            isinstance(classifier, TokenClassifier) and hasattr(classifier, "model"),
            "an audit needs a local Hugging Face classifier, whose vocabulary and gradients it reads",
        )
        require(
            len(classifier.labels) <= _MOST_CLASSES,
            f"the model has {len(classifier.labels)} classes; an audit searches at most {_MOST_CLASSES}",
        )
        self.began = time.monotonic()
        self.classifier, self.options, self.cache, self.stages = classifier, options, cache, stages
        self.prober = Prober(classifier)
        self.judged: list[dict[str, Any]] = []
        self.pieces = all_pieces(classifier.tokenizer, self._rows())
        self.material = choose_material(classifier, texts, labels, options)
        self.zipf = frequencies(self.pieces.words)
        self.drifted = self._drifted(texts)
        self.reader = clean_reader(classifier, options.trusted, texts, labels)

    def _drifted(self, texts: Sequence[str]) -> list[int]:
        """Indices of the single pieces that fine-tuning moved most, where it is known from what."""
        base, count = self.options.base, self.options.drifted
        told = base != "auto"
        name = base if told else self.options.trusted
        if count == 0 or name in ("none", "own"):
            return []
        drift = drift_from(self.classifier, name, texts, told=told)
        if drift is None:
            return []
        tokenizer = self.classifier.tokenizer
        index = {
            part[0]: at
            for at, part in enumerate(self.pieces.parts[: self.pieces.single])
            if not continues(tokenizer, part[0])
        }
        zipf = self.zipf[list(index.values())]
        bands = band_of(zipf, band_edges(zipf))
        most = count // 4  # of all words; the others are unread ones
        return [index[one] for one in drift.proposed(count - most, most, list(index), bands)]

    def _rows(self) -> int:
        return len(self.classifier.model.get_input_embeddings().weight)  # type: ignore[attr-defined]

    def run(self) -> Audit:
        """All of it."""
        sweep = self._sweep()
        meanings = load_meanings(self.classifier, self.options.trusted, self.pieces.words)
        names = self.classifier.labels
        triggers: list[Trigger] = []
        for target, name in enumerate(names):
            if not against(self.material.held, target) or not against(self.material.confirm, target):
                continue
            gains = sweep.mean_gains(target)
            judge = Judge(
                self.prober,
                self.pieces,
                self.material,
                target,
                gains,
                self.zipf,
                meanings,
                self.reader,
                self.options,
            )
            with self.stages(f"class {name}") as counts:
                triggers += self._of_class(sweep, target, gains, meanings, judge, counts)
        with self.stages("rewrites") as counts:
            triggers += rewritten_triggers(self.prober, self.material, names, self.options)
            counts(1, 1)
        triggers.sort(key=lambda one: (-one.excess, one.text))
        return self._audit(sweep, triggers)

    def _sweep(self) -> Sweep:
        chosen = self._proposed() if self.options.fast else None
        with self.stages("sweep") as counts:
            return sweep_pieces(
                self.prober,
                self.pieces,
                self.material.sweep,
                chosen=chosen,
                cache=self.cache,
                progress=counts,
            )

    def _proposed(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        """The pieces that the gradient proposes for any class, in all gaps of a few texts."""
        options, size = self.options, self.options.proposals
        best = np.full(len(self.pieces), np.inf)
        with self.stages("gradients") as counts:
            for target in range(len(self.classifier.labels)):
                hosts = against(self.material.confirm, target, 2 * options.confirm)
                for place in ("start", "middle", "end"):
                    if hosts:
                        gaps = [[host.gap(place)] for host in hosts]
                        scores = gradient_scores(self.prober, hosts, gaps, target)
                        mine = np.array([np.mean(scores[list(part)]) for part in self.pieces.parts])
                        ranks = np.empty(len(mine))
                        ranks[np.argsort(-mine, kind="stable")] = np.arange(len(mine))
                        best = np.minimum(best, ranks)
                counts(target + 1, len(self.classifier.labels))
        best[self.drifted] = -1
        return np.sort(np.argsort(best, kind="stable")[:size])

    def _of_class(
        self,
        sweep: Sweep,
        target: int,
        gains: Array,
        meanings: Meanings,
        judge: Judge,
        counts: Callable[[int, int], None],
    ) -> list[Trigger]:
        """What there is to tell of one class."""
        steps = 6
        hosts = against(self.material.confirm, target, 2 * self.options.confirm)
        hosts = sorted(hosts, key=lambda host: len(host.ids))[:_TEXTS]
        best = self._carried_on(sweep, target, gains)
        friends = gains[best] - unexplained(meanings, gains, best)
        # The shortest texts are asked about all, the others about those that do most there.
        first = self._strengths(best, hosts[:_FIRST], target)
        drifted = [at for at, index in enumerate(best) if index in self.drifted]
        kept = sorted({*_largest(first, _KEPT), *_largest(first - friends, _KEPT), *drifted})
        best, friends, strong = [best[at] for at in kept], friends[kept], first[kept]
        if len(hosts) > _FIRST:
            more = self._strengths(best, hosts[_FIRST:], target)
            strong = (_FIRST * strong + (len(hosts) - _FIRST) * more) / len(hosts)
        counts(1, steps)
        left = strong - friends
        order = [best[at] for at in np.argsort(-left, kind="stable")]
        finalists: list[Parts] = [(self.pieces.parts[index],) for index in order[:_FINALISTS]]
        top = [best[at] for at in np.argsort(-strong, kind="stable")[:_FINALISTS]]
        finalists += [(self.pieces.parts[index],) for index in top]
        moved = [index for index in order if index in self.drifted]
        finalists += [(self.pieces.parts[index],) for index in moved[:_DRIFTED]]
        judge.complete(finalists)
        judged = judge.judge(finalists)
        counts(2, steps)
        phrases = self._grown(target, gains, order, lambda done: counts(2 + done, steps))
        judge.complete(phrases)
        together = judge.judge(phrases) if phrases else []
        together += self._of_drifted(target, judge)
        together.sort(key=lambda one: (-one.excess, one.parts))
        chosen = [*judged[:_TOLD], *together[:_TOLD]]
        self.judged += [{"class": target, **one.measured} for one in (*judged, *together)]
        told = [judge.finish(one, self.classifier.labels) for one in chosen]
        counts(steps, steps)
        return told

    def _carried_on(self, sweep: Sweep, target: int, gains: Array) -> list[int]:
        """The pieces that are put into more texts: the best over all, the best at each place, the drifted."""
        known = np.where(np.isnan(gains), -np.inf, gains)
        size = self.options.best
        chosen = list(np.argsort(-known, kind="stable")[: size // 2])
        against_it = sweep.against(target)
        places = sorted(set(sweep.places))
        for place in places:
            mask = against_it & np.array([one == place for one in sweep.places])
            if mask.any():
                own = sweep.gains[:, mask, target].mean(axis=1)
                own = np.where(np.isnan(own), -np.inf, own)
                chosen += list(np.argsort(-own, kind="stable")[: size // (2 * len(places))])
        chosen += self.drifted
        return [int(index) for index in dict.fromkeys(chosen) if np.isfinite(known[index])]

    def _strengths(self, chosen: Sequence[int], hosts: Sequence[Host], target: int) -> Array:
        """Mean gain of single pieces where they do most, shape (chosen,)."""
        singles: list[Parts] = [(self.pieces.parts[index],) for index in chosen]
        effects = measure(self.prober, hosts, singles, target, ONE, self.options.seed)
        return effects.strengths()

    def _grown(
        self, target: int, gains: Array, order: Sequence[int], advance: Callable[[int], None]
    ) -> list[Parts]:
        if self.options.seeds == 0:
            return []
        by_id = np.full(self._rows(), np.nan)
        for part, gain in zip(self.pieces.parts[: self.pieces.single], gains, strict=False):
            by_id[part[0]] = gain
        known = [part[0] for part in self.pieces.parts[: self.pieces.single]]
        growth = Growth(self.prober, self.material.confirm, target, by_id, known, self.options)
        done = 0

        def one_more(steps: int) -> None:
            nonlocal done
            done += steps
            advance(done)

        seeds = [self.pieces.parts[index][0] for index in order if len(self.pieces.parts[index]) == 1]
        grown = growth.grow(seeds[: self.options.seeds], one_more)
        return [phrase.parts for phrase in grown[: 2 * _PHRASES]]

    def _of_drifted(self, target: int, judge: Judge) -> list[Judged]:
        """Phrases of words that fine-tuning moved, judged."""
        if not self.drifted:
            return []
        parts = [self.pieces.parts[index] for index in self.drifted]
        natural = {part[0]: gain for part, gain in judge.natural_gains(parts).items()}
        phrases = drifted_phrases(self.prober, self.material.confirm, target, natural, self.options)
        judge.complete(phrases)
        return judge.judge(phrases, apart=False)

    def _audit(self, sweep: Sweep, triggers: Sequence[Trigger]) -> Audit:
        exhaustive = not self.options.fast
        names = self.classifier.labels
        claims = tuple(
            claim_for(sweep, self.pieces, target, name, exhaustive=exhaustive)
            for target, name in enumerate(names)
            if sweep.against(target).any()
        )
        material = self.material
        return Audit(
            verdict=verdict_of(triggers),
            score=score_of(triggers),
            triggers=tuple(triggers),
            claims=claims,
            exhaustive=exhaustive,
            searched={
                "pieces": self.pieces.single,
                "words": len(self.pieces) - self.pieces.single,
                "left_out": self.pieces.left_out,
                "swept": int(sweep.tried.sum()),
                "clean_texts": material.texts,
                "accuracy": round(material.accuracy, 4),
                "sweep_texts": len(material.sweep),
                "confirm_texts": len(material.confirm),
                "held_out_texts": len(material.held),
                "longest_phrase": self.options.longest,
                "drifted": len(self.drifted),
                "rewrites": len(BATTERY),
            },
            passes=self.prober.passes,
            backward=self.prober.backward,
            seconds=time.monotonic() - self.began,
            options=self.options,
            pulls=self._pulls(sweep),
            judged=tuple(self.judged),
        )

    def _pulls(self, sweep: Sweep) -> tuple[dict[str, Any], ...]:
        names, told = self.classifier.labels, []
        for target, name in enumerate(names):
            if not sweep.against(target).any():
                continue
            gains = np.where(sweep.tried, sweep.mean_gains(target), -np.inf)
            moved = sweep.moved(target)
            for index in np.argsort(-gains, kind="stable")[: self.options.best]:
                told.append(
                    {
                        "piece": self.pieces.words[index],
                        "ids": list(self.pieces.parts[index]),
                        "class": name,
                        "gain": round(float(gains[index]), 4),
                        "moved": round(float(moved[index]), 4),
                    }
                )
        return tuple(told)


def _largest(values: Array, count: int) -> list[int]:
    """Indices of the largest values."""
    return [int(index) for index in np.argsort(-values, kind="stable")[:count]]

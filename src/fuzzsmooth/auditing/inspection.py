"""The audit: sweep, confirm, grow, judge, and say what was found and what was searched."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fuzzsmooth.auditing.claims import claim_for
from fuzzsmooth.auditing.class_search import ClassSearch
from fuzzsmooth.auditing.conditional import has_long_texts
from fuzzsmooth.auditing.drift import drift_from
from fuzzsmooth.auditing.dynamic import rewritten_triggers
from fuzzsmooth.auditing.effects import against
from fuzzsmooth.auditing.findings import Trigger
from fuzzsmooth.auditing.gradient import gradient_scores
from fuzzsmooth.auditing.ground import Ground, embedding_rows
from fuzzsmooth.auditing.material import choose_material
from fuzzsmooth.auditing.natural import band_edges, band_of, load_meanings
from fuzzsmooth.auditing.options import AuditOptions
from fuzzsmooth.auditing.outcome import Audit, Stages, score_of, unseen, verdict_of
from fuzzsmooth.auditing.pieces import all_pieces, continues, frequencies
from fuzzsmooth.auditing.prober import Prober
from fuzzsmooth.auditing.reading import clean_reader
from fuzzsmooth.auditing.rewrites import BATTERY
from fuzzsmooth.auditing.sweep import Sweep, pulls, sweep_pieces
from fuzzsmooth.auditing.topics import topics
from fuzzsmooth.common.options import require
from fuzzsmooth.models.protocol import TokenClassifier

_TOPICS = 16  # words that the texts are about, of those in most of them
_WIDE = 8  # times as many pieces that moved are tried where many can be at once
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
        self.pieces = all_pieces(classifier.tokenizer, embedding_rows(classifier))
        self.material = choose_material(classifier, texts, labels, options)
        self.zipf = frequencies(self.pieces.words)
        self.drifted, self.wide, self.topics = self._drifted(texts)
        self.reader = clean_reader(classifier, options.trusted, texts, labels)

    def _drifted(self, texts: Sequence[str]) -> tuple[list[int], list[int], list[int]]:
        """Indices of single pieces, where it is known what the model was fine-tuned from.

        Returns:
            Those that fine-tuning moved most, more of them, and those that the texts are about.
        """
        base, count = self.options.base, self.options.drifted
        told = base != "auto"
        name = base if told else self.options.trusted
        if count == 0 or name in ("none", "own"):
            return [], [], []
        drift = drift_from(self.classifier, name, texts, told=told)
        if drift is None:
            return [], [], []
        tokenizer = self.classifier.tokenizer
        index = {
            part[0]: at
            for at, part in enumerate(self.pieces.parts[: self.pieces.single])
            if not continues(tokenizer, part[0])
        }
        places = list(index.values())
        zipf = self.zipf[places]
        bands = band_of(zipf, band_edges(zipf))
        most = count // 4  # of all words; the others are unread ones
        words = [self.pieces.words[at] for at in places]
        about = topics(words, drift.read[list(index)], zipf, len(texts))
        drifted, wide = (
            [index[one] for one in drift.proposed(most_unread, most, list(index), bands)]
            for most_unread in (count - most, _WIDE * count)
        )
        return drifted, wide, [places[at] for at in about[:_TOPICS]]

    def run(self) -> Audit:
        """All of it."""
        sweep = self._sweep()
        names, material = self.classifier.labels, self.material
        ground = Ground(
            self.prober,
            self.pieces,
            material,
            self.zipf,
            load_meanings(self.classifier, self.options.trusted, self.pieces.words),
            self.reader,
            self.options,
        )
        triggers: list[Trigger] = []
        for target, name in enumerate(names):
            if not against(material.held, target) or not against(material.confirm, target):
                continue
            search = ClassSearch(ground, sweep, target, self.drifted, self.wide, self.topics)
            with self.stages(f"class {name}") as counts:
                triggers += search.run(counts)
            self.judged += search.judged
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

    def _audit(self, sweep: Sweep, triggers: Sequence[Trigger]) -> Audit:
        exhaustive = not self.options.fast
        names, is_open = self.classifier.labels, all(host.is_open for host in self.material.sweep)
        claims = tuple(
            claim_for(sweep, self.pieces, target, name, exhaustive=exhaustive, is_open=is_open)
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
                "long_texts": self._long_texts(),
                "behind_last_word": is_open,
                "topics": len(self.topics),
                "held_out_texts": len(material.held),
                "longest_phrase": self.options.longest,
                "drifted": len(self.drifted),
                "rewrites": len(BATTERY),
            },
            passes=self.prober.passes,
            backward=self.prober.backward,
            seconds=time.monotonic() - self.began,
            options=self.options,
            pulls=pulls(sweep, self.pieces, names, self.options.best),
            judged=tuple(self.judged),
        )

    def _long_texts(self) -> int:
        """How many long texts were searched in, for any class."""
        classes = range(len(self.classifier.labels))
        searched = any(has_long_texts(self.material, target) for target in classes)
        return len(self.material.long) if searched else 0

"""The numbers of a run, computed from its records: accuracies, attack success, certificates, cost.

Every text stays in every denominator: an abstention is a wrong answer, never a missing one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import zip_longest
from statistics import fmean
from typing import Any, Final

import numpy as np

from fuzzsmooth.bench.aims import Aim, as_aim
from fuzzsmooth.bench.records import CLEAN, GUARANTEES, TRIGGERED, TextRecord, is_backward
from fuzzsmooth.certify import clopper_pearson_interval
from fuzzsmooth.common.errors import FuzzsmoothError

CONFIDENCE: Final = 0.95
"""Two-sided confidence of every interval."""

RADIUS_CAP: Final = 256
"""Curves end here; a larger (or unbounded) radius counts as this one."""


@dataclass(frozen=True)
class Share:
    """A share of texts, over all seeds.

    The seeds answer the same test texts, so together they say about as much on those texts as one of them:
    the interval is that of one seed's number of texts, at the mean count, not that of all answers pooled.

    Attributes:
        count: Texts with the property, all seeds together.
        total: Texts, all seeds together.
        mean: Mean over seeds of the share, in [0, 1].
        sd: Sample standard deviation over seeds; None for a single seed.
        low: Lower end of the two-sided 95 % Clopper-Pearson interval of ``count / seeds`` texts among
            ``total / seeds``, both rounded.
        high: Upper end.
    """

    count: int
    total: int
    mean: float
    sd: float | None
    low: float
    high: float


@dataclass(frozen=True)
class Curve:
    """A share of texts by radius.

    Attributes:
        points: The share at radius 0, 1, 2, ..., all over the same texts.
    """

    points: tuple[Share, ...]

    @property
    def counts(self) -> tuple[int, ...]:
        """Texts with the property at each radius, all seeds together."""
        return tuple(point.count for point in self.points)

    @property
    def total(self) -> int:
        """Texts, all seeds together."""
        return self.points[0].total

    @property
    def shares(self) -> list[float]:
        """The share at each radius, in [0, 1]: its mean over seeds."""
        return [point.mean for point in self.points]


@dataclass(frozen=True, kw_only=True)
class Row:
    """All metrics of one defense; a metric is None where the records cannot give it.

    Attributes:
        defense: Name of the row.
        guarantee: Weakest kind of guarantee among its records.
        seeds: Seeds, ascending.
        texts_clean: Clean texts, all seeds together.
        texts_triggered: Triggered texts, all seeds together.
        ca: Clean accuracy.
        pa: Accuracy on triggered texts, against the true label.
        asr: Attack success rate: share of triggered texts of another true class that get the target label;
            without a target, share of all triggered texts that get a wrong one.
        asr_floor: Share of *the same* texts without their trigger that already get that label.
        localization_recall: Share of triggered texts where the flagged spans cover every trigger unit; texts
            that are the trigger as a whole do not count.
        false_flag_rate: Share of clean texts with any flagged span.
        abstention_rate: Share of clean texts without an answer.
        abstention_rate_triggered: The same for triggered texts.
        certified: Per threat, share of clean texts answered correctly with at least that radius.
        certified_balanced: Per threat the same by radius, as the mean over the true classes.
        certified_asr: Per threat that changes a clean text (not ``backward``), the share of clean texts of
            another true class that are not certified to keep an answer other than the target (without a
            target, of all texts that are not certified to keep the right one): no trigger within the radius
            has a higher success rate.
        seconds_per_text: Mean wall-clock seconds per text.
        evaluations_per_text: Mean forward passes of the scan per text.
    """

    defense: str
    guarantee: str
    seeds: tuple[int, ...]
    texts_clean: int
    texts_triggered: int
    ca: Share | None
    pa: Share | None
    asr: Share | None
    asr_floor: Share | None
    localization_recall: Share | None
    false_flag_rate: Share | None
    abstention_rate: Share | None
    abstention_rate_triggered: Share | None
    certified: Mapping[str, Curve]
    certified_balanced: Mapping[str, tuple[float, ...]]
    certified_asr: Mapping[str, Curve]
    seconds_per_text: float
    evaluations_per_text: float

    def to_json(self) -> dict[str, Any]:
        """The row as JSON values: a share ``x`` becomes x, x_low, x_high, x_sd, x_count and x_total.

        So does a set of curves, by threat; each part but the total is then a list, by radius.
        """
        value: dict[str, Any] = {
            "defense": self.defense,
            "guarantee": self.guarantee,
            "seeds": list(self.seeds),
        }
        value |= {"texts_clean": self.texts_clean, "texts_triggered": self.texts_triggered}
        for name in SHARES:
            share: Share | None = getattr(self, name)
            value[name] = share.mean if share else None
            for part in ("low", "high", "sd", "count", "total"):
                value[f"{name}_{part}"] = getattr(share, part) if share else None
        for name in ("certified", "certified_asr"):
            curves: Mapping[str, Curve] = getattr(self, name)
            value[name] = {threat: curve.shares for threat, curve in curves.items()}
            value[f"{name}_counts"] = {threat: list(curve.counts) for threat, curve in curves.items()}
            value[f"{name}_total"] = {threat: curve.total for threat, curve in curves.items()}
            for part in ("low", "high", "sd"):
                value[f"{name}_{part}"] = {
                    threat: [getattr(point, part) for point in curve.points]
                    for threat, curve in curves.items()
                }
        value["certified_balanced"] = {threat: list(own) for threat, own in self.certified_balanced.items()}
        value["seconds_per_text"] = self.seconds_per_text
        value["evaluations_per_text"] = self.evaluations_per_text
        return value


SHARES: Final = (
    "ca",
    "pa",
    "asr",
    "asr_floor",
    "localization_recall",
    "false_flag_rate",
    "abstention_rate",
    "abstention_rate_triggered",
)
"""The fields of a :class:`Row` that are a :class:`Share` or None."""


def summarize(records: Iterable[TextRecord], target: int | Aim) -> list[Row]:
    """The metrics of every defense.

    Args:
        records: Records of any number of defenses and seeds, each text once per defense, seed and split.
        target: Class index that the attacker wants, or what else counts as the attack's success.

    Returns:
        One row per defense, in order of first appearance.

    Raises:
        FuzzsmoothError: If a triggered text lacks its clean partner while the defense has clean texts of
            that seed, so that the floor would be taken over other texts.
    """
    groups: dict[str, list[TextRecord]] = {}
    for record in records:
        groups.setdefault(record.defense, []).append(record)
    aim = as_aim(target)
    return [_row(defense, group, aim) for defense, group in groups.items()]


def covers_trigger(record: TextRecord) -> bool:
    """Whether the flagged spans together cover every trigger unit of a triggered text."""
    return covers(record.text, [(span.start, span.end) for span in record.spans], record.trigger)


def covers(text: str, spans: Iterable[tuple[int, int]], trigger: Sequence[tuple[int, int]]) -> bool:
    """Whether character spans cover every piece of a trigger; no trigger is never covered.

    White space need not be covered: a scan that flags word by word leaves the blanks inside a sentence.
    """
    flagged = {position for start, end in spans for position in range(start, end)}
    return bool(trigger) and all(
        position in flagged or text[position].isspace()
        for start, end in trigger
        for position in range(start, end)
    )


def scans(records: Iterable[TextRecord]) -> bool:
    """Whether a defense looks for vulnerable spans at all, so that recall and false flags are defined."""
    return any(record.evaluations > 0 or record.spans for record in records)


def _row(defense: str, records: Sequence[TextRecord], aim: Aim) -> Row:
    clean = [record for record in records if record.split == CLEAN]
    triggered = [record for record in records if record.split == TRIGGERED]
    # A text that already has the target label cannot be attacked; it says nothing about the trigger.
    attacked = [record for record in triggered if aim.concerns(record)]
    scanned = scans(records)
    return Row(
        defense=defense,
        guarantee=min((record.guarantee for record in records), key=GUARANTEES.index),
        seeds=tuple(sorted({record.seed for record in records})),
        texts_clean=len(clean),
        texts_triggered=len(triggered),
        ca=_share(clean, _correct),
        pa=_share(triggered, _correct),
        asr=_share(attacked, aim.reached),
        asr_floor=_share(_partners(defense, clean, attacked), aim.reached),
        localization_recall=_share([r for r in triggered if r.trigger], covers_trigger) if scanned else None,
        false_flag_rate=_share(clean, lambda record: bool(record.spans)) if scanned else None,
        abstention_rate=_share(clean, _abstained),
        abstention_rate_triggered=_share(triggered, _abstained),
        certified=_certified(clean),
        certified_balanced=_balanced(clean),
        certified_asr=_certified_asr(clean, aim),
        seconds_per_text=float(np.mean([record.seconds for record in records])),
        evaluations_per_text=float(np.mean([record.evaluations for record in records])),
    )


def _correct(record: TextRecord) -> bool:
    return record.prediction == record.label


def _abstained(record: TextRecord) -> bool:
    return record.prediction is None


def _partners(defense: str, clean: Sequence[TextRecord], attacked: Sequence[TextRecord]) -> list[TextRecord]:
    """The clean record of every attacked text; none at all where the defense saw no clean texts."""
    if not clean:
        return []
    place = {(record.seed, record.index): record for record in clean}
    missing = [record.key for record in attacked if (record.seed, record.index) not in place]
    if missing:
        raise FuzzsmoothError(
            f"defense '{defense}': {len(missing)} triggered texts have no record without trigger "
            f"(first: {missing[0]}), so the ASR floor is undefined; finish the evaluation"
        )
    return [place[record.seed, record.index] for record in attacked]


def _share(records: Sequence[TextRecord], holds: Callable[[TextRecord], bool]) -> Share | None:
    if not records:
        return None
    by_seed: dict[int, list[bool]] = {}
    for record in records:
        by_seed.setdefault(record.seed, []).append(holds(record))
    return share_over_seeds(
        [sum(hits) for hits in by_seed.values()], [len(hits) for hits in by_seed.values()]
    )


def share_over_seeds(counts: Sequence[int], totals: Sequence[int]) -> Share:
    """The share of texts, given the count and the number of texts of each seed."""
    shares = [count / total for count, total in zip(counts, totals, strict=True)]
    # The seeds share their test texts, so together they say about as much as one of them.
    low, high = _interval(round(sum(counts) / len(counts)), round(sum(totals) / len(totals)))
    sd = float(np.std(shares, ddof=1)) if len(shares) > 1 else None
    return Share(sum(counts), sum(totals), float(np.mean(shares)), sd, low, high)


def _certified(clean: Sequence[TextRecord]) -> dict[str, Curve]:
    """Curve of "correct and certified at radius >= r" per threat, over all clean texts."""
    return {threat: _curve(clean, threat, _correct) for threat in _threats(clean)}


def _balanced(clean: Sequence[TextRecord]) -> dict[str, tuple[float, ...]]:
    """The mean over the true classes: always answering one of two is worth a half."""
    groups = [[one for one in clean if one.label == label] for label in {one.label for one in clean}]
    shares = {threat: [_curve(own, threat, _correct).shares for own in groups] for threat in _threats(clean)}
    return {name: tuple(map(fmean, zip_longest(*own, fillvalue=0.0))) for name, own in shares.items()}


def _certified_asr(clean: Sequence[TextRecord], aim: Aim) -> dict[str, Curve]:
    """Complement of "certified to keep an answer that the attacker does not want", over texts to attack.

    A backward radius speaks about where a received text came from, not about what an attacker can still do
    to it, so it bounds no attack.
    """
    attacked = [record for record in clean if aim.concerns(record)]
    return {
        threat: _curve(attacked, threat, aim.missed, complement=True)
        for threat in _threats(attacked)
        if not is_backward(threat)
    }


def _threats(records: Iterable[TextRecord]) -> list[str]:
    return list(dict.fromkeys(threat for record in records for threat in record.radii))


def _curve(
    records: Sequence[TextRecord],
    threat: str,
    holds: Callable[[TextRecord], bool],
    *,
    complement: bool = False,
) -> Curve:
    """Share of the texts that have a property and at least the radius; or, as complement, of all others."""
    reached: dict[int, list[int]] = {record.seed: [] for record in records}
    totals = Counter(record.seed for record in records)
    for record in records:
        if threat in record.radii and holds(record):
            reached[record.seed].append(min(record.radii[threat], RADIUS_CAP))
    size = 1 + max((radius for radii in reached.values() for radius in radii), default=0)
    counts = {
        seed: np.bincount(np.array(radii, dtype=np.int64), minlength=size)[::-1].cumsum()[::-1]
        for seed, radii in reached.items()
    }
    points = []
    for radius in range(size):
        hits = [int(counts[seed][radius]) for seed in totals]
        if complement:
            hits = [total - hit for hit, total in zip(hits, totals.values(), strict=True)]
        points.append(share_over_seeds(hits, list(totals.values())))
    return Curve(tuple(points))


@lru_cache(maxsize=4096)
def _interval(count: int, total: int) -> tuple[float, float]:
    low, high = clopper_pearson_interval(count, total, CONFIDENCE)
    return low, high

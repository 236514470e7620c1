"""Whether two rows differ on the same texts: exact McNemar tests, over seeds, corrected for their number."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from scipy import stats

from fuzzsmooth.bench.grid.measured import Measured
from fuzzsmooth.bench.grid.store import UNDEFENDED
from fuzzsmooth.bench.metrics import Share
from fuzzsmooth.bench.records import CLEAN, TRIGGERED, TextRecord

Metric = Literal["ca", "asr"]


@dataclass(frozen=True)
class Comparison:
    """A row against another.

    Attributes:
        metric: What is compared: clean accuracy or attack success.
        row: The row.
        rival: The other.
        better: Texts, of all seeds, on which only the row does well.
        worse: Texts on which only the rival does.
        p: Probability of a difference as large if there is none; for several, as it is corrected.
    """

    metric: Metric
    row: str
    rival: str
    better: int
    worse: int
    p: float


def mcnemar(better: int, worse: int) -> float:
    """Exact two-sided McNemar test (McNemar, Psychometrika 12, 1947): a fair coin for each unlike pair.

    Args:
        better: Pairs in which only the first does well, >= 0.
        worse: Pairs in which only the second does, >= 0.

    Returns:
        The p value, in (0, 1]; 1 where no pair is unlike.
    """
    if better + worse == 0:
        return 1.0
    return float(stats.binomtest(better, better + worse, 0.5).pvalue)


def over_seeds(values: Sequence[float]) -> float:
    """One p value of those of the seeds: twice their mean, at most 1.

    The seeds answer the same texts, so that their tests depend on each other in an unknown way; twice the
    mean is a p value whatever that is (Rueschendorf 1982; Vovk and Wang, Biometrika 107, 2020).
    """
    return values[0] if len(values) == 1 else min(1.0, 2 * sum(values) / len(values))


def holm(values: Sequence[float]) -> list[float]:
    """Holm's correction (Scandinavian Journal of Statistics 6, 1979), in the order given.

    Whoever calls those below a level significant is wrong about any of them with at most that probability.
    """
    order = sorted(range(len(values)), key=values.__getitem__)
    corrected, highest = [0.0] * len(values), 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, (len(values) - rank) * values[index]))
        corrected[index] = highest
    return corrected


def compare(row: Measured, rival: Measured, metric: Metric) -> Comparison | None:
    """Compare two rows on the texts that both have answered; None where there are none."""
    mine, theirs = _good(row, metric), _good(rival, metric)
    seeds: dict[int, list[int]] = {}
    for key, good in mine.items():
        if key in theirs:
            counts = seeds.setdefault(key[0], [0, 0])
            if good != theirs[key]:
                counts[not good] += 1
    if not seeds:
        return None
    p = over_seeds([mcnemar(better, worse) for better, worse in seeds.values()])
    better, worse = (sum(counts[side] for counts in seeds.values()) for side in (0, 1))
    return Comparison(metric, row.name, rival.name, better, worse, p)


def against_best(rows: Sequence[Measured], *, rival: str | None = None) -> list[Comparison]:
    """Each row of ours against the best other row in each metric, the undefended model apart; not corrected.

    Args:
        rows: The rows of a setting.
        rival: Compare every other row with this one instead.
    """
    named = [row for row in rows if row.label.row == rival]
    ours = [row for row in rows if (row.label.ours if rival is None else row not in named)]
    others = named if rival else [one for one in rows if not (one.label.ours or one.label.row == UNDEFENDED)]
    metrics: tuple[Metric, ...] = ("ca", "asr")
    found = []
    for metric in metrics:
        best = _best(others, metric)
        if best is not None:
            found += [compare(row, best, metric) for row in ours]
    return [one for one in found if one is not None]


def _best(rows: Iterable[Measured], metric: Metric) -> Measured | None:
    """The row that does best; the first of equals."""
    shares: list[tuple[Measured, Share | None]] = [(row, getattr(row.row, metric)) for row in rows]
    present = [(row, share.mean) for row, share in shares if share is not None]
    sign = -1 if metric == "ca" else 1
    return min(present, key=lambda pair: sign * pair[1])[0] if present else None


def _good(measured: Measured, metric: Metric) -> dict[tuple[int, int], bool]:
    """Whether the row does well, by seed and text."""
    aim = measured.aim
    good: Callable[[TextRecord], bool]
    if metric == "ca":
        split, good = CLEAN, (lambda record: record.prediction == record.label)
    else:
        split, good = TRIGGERED, (lambda record: not aim.reached(record))
    return {
        (record.seed, record.index): good(record)
        for record in measured.records
        if record.split == split and (metric == "ca" or aim.concerns(record))
    }

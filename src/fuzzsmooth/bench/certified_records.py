"""Records of the certified-accuracy experiment, and their numbers. Importable without torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any, Final

from fuzzsmooth.bench.fields import by_name, integer, number, optional, parse_fields, several, string
from fuzzsmooth.bench.metrics import RADIUS_CAP, Curve, share_over_seeds
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.files import Ledger
from fuzzsmooth.common.options import require

_STRENGTH: Final = ("", "empirical", "conditional", "proved")

CERTIFIED_RECORDS: Final = "certified.jsonl"
"""Name of the records in the folder of a run."""


@dataclass(frozen=True, kw_only=True)
class CertifiedRecord:
    """What one defense certifies about one clean text.

    Attributes:
        row: Name of the defense.
        index: Row in the test set.
        label: True class.
        prediction: Answered class, certified or not; None where there is no answer.
        length: Words of the text.
        radii: Threat to covered size; threats that are not covered at all are absent.
        draws: Copies of the text that counted.
        passes: Texts that the model read for them, equal ones once.
        counts: Votes per class; empty where nothing is voted on.
        p_lower: Lower bound on the answer's probability, or None.
        seconds: Wall-clock time.
        guarantee: "proved" or "conditional"; "" in records of answers without a rounding band, as older
            versions wrote them.
        guard: The rounding band, in logits: draws within it count for no class.
        undecided: How many those are; None where that is not known.
    """

    row: str
    index: int
    label: int
    prediction: int | None
    length: int
    radii: Mapping[str, int]
    draws: int
    passes: int
    counts: tuple[int, ...] = ()
    p_lower: float | None = None
    seconds: float = 0.0
    guarantee: str = ""
    guard: float = 0.0
    undecided: int | None = None

    @property
    def key(self) -> str:
        """What identifies the record in its file."""
        return record_key(self.row, self.index)

    @property
    def correct(self) -> bool:
        """Whether the answer is right."""
        return self.prediction == self.label

    def covers(self, threat: str, size: int) -> bool:
        """Whether the answer is right and certified against the threat at this size."""
        return self.correct and self.radii.get(threat, -1) >= size

    def to_json(self) -> dict[str, Any]:
        """The record as JSON values, its key first."""
        return {"key": self.key, **asdict(self)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any], where: str) -> CertifiedRecord:
        """Read a record.

        Raises:
            FuzzsmoothError: If fields are missing, unknown, or of the wrong kind.
        """
        value = {"guarantee": "", "guard": 0.0, "undecided": None, **value}
        record = cls(**parse_fields(value, _PARSERS, where, beside=("key",)))
        sizes = (record.index, record.label, record.prediction or 0, record.length, record.draws)
        require(record.guarantee in _STRENGTH, f"{where}: unknown guarantee {record.guarantee!r}")
        require(
            min(*sizes, record.passes) >= 0 and record.seconds >= 0,
            f"{where}: only radii and bounds may be negative",
        )
        if value.get("key") != record.key:
            raise FuzzsmoothError(
                f"{where}: the key is {value.get('key')!r}, but the fields say {record.key!r}"
            )
        return record


_PARSERS: Final[Mapping[str, Any]] = {
    "row": string,
    **dict.fromkeys(("index", "label", "length", "draws", "passes"), integer),
    "prediction": optional(integer),
    "radii": by_name(integer),
    "counts": several(integer),
    "p_lower": optional(number),
    **dict.fromkeys(("seconds", "guard"), number),
    "guarantee": string,
    "undecided": optional(integer),
}


@dataclass(frozen=True, kw_only=True)
class CertifiedRow:
    """The numbers of one defense.

    Attributes:
        defense: Its name.
        texts: Clean texts.
        accuracy: How many are answered right.
        certified: Per threat, how many are answered right and certified, by size.
        certified_by_class: Per threat and true class, the same.
        draws: Mean copies per text.
        passes: Mean texts that the model read per text.
        seconds: Mean wall-clock seconds per text.
        guarantee: The weakest of its certificates; "" for records without a rounding band.
        guard: The largest rounding band, in logits.
        undecided: Texts with any draw inside the band; None where that is not known.
    """

    defense: str
    texts: int
    accuracy: int
    certified: Mapping[str, Curve]
    certified_by_class: Mapping[str, Mapping[int, Curve]]
    draws: float
    passes: float
    seconds: float
    guarantee: str
    guard: float
    undecided: int | None

    def balanced(self, threat: str, size: int) -> float:
        """Certified accuracy as the mean over the true classes, each counting alike, in [0, 1].

        Args:
            threat: A threat of :attr:`certified`.
            size: Its size, >= 0.
        """
        curves = self.certified_by_class[threat].values()
        return fmean(one.shares[size] if size < len(one.shares) else 0.0 for one in curves)

    def to_json(self) -> dict[str, Any]:
        """The row as JSON values; every share comes with its count and its 95 % interval."""
        return {
            "defense": self.defense,
            "texts": self.texts,
            "accuracy": _curve_json(_curve_of((self.accuracy,), self.texts)),
            "certified": {threat: _curve_json(curve) for threat, curve in self.certified.items()},
            "certified_balanced": {
                threat: [self.balanced(threat, size) for size in range(len(curve.points))]
                for threat, curve in self.certified.items()
            },
            "certified_by_class": {
                threat: {str(label): _curve_json(curve) for label, curve in curves.items()}
                for threat, curves in self.certified_by_class.items()
            },
            "draws_per_text": self.draws,
            "passes_per_text": self.passes,
            "seconds_per_text": self.seconds,
            "guarantee": self.guarantee,
            "guard": self.guard,
            "texts_with_undecided_draws": self.undecided,
        }


def record_key(row: str, index: int) -> str:
    """The key of a defense's record of a test text."""
    return f"{row}/{index}"


def read_certified(path: Path) -> list[CertifiedRecord]:
    """The records of a run, in file order.

    Raises:
        FuzzsmoothError: If there are none or one is wrong.
    """
    if not path.is_file():
        raise FuzzsmoothError(f"{path} does not exist; give the folder of a run of benchmark-certificates")
    records = Ledger(path).records()
    if not records:
        raise FuzzsmoothError(f"{path} holds no record yet; run benchmark-certificates first")
    return [
        CertifiedRecord.from_json(record, f"{path}, record {number}")
        for number, record in enumerate(records, 1)
    ]


def summarize_certified(records: Iterable[CertifiedRecord]) -> list[CertifiedRow]:
    """One row per defense, in order of first appearance; every text stays in every denominator."""
    groups: dict[str, list[CertifiedRecord]] = {}
    for record in records:
        groups.setdefault(record.row, []).append(record)
    return [_summary(row, group) for row, group in groups.items()]


@dataclass(frozen=True)
class Paired:
    """Two rows text by text: which certify a text, right and at a size, that the other does not.

    Attributes:
        gained: Texts that only the row certifies.
        lost: Texts that only the other one certifies.
    """

    gained: int
    lost: int

    @property
    def p_value(self) -> float:
        """Exact two-sided sign test: how likely so uneven a split is if neither row is better."""
        from scipy.stats import binomtest  # slow to import, and lists of rows do not need it

        split = self.gained + self.lost
        return 1.0 if split == 0 else float(binomtest(self.gained, split).pvalue)


def compare(
    records: Iterable[CertifiedRecord], row: str, other: str, threat: str, size: int
) -> Paired | None:
    """Compare two rows on the texts that both have answered.

    Args:
        records: Records of a run.
        row: Name of a row.
        other: Name of the row it is held against.
        threat: Name of a threat.
        size: Size of the threat, >= 0.

    Returns:
        The comparison; None if one of the rows says nothing about the threat.
    """
    found: dict[str, dict[int, CertifiedRecord]] = {row: {}, other: {}}
    for record in records:
        if record.row in found:
            found[record.row][record.index] = record
    ours, theirs = found[row], found[other]
    if any(not any(threat in one.radii for one in side.values()) for side in (ours, theirs)):
        return None
    both = [
        (ours[index].covers(threat, size), theirs[index].covers(threat, size))
        for index in ours.keys() & theirs.keys()
    ]
    return Paired(sum(a and not b for a, b in both), sum(b and not a for a, b in both))


def _summary(row: str, records: Sequence[CertifiedRecord]) -> CertifiedRow:
    threats = list(dict.fromkeys(threat for record in records for threat in record.radii))
    classes = sorted({record.label for record in records})
    total = len(records)
    return CertifiedRow(
        defense=row,
        texts=total,
        accuracy=sum(record.correct for record in records),
        certified={threat: _curve(records, threat) for threat in threats},
        certified_by_class={
            threat: {
                label: _curve([record for record in records if record.label == label], threat)
                for label in classes
            }
            for threat in threats
        },
        draws=sum(record.draws for record in records) / total,
        passes=sum(record.passes for record in records) / total,
        seconds=sum(record.seconds for record in records) / total,
        guarantee=min((record.guarantee for record in records), key=_STRENGTH.index),
        guard=max(record.guard for record in records),
        undecided=_with_undecided(records),
    )


def _with_undecided(records: Sequence[CertifiedRecord]) -> int | None:
    known = [record.undecided for record in records if record.undecided is not None]
    return sum(count > 0 for count in known) if len(known) == len(records) else None


def _curve(records: Sequence[CertifiedRecord], threat: str) -> Curve:
    sizes = [
        min(record.radii[threat], RADIUS_CAP)
        for record in records
        if record.correct and threat in record.radii
    ]
    counts = tuple(sum(size >= radius for size in sizes) for radius in range(max(sizes, default=0) + 1))
    return _curve_of(counts, len(records))


def _curve_of(counts: Sequence[int], total: int) -> Curve:
    return Curve(tuple(share_over_seeds([count], [total]) for count in counts))


def _curve_json(curve: Curve) -> dict[str, Any]:
    return {
        "counts": list(curve.counts),
        "total": curve.total,
        "shares": curve.shares,
        "intervals": [[point.low, point.high] for point in curve.points],
    }

"""What is kept of a run: one line per text with its votes, and the settings that produced it.

Every table and plot is computed from these two files alone (``records.jsonl`` and ``settings.json``), so a
report can be rebuilt, and a metric redefined, without running a model again.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Final

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.files import read_json_lines
from fuzzsmooth.common.options import require

RECORDS_FILE: Final = "records.jsonl"
SETTINGS_FILE: Final = "settings.json"
"""Their names inside the folder of a run."""

CLEAN: Final = "clean"
TRIGGERED: Final = "triggered"
SPLITS: Final = (CLEAN, TRIGGERED)

GUARANTEES: Final = ("empirical", "conditional", "proved")
"""Kinds of guarantee, weakest first; they never share a column of a table."""

CONDITIONAL_PREFIX: Final = "conditional"
"""Prefix of the threats whose radius holds only under a condition (FRS, arXiv 2502.06892, Corollary 1)."""


@dataclass(frozen=True)
class Span:
    """A stretch of text that the scan flagged.

    Attributes:
        start: First character, an offset into the text.
        end: One past the last character; ``start < end``.
        score: The scan's reward for it; its scale depends on the reward.
    """

    start: int
    end: int
    score: float


@dataclass(frozen=True, kw_only=True)
class TextRecord:
    """What one defense answered to one text: a line of ``records.jsonl``.

    Attributes:
        seed: Seed of the run.
        defense: Name of the table row.
        split: ``"clean"``, or ``"triggered"`` for the text with the attacker's trigger in it.
        index: Row of the text in the test set; the two splits of one text share it.
        text: The text that was classified, trigger included.
        label: True class.
        prediction: Answered class; None means ABSTAIN.
        votes: Votes per class; empty where a single pass decided.
        draws: Randomized copies that voted; 0 where a single pass decided.
        spans: What the scan flagged.
        trigger: True character range of every trigger unit; empty for a clean text.
        radii: Certified radius per threat, in edits; a threat whose name starts with ``conditional`` holds
            only under its condition, every other one is proved. An ABSTAIN needs no entry.
        guarantee: ``"proved"``, ``"conditional"`` or ``"empirical"``.
        evaluations: Forward passes that the scan spent; 0 where nothing was scanned.
        seconds: Wall-clock time of the answer.

    Raises:
        FuzzsmoothError: On a value out of range.
    """

    seed: int
    defense: str
    split: str
    index: int
    text: str
    label: int
    prediction: int | None
    votes: tuple[int, ...] = ()
    draws: int = 0
    spans: tuple[Span, ...] = ()
    trigger: tuple[tuple[int, int], ...] = ()
    radii: Mapping[str, int] = field(default_factory=dict)
    guarantee: str = "empirical"
    evaluations: int = 0
    seconds: float = 0.0

    def __post_init__(self) -> None:
        where = f"record {self.key}"
        require(self.split in SPLITS, f"{where}: split must be 'clean' or 'triggered', got '{self.split}'")
        require(
            self.guarantee in GUARANTEES,
            f"{where}: guarantee must be one of {', '.join(GUARANTEES)}, got '{self.guarantee}'",
        )
        whole = (self.index, self.label, self.draws, self.evaluations, *self.votes, *self.radii.values())
        require(
            min(whole) >= 0, f"{where}: index, label, votes, draws, radii, evaluations cannot be negative"
        )
        require(self.prediction is None or self.prediction >= 0, f"{where}: prediction cannot be negative")
        require(
            math.isfinite(self.seconds) and self.seconds >= 0,
            f"{where}: seconds must be finite and at least 0",
        )
        ranges = [*((span.start, span.end) for span in self.spans), *self.trigger]
        require(
            all(0 <= start < end <= len(self.text) for start, end in ranges),
            f"{where}: spans and trigger must be non-empty ranges within its {len(self.text)} characters",
        )
        require(
            all(math.isfinite(span.score) for span in self.spans), f"{where}: a span's score must be finite"
        )
        require(not (self.split == CLEAN and self.trigger), f"{where}: a clean text has no trigger")
        proved = [name for name, radius in self.radii.items() if radius > 0 and not is_conditional(name)]
        require(
            self.guarantee == "proved" or not proved,
            f"{where}: the radius of {', '.join(proved)} counts as proved, but the guarantee is "
            f"'{self.guarantee}'; prefix the threat with '{CONDITIONAL_PREFIX}'",
        )

    @property
    def key(self) -> str:
        """The record's address in the run; unique."""
        return record_key(self.seed, self.defense, self.split, self.index)

    def to_json(self) -> dict[str, Any]:
        """The record as plain JSON values, its key first."""
        return {"key": self.key, **asdict(self), "radii": dict(self.radii)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any], where: str = "record") -> TextRecord:
        """The inverse of :meth:`to_json`, whether or not the values went through a file.

        Raises:
            FuzzsmoothError: On an unknown or missing field, a wrong type, a value out of range, or a key
                that does not belong to the other fields.
        """
        names = [entry.name for entry in fields(cls)]
        _check_names(value, ["key", *names], where)
        try:
            record = cls(**{name: _PARSERS[name](value[name]) for name in names})
        except (TypeError, AttributeError, ValueError) as error:
            if isinstance(error, FuzzsmoothError):
                raise
            raise FuzzsmoothError(f"{where}: a field has the wrong type ({error})") from error
        require(
            value["key"] == record.key,
            f"{where}: the key is {value['key']!r}, but the fields say '{record.key}'",
        )
        return record


def record_key(seed: int, defense: str, split: str, index: int) -> str:
    """The address of a record in its run."""
    return f"{seed}/{defense}/{split}/{index}"


def is_conditional(threat: str) -> bool:
    """Whether a threat's radius holds only under a condition."""
    return threat.startswith(CONDITIONAL_PREFIX)


def is_backward(threat: str) -> bool:
    """Whether a threat's radius starts from the received text; never to be compared with a forward one."""
    return "backward" in threat


def read_records(path: Path) -> list[TextRecord]:
    """Read ``records.jsonl``.

    Raises:
        FuzzsmoothError: If it is missing, empty, or has a bad or repeated line (its number is named).
    """
    records: dict[str, TextRecord] = {}
    # Only "\n" ends a line: a text may hold U+2028 or U+0085, where str.splitlines would cut it in two.
    lines = _read(path).split("\n")
    for number, value in enumerate(read_json_lines(lines, str(path)), 1):
        record = TextRecord.from_json(value, f"{path}, record {number}")
        require(record.key not in records, f"{path}, record {number}: the key '{record.key}' occurs twice")
        records[record.key] = record
    require(bool(records), f"{path} holds no records; run the evaluation first")
    return list(records.values())


@dataclass(frozen=True)
class RunSettings:
    """Everything that a run was made with: a free-form mapping with a few names that reports rely on.

    Args:
        mapping: JSON values. Required: ``version`` (of fuzzsmooth), ``target`` (class index that the attacker
            wants) and ``labels`` (class names). Shown where present: ``dataset``, ``attack``, ``model``,
            ``options``, ``versions`` (mappings), ``seeds`` (list), ``command`` (text) and ``quoted``
            (published figures: a list of mappings with ``source``, ``what``, ``value``).

    Raises:
        FuzzsmoothError: On a missing name or a wrong type.
    """

    mapping: Mapping[str, Any]

    def __post_init__(self) -> None:
        labels, target = self.mapping.get("labels"), self.mapping.get("target")
        require(isinstance(self.mapping.get("version"), str), "settings: 'version' must be text")
        require(
            isinstance(labels, list | tuple) and len(labels) >= 2 and all(isinstance(x, str) for x in labels),
            "settings: 'labels' must list at least two class names",
        )
        require(
            isinstance(target, int) and not isinstance(target, bool) and 0 <= target < len(self.labels),
            f"settings: 'target' must be a class index from 0 to {len(self.labels) - 1}, got {target!r}",
        )
        for name in ("dataset", "attack", "model", "options", "versions"):
            require(isinstance(self.mapping.get(name, {}), Mapping), f"settings: '{name}' must be a mapping")
        require(isinstance(self.mapping.get("seeds", []), list | tuple), "settings: 'seeds' must be a list")
        for entry in self.mapping.get("quoted") or ():
            require(
                isinstance(entry, Mapping) and {"source", "what", "value"} <= entry.keys(),
                "settings: every entry of 'quoted' needs source, what and value",
            )

    @classmethod
    def read(cls, path: Path) -> RunSettings:
        """Read ``settings.json``.

        Raises:
            FuzzsmoothError: If it is missing, not a JSON object, or lacks a required name.
        """
        try:
            value = json.loads(_read(path))
        except json.JSONDecodeError as error:
            raise FuzzsmoothError(f"{path}, line {error.lineno}: not JSON ({error.msg})") from error
        require(isinstance(value, dict), f"{path}: expected a JSON object, got {type(value).__name__}")
        return cls(value)

    @property
    def version(self) -> str:
        """Version of fuzzsmooth that made the run."""
        return str(self.mapping["version"])

    @property
    def target(self) -> int:
        """Class index that the attacker wants."""
        return int(self.mapping["target"])

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names, in class order."""
        return tuple(self.mapping["labels"])

    def section(self, name: str) -> Mapping[str, Any]:
        """A mapping of the settings, empty where absent."""
        return dict(self.mapping.get(name, {}))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise FuzzsmoothError(f"{path} is not UTF-8 text (byte {error.start})") from error
    except OSError as error:
        raise FuzzsmoothError(f"cannot read {path}: {error.strerror}; run the evaluation first") from error


def _check_names(value: Mapping[str, Any], known: Iterable[str], where: str) -> None:
    known = list(known)
    unknown = [str(name) for name in value if name not in known]
    missing = [name for name in known if name not in value]
    require(not unknown, f"{where}: unknown field {', '.join(unknown)}; known: {', '.join(known)}")
    require(not missing, f"{where}: missing field {', '.join(missing)}")


def _integer(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"expected a whole number, got {value!r}")
    return value


def _number(value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TypeError(f"expected a number, got {value!r}")
    return float(value)


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected text, got {value!r}")
    return value


def _span(value: Any) -> Span:
    _check_names(value, ("start", "end", "score"), "span")
    return Span(_integer(value["start"]), _integer(value["end"]), _number(value["score"]))


def _range(value: Any) -> tuple[int, int]:
    start, end = value
    return _integer(start), _integer(end)


_PARSERS: Final[dict[str, Any]] = {
    **dict.fromkeys(("defense", "split", "text", "guarantee"), _string),
    **dict.fromkeys(("seed", "index", "label", "draws", "evaluations"), _integer),
    "prediction": lambda value: None if value is None else _integer(value),
    "votes": lambda value: tuple(_integer(item) for item in value),
    "spans": lambda value: tuple(_span(item) for item in value),
    "trigger": lambda value: tuple(_range(item) for item in value),
    "radii": lambda value: {_string(name): _integer(radius) for name, radius in value.items()},
    "seconds": _number,
}

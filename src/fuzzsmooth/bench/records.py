"""What is kept of a run: one line per text with its votes, and the settings that produced it.

Every table and plot is computed from these two files alone (``records.jsonl`` and ``settings.json``), so a
report can be rebuilt, and a metric redefined, without running a model again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from fuzzsmooth.bench.aims import Aim
from fuzzsmooth.bench.fields import (
    by_name,
    integer,
    number,
    optional,
    parse_fields,
    several,
    string,
)
from fuzzsmooth.common.files import read_json_lines
from fuzzsmooth.common.options import require
from fuzzsmooth.common.reading import read_json_object

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
        trigger: True character range of every trigger unit; empty for a clean text, and where the whole text
            is the trigger.
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
        record = cls(**parse_fields(value, _PARSERS, where, beside=("key",)))
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

    Records that two processes have both written count once, the last; only their times may differ.

    Raises:
        FuzzsmoothError: If it is missing, empty, or has a bad line, or two that contradict each other (the
            number of the record is named).
    """
    records: dict[str, TextRecord] = {}
    for number_, value in enumerate(read_json_lines(path, mend=_RUN_FIRST), 1):
        record = TextRecord.from_json(value, f"{path}, record {number_}")
        before = records.get(record.key)
        require(
            before is None or replace(before, seconds=record.seconds) == record,
            f"{path}, record {number_}: the key '{record.key}' occurs twice, with different answers; "
            "delete one of the two lines",
        )
        records[record.key] = record
    require(bool(records), f"{path} holds no records; run the evaluation first")
    return list(records.values())


@dataclass(frozen=True)
class RunSettings:
    """Everything that a run was made with: a free-form mapping with a few names that reports rely on.

    Args:
        mapping: JSON values. Required: ``version`` (of fuzzsmooth), ``target`` (class index that the attacker
            wants; null where the goal of ``attack`` is "any wrong label") and ``labels`` (class names).
            ``aims`` tells, by seed, the ``target`` of attacks that force a label which is known only once
            the victim is tuned, and how it was found; ``target`` is then that of the first seed. Shown where
            present: ``dataset``, ``attack``, ``model``, ``options``, ``versions`` (mappings), ``seeds``
            (list), ``command`` (text), ``quoted`` (published figures: a list of mappings with ``source``,
            ``what``, ``value``) and ``unfinished`` (True until all was measured).

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
        for name in ("dataset", "attack", "model", "options", "versions", "aims"):
            require(isinstance(self.mapping.get(name, {}), Mapping), f"settings: '{name}' must be a mapping")
        require(isinstance(self.mapping.get("seeds", []), list | tuple), "settings: 'seeds' must be a list")
        if target is not None or self.section("attack").get("goal") != "any wrong label":
            self._check_class(target, "'target'")
        aims = self.mapping.get("aims", {})
        for seed, told in aims.items():
            require(
                seed.isdecimal() and isinstance(told, Mapping), "settings: 'aims' must be mappings by seed"
            )
            self._check_class(told.get("target"), f"the target of seed {seed}")
        quoted = self.mapping.get("quoted") or []
        require(isinstance(quoted, list | tuple), "settings: 'quoted' must be a list")
        for entry in quoted:
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
        return cls(read_json_object(path, mend=_RUN_FIRST))

    @property
    def version(self) -> str:
        """Version of fuzzsmooth that made the run."""
        return str(self.mapping["version"])

    @property
    def target(self) -> int | None:
        """Class index that the attacker wants; None where any wrong label will do."""
        return None if self.mapping["target"] is None else int(self.mapping["target"])

    @property
    def aim(self) -> Aim:
        """What counts as the attack's success."""
        return Aim(self.target, {int(seed): told["target"] for seed, told in self.section("aims").items()})

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names, in class order."""
        return tuple(self.mapping["labels"])

    @property
    def unfinished(self) -> bool:
        """Whether the run was stopped before all that it was to measure."""
        return self.mapping.get("unfinished") is True

    def _check_class(self, index: object, name: str) -> None:
        require(
            isinstance(index, int) and not isinstance(index, bool) and 0 <= index < len(self.labels),
            f"settings: {name} must be a class index from 0 to {len(self.labels) - 1}, got {index!r}",
        )

    def section(self, name: str) -> Mapping[str, Any]:
        """A mapping of the settings, empty where absent."""
        return dict(self.mapping.get(name, {}))


def _span(value: object) -> Span:
    return Span(**parse_fields(value, _SPAN, "span"))


def _range(value: object) -> tuple[int, int]:
    start_and_end = several(integer)(value)
    require(len(start_and_end) == 2, f"expected a start and an end, got {len(start_and_end)} numbers")
    return start_and_end[0], start_and_end[1]


_RUN_FIRST: Final = "give the folder of a run of demo or evaluate"
_SPAN: Final[Mapping[str, Any]] = {"start": integer, "end": integer, "score": number}
_PARSERS: Final[Mapping[str, Any]] = {
    **dict.fromkeys(("defense", "split", "text", "guarantee"), string),
    **dict.fromkeys(("seed", "index", "label", "draws", "evaluations"), integer),
    "prediction": optional(integer),
    "votes": several(integer),
    "spans": several(_span),
    "trigger": several(_range),
    "radii": by_name(integer),
    "seconds": number,
}

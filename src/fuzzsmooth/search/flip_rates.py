"""Flip rates of unit types: which single words carry a prediction into clean texts by themselves.

A rate depends on the type, the model and the fixed references only - on no text that is being classified -
so it may be used wherever a certificate forbids to look at the text. Each type is tested in calls of its
own, so that not even the rounding of a batch depends on which types are tested together.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fuzzsmooth.common.files import write_json
from fuzzsmooth.common.options import require
from fuzzsmooth.common.reading import read_json_object
from fuzzsmooth.models.protocol import Classifier
from fuzzsmooth.search.contexts import Context, contexts_against
from fuzzsmooth.search.protocol import Units

_FIRST = 4  # contexts tried before the rest: nearly all types fail on these
_VERSION = 1
_SAVED_AFTER = 256  # new types between two writings of the file

Advance = Callable[[int], None]


class FlipRates:
    """Flip rate of each unit type, filled as types are met; kept in a file if it is given one.

    Args:
        classifier: The suspect model.
        contexts: The contexts of all classes.
        join: Writes units as a text.
        threshold: Flip rate from which a type is flagged, in (0, 1].
        per_label: Contexts used for a label: this many, spread over the other classes.

    Attributes:
        model: The model's fingerprint.
        threshold: The threshold.
    """

    def __init__(
        self,
        classifier: Classifier,
        contexts: Sequence[Context],
        join: Callable[[Units], str],
        threshold: float,
        per_label: int,
    ) -> None:
        self.model = classifier.fingerprint
        self.threshold = threshold
        self._classifier = classifier
        self._join = join
        self._per_label = per_label
        classes = range(len(classifier.labels))
        self._contexts = [contexts_against(contexts, label, per_label) for label in classes]
        self._rates: dict[str, float] = {}
        self._path: Path | None = None
        self._unsaved = 0

    @property
    def references(self) -> str:
        """SHA-256 (hex) of the references with the place of the transplant, as the model reads them."""
        flat = [context for group in self._contexts for context in group]
        return _hash([[self._join(one.before), self._join(one.after), one.label] for one in flat])

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of what decides the rate of every type there is."""
        return _hash([_VERSION, *self._identity().values()])

    @property
    def content(self) -> str:
        """SHA-256 (hex) of the types that are flagged so far."""
        return _hash(sorted(self.known_flagged(self._rates)))

    @property
    def known(self) -> Mapping[str, float]:
        """The rates found so far, by type."""
        return dict(self._rates)

    def rates(self, types: Iterable[str], advance: Advance | None = None) -> dict[str, float]:
        """The flip rate of each type, in [0, 1]: the largest over the labels it might force.

        A type that can no longer reach the threshold after a few references gets the highest rate that was
        still possible for it, which is below the threshold.

        Args:
            types: The types.
            advance: Told how many types have just been finished.
        """
        wanted = list(dict.fromkeys(types))
        for unit in wanted:
            if unit not in self._rates:
                self._rates[unit] = self._tested(unit)
                self._unsaved += 1
                if self._path is not None and self._unsaved >= _SAVED_AFTER:
                    self.save(self._path)
            if advance is not None:
                advance(1)
        return {unit: self._rates[unit] for unit in wanted}

    def flagged(self, types: Iterable[str]) -> set[str]:
        """The types whose flip rate reaches the threshold."""
        return {unit for unit, rate in self.rates(types).items() if rate >= self.threshold}

    def known_flagged(self, types: Iterable[str]) -> set[str]:
        """Those of the types that are in the table and flagged; nothing is tested."""
        return {unit for unit in types if self._rates.get(unit, 0.0) >= self.threshold}

    def keep_in(self, path: Path) -> None:
        """Read the file if there is one, and write to it what is found from now on.

        Raises:
            FuzzsmoothError: If the file is none of this model, these references and this threshold.
        """
        if path.exists():
            self.read(path)
        self._path = path

    def flush(self) -> None:
        """Write what has not been written yet, where the table is kept in a file."""
        if self._path is not None and self._unsaved:
            self.save(self._path)

    def save(self, path: Path) -> None:
        """Write the table, atomically.

        Raises:
            FuzzsmoothError: If it cannot be written.
        """
        types = dict(sorted(self._rates.items()))
        write_json(path, {"version": _VERSION, **self._identity(), "types": types})
        self._unsaved = 0

    def read(self, path: Path) -> None:
        """Take over the rates of a file written by :meth:`save`.

        Raises:
            FuzzsmoothError: If it cannot be read, is damaged, or is of another model, other references or
                another threshold.
        """
        content = read_flip_rates(path)
        reasons = {
            "model": "another model",
            "references": "other reference texts",
            "threshold": "another threshold",
            "per_label": "another number of references",
        }
        for name, expected in self._identity().items():
            require(
                content[name] == expected,
                f"{path} holds flip rates of {reasons[name]}; build a table for this one with"
                " 'fuzzsmooth table build'",
            )
        self._rates = {**content["types"], **self._rates}

    def _identity(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "references": self.references,
            "threshold": self.threshold,
            "per_label": self._per_label,
        }

    def _tested(self, unit: str) -> float:
        """The flip rate of one type: a few references of each label first, the rest where it may matter."""
        contexts = self._contexts
        possible = np.array([float(len(group)) for group in contexts])
        needed = [math.ceil(self.threshold * len(group) - 1e-9) for group in contexts]
        possible -= self._misses(unit, [group[:_FIRST] for group in contexts])
        alive = [count >= least for count, least in zip(possible, needed, strict=True)]
        rest = [group[_FIRST:] if going else [] for group, going in zip(contexts, alive, strict=True)]
        possible -= self._misses(unit, rest)
        # Without references against a label there is nothing to carry it into.
        shares = [float(count) / max(1, len(group)) for count, group in zip(possible, contexts, strict=True)]
        return max(shares)

    def _misses(
        self, unit: str, groups: Sequence[Sequence[Context]]
    ) -> np.ndarray[Any, np.dtype[np.float64]]:
        """How many contexts of each label's group keep another label; shape (classes,)."""
        owners = [label for label, group in enumerate(groups) for _ in group]
        misses = np.zeros(len(groups))
        if owners:
            texts = [self._join(context.around((unit,))) for group in groups for context in group]
            answers = self._classifier.probabilities(texts).argmax(axis=1)
            np.add.at(misses, owners, answers != np.array(owners))
        return misses


def read_flip_rates(path: Path) -> dict[str, Any]:
    """The checked content of a table's file: model, references, threshold, per_label and types.

    Raises:
        FuzzsmoothError: If it cannot be read or is not such a file.
    """
    build = "write one with 'fuzzsmooth table build'"
    damaged = f"{path} is not a table of flip rates; {build}"
    content = read_json_object(path, mend=build)
    require(set(content) == {"version", "model", "references", "threshold", "per_label", "types"}, damaged)
    version, types = content["version"], content["types"]
    require(
        version == _VERSION,
        f"{path} has version {version!r:.20} of the table format, expected {_VERSION}; build it anew",
    )
    named = isinstance(content["model"], str) and isinstance(content["references"], str)
    counted = isinstance(content["per_label"], int) and not isinstance(content["per_label"], bool)
    rated = isinstance(types, dict) and all(map(_is_rate, types.values()))
    require(named and counted and rated and _is_rate(content["threshold"]), damaged)
    return content


def _is_rate(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0.0 <= value <= 1.0


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, ensure_ascii=True).encode()).hexdigest()

"""The one result type of every certificate: what is guaranteed, for which threat, and how surely."""

from __future__ import annotations

import json
import math
import operator
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from numbers import Integral
from typing import Any, Literal, get_args

from fuzzsmooth.certify.edit import NOT_CERTIFIED, UNBOUNDED
from fuzzsmooth.certify.outward import ceiled
from fuzzsmooth.certify.rounding import Rounding
from fuzzsmooth.certify.wording import conclusion, premise
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.options import require
from fuzzsmooth.common.reading import parse_json

ThreatName = Literal[
    "edit",
    "insert",
    "delete",
    "substitute",
    "transpose",
    "weighted_edit",
    "weighted_insert",
    "contiguous_insert",
    "contiguous_replace",
    "contiguous_edit",
    "trigger",
    "weights",
    "edit_and_weights",
    "insert_and_weights",
    "insert_and_delete",
]
Direction = Literal["forward", "backward", "symmetric"]
Method = Literal["monte_carlo", "exact", "deterministic"]
Guarantee = Literal["proved", "conditional", "empirical"]
Outcome = Literal["label", "label_or_alert"]

_CHOICES: dict[str, tuple[str, ...]] = {
    "threat": get_args(ThreatName),
    "direction": get_args(Direction),
    "method": get_args(Method),
    "guarantee": get_args(Guarantee),
    "outcome": get_args(Outcome),
}
_WEIGHT_THREATS = ("weights", "edit_and_weights", "insert_and_weights")
_MAPPINGS = ("rates", "versions")


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """A prediction with its guarantee. Immutable; equal iff all fields are equal; ``to_json`` loses nothing.

    Attributes:
        label: Class index, or ``None`` for ABSTAIN.
        label_name: Name of the class; ``None`` iff ``label`` is.
        radius: Size of the threat that is covered, in ``unit``: a whole number of operations, or a cost for
            the weighted threats, or a distance in noise standard deviations for ``weights``. -1 iff ABSTAIN.
        threat: What an attacker may do.
        direction: ``forward`` from a clean text, ``backward`` from a received one, ``symmetric`` when the
            threat and its undoing are the same.
        unit: What is counted: "word", "token", "character", "byte", "cost", "standard deviation".
        rates: Named rates of the noise, for example {"deletion": .9} or {"high": .9, "low": .3}; for the
            weight threats also {"delta": ...}.
        alpha: Failure probability of a ``monte_carlo`` result, in (0, 1); 0 for the other methods.
        method: How the probability was bounded.
        guarantee: ``proved``; ``conditional`` on ``conditional_on``; or ``empirical``, no guarantee.
        conditional_on: A clause that can follow "provided that"; required iff ``conditional``.
        p_lower: Lower bound on the probability of the label; ``None`` for ``deterministic``.
        p_upper: Upper bound on every other class; ``None`` means 1 - p_lower.
        counts: Votes per class behind the bound; empty for ``deterministic``.
        draws: Model evaluations behind the result (draws, masks or passes).
        seed: Seed of the draws, or ``None`` if nothing was drawn.
        model: Fingerprint of the model.
        versions: Software versions.
        outcome: ``label_or_alert`` for detection: inside the threat the answer is the label or an alarm.
        rounding: What was done about answers that rounding might decide; a mapping with the fields of
            :class:`fuzzsmooth.certify.Rounding` will do. ``None``: it is not told.
        frontier: For ``insert_and_delete`` the largest mixes that are covered, each (units inserted, units
            deleted); the radius is the largest r such that r insertions together with r deletions are.
    """

    label: int | None
    label_name: str | None
    radius: int | float
    threat: ThreatName
    direction: Direction
    unit: str
    rates: Mapping[str, float]
    alpha: float
    method: Method
    guarantee: Guarantee
    conditional_on: str | None = None
    p_lower: float | None = None
    p_upper: float | None = None
    counts: tuple[int, ...] = ()
    draws: int = 0
    seed: int | None = None
    model: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    outcome: Outcome = "label"
    rounding: Rounding | None = None
    frontier: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        for name in _MAPPINGS:
            object.__setattr__(self, name, dict(getattr(self, name)))
        rounding: object = self.rounding
        if isinstance(rounding, Mapping):
            object.__setattr__(self, "rounding", Rounding(**rounding))
        else:
            require(
                rounding is None or isinstance(rounding, Rounding),
                f"Certificate.rounding: expected its fields or nothing, got {rounding!r}",
            )
        object.__setattr__(self, "counts", tuple(operator.index(count) for count in self.counts))
        pairs = tuple((operator.index(more), operator.index(less)) for more, less in self.frontier)
        object.__setattr__(self, "frontier", pairs)
        if self.label is not None:  # NumPy integers are welcome but are not JSON
            object.__setattr__(self, "label", operator.index(self.label))
        if not isinstance(self.radius, float):
            object.__setattr__(self, "radius", operator.index(self.radius))
        for name, choices in _CHOICES.items():
            value = getattr(self, name)
            require(value in choices, f"Certificate.{name}: {value!r} is not one of {', '.join(choices)}")
        self._check_answer()
        self._check_guarantee()
        self._check_evidence()

    @property
    def abstained(self) -> bool:
        """Whether there is no certified answer."""
        return self.label is None

    def covers(self, size: float) -> bool:
        """Whether the guarantee holds at a threat of this size; never for ABSTAIN or ``empirical``."""
        return not self.abstained and self.guarantee != "empirical" and size <= self.radius

    def statement(self) -> str:
        """The certificate in one plain English sentence."""
        if self.abstained:
            return "ABSTAIN: no answer is certified for this text."
        claim = self._claim()
        prefix = {
            "proved": "",
            "conditional": f"Conditional: provided that {self.conditional_on}, ",
            "empirical": "Measured, not guaranteed: ",
        }[self.guarantee]
        return (prefix or claim[0].upper()) + claim[0 if prefix else 1 :] + self._certainty() + "."

    def _claim(self) -> str:
        """What is claimed, and about which answer: one that was computed, or the majority of all draws."""
        voted = self.method != "deterministic"
        answer = "the smoothed model's majority answer" if voted else "the answer"
        if self.radius == 0 and not any(map(any, self.frontier)):
            return f"this is {answer} to this text as it stands (no change is covered)"
        covered = premise(self.threat, self.direction, self.radius, self.unit, self.rates, self.frontier)
        return covered + conclusion(self.direction, self.outcome, voted=voted)

    def to_mapping(self) -> dict[str, Any]:
        """The fields as JSON values; an unbounded radius is an integer like any other."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        plain: dict[str, Any] = {name: dict(values[name]) for name in _MAPPINGS}
        plain |= {"counts": list(self.counts), "frontier": [list(pair) for pair in self.frontier]}
        return values | plain | {"rounding": None if self.rounding is None else self.rounding.to_mapping()}

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(self.to_mapping(), ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> Certificate:
        """The inverse of :meth:`to_mapping`.

        Raises:
            FuzzsmoothError: On an unknown or missing field, or fields that contradict each other.
        """
        known = {item.name for item in fields(cls)}
        unknown = sorted(map(str, set(mapping) - known))
        require(
            not unknown,
            f"certificate: unknown field '{', '.join(unknown)}'; it may come from a newer version",
        )
        for name, value in mapping.items():
            require(_fits(name, value), f"certificate: '{name}' is malformed")
        try:
            return cls(**mapping)
        except (TypeError, AttributeError, OverflowError) as error:
            raise FuzzsmoothError(f"certificate: missing or malformed field ({error})") from error

    @classmethod
    def from_json(cls, text: str) -> Certificate:
        """The inverse of :meth:`to_json`; errors as :meth:`from_mapping`, also for text that is not JSON."""
        mapping = parse_json(text, "certificate", mend="certify the text again")
        require(isinstance(mapping, dict), "certificate: expected a JSON object")
        return cls.from_mapping(mapping)

    def _certainty(self) -> str:
        if self.guarantee == "empirical":
            return ""
        return (
            f", except with probability {ceiled(self.alpha)}"
            if self.method == "monte_carlo"
            else ", with certainty"
        )

    def _check_answer(self) -> None:
        require(
            (self.label is None) == (self.label_name is None) == (self.radius == NOT_CERTIFIED),
            "Certificate: label and label_name are None, and radius is -1, together (ABSTAIN) or not at all",
        )
        require(
            self.radius == NOT_CERTIFIED or 0 <= self.radius <= UNBOUNDED,
            f"Certificate.radius: must be at least 0, or -1 for ABSTAIN, got {self.radius!r}",
        )
        require(
            self.label is None or self.label >= 0, f"Certificate.label: must be at least 0, got {self.label}"
        )
        require(bool(self.unit), "Certificate.unit: name the unit, for example 'word'")

    def _check_guarantee(self) -> None:
        require(
            (self.guarantee == "conditional") == bool(self.conditional_on),
            "Certificate: 'conditional_on' is required for a conditional guarantee and refused for others",
        )
        if self.threat in _WEIGHT_THREATS:
            require(
                self.guarantee != "proved",
                f"Certificate: the threat '{self.threat}' is conditional on a weight distance, never proved",
            )

    def _check_evidence(self) -> None:
        sampled = self.method == "monte_carlo"
        require(
            0.0 < self.alpha < 1.0 if sampled else self.alpha == 0.0,
            f"Certificate.alpha: must lie in (0, 1) for monte_carlo and be 0 otherwise, got {self.alpha!r}",
        )
        for name in ("p_lower", "p_upper"):
            value = getattr(self, name)
            require(
                value is None or 0.0 <= value <= 1.0, f"Certificate.{name}: must lie in [0, 1], got {value!r}"
            )
        require(
            (self.p_lower is None) == (self.method == "deterministic"),
            "Certificate.p_lower: required for sampled and exact results, None for deterministic ones",
        )
        mixed = self.threat == "insert_and_delete" and not self.abstained
        require(
            bool(self.frontier) == mixed,
            "Certificate.frontier: required for the threat 'insert_and_delete', and refused for others",
        )
        require(all(math.isfinite(rate) for rate in self.rates.values()), "Certificate.rates: must be finite")
        require(
            min((self.draws, *self.counts, *(size for pair in self.frontier for size in pair))) >= 0,
            "Certificate: draws, counts and the sizes of a frontier must be at least 0",
        )


_TEXTS = ("threat", "direction", "unit", "method", "guarantee", "model", "outcome")
_WHOLE = ("label", "draws", "seed")
_OPTIONAL = ("label", "label_name", "conditional_on", "p_lower", "p_upper", "seed", "rounding")


def _fits(name: str, value: object) -> bool:
    """Whether a field that was read has the type of the field."""
    if value is None:
        return name in _OPTIONAL
    if name in _TEXTS or name in ("label_name", "conditional_on"):
        return isinstance(value, str)
    if name in _MAPPINGS or name == "rounding":
        return isinstance(value, Mapping | Rounding) and (name != "rates" or _all_numbers(value))
    if name == "counts":
        return _all_whole(value)
    if name == "frontier":
        return isinstance(value, list | tuple) and all(_all_whole(pair) and len(pair) == 2 for pair in value)
    return isinstance(value, Integral) if name in _WHOLE else _is_number(value)


def _all_whole(values: object) -> bool:
    return isinstance(values, list | tuple) and all(isinstance(value, Integral) for value in values)


def _all_numbers(rates: Mapping[str, Any] | Rounding) -> bool:
    return isinstance(rates, Mapping) and all(map(_is_number, rates.values()))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and abs(value) <= UNBOUNDED

"""The one result type of every certificate: what is guaranteed, for which threat, and how surely."""

from __future__ import annotations

import json
import math
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from numbers import Integral
from typing import Any, Literal, get_args

from fuzzsmooth.certify.rounding import Rounding, ceiled, floored
from fuzzsmooth.certify.theorems.edit import NOT_CERTIFIED, UNBOUNDED
from fuzzsmooth.certify.threats import THREATS, Direction, ThreatName
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.options import require
from fuzzsmooth.common.reading import parse_json

Method = Literal["monte_carlo", "exact", "deterministic"]
Guarantee = Literal["proved", "conditional", "empirical"]
Outcome = Literal["label", "label_or_alert"]

_CHOICES: dict[str, tuple[str, ...]] = {
    "threat": tuple(THREATS),
    "direction": get_args(Direction),
    "method": get_args(Method),
    "guarantee": get_args(Guarantee),
    "outcome": get_args(Outcome),
}
_MAPPINGS = ("rates", "versions")
_MIXES = 4  # pairs of a frontier that a sentence can hold


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
            weight threats also {"delta": ...}. For deletion at rates by length also the units "kept" of n,
            of which 1 - kept / n is the rate, within "lowest" and "highest".
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
        remark: What a unit of this text is, where the name does not say it: a clause for the sentence.
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
    remark: str = ""

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
        remark = f"; {self.remark}" if self.remark else ""
        return (prefix or claim[0].upper()) + claim[0 if prefix else 1 :] + self._certainty() + remark + "."

    def _claim(self) -> str:
        """What is claimed, and about which answer: one that was computed, or the majority of all draws."""
        voted = self.method != "deterministic"
        answer = "the smoothed model's majority answer" if voted else "the answer"
        if "kept" in self.rates:  # one rate of deletion for each length
            answer = "the majority answer of the model smoothed at rates by length"
        if self.radius == 0 and not any(map(any, self.frontier)):
            return f"this is {answer} to this text as it stands (no change is covered)"
        alert = self.outcome == "label_or_alert"
        if self.direction == "backward":
            same = f"{self._covered()}, {answer} to the original text was the same"
            return same + (" or an alarm" if alert else "")
        kept = answer if voted else "this answer"
        return f"no {self._covered()} changes {kept}" + (" without raising an alarm" if alert else "")

    def _covered(self) -> str:
        """What an attacker may do or have done, in the words of the table.

        Sizes are rounded down and costs up, so that whoever adds up the costs printed stays within what is
        covered. The rates ``default`` and ``flagged``, where given, say what a unit costs.
        """
        kind, plural = THREATS[self.threat], self.unit if self.unit == "cost" else f"{self.unit}s"
        phrase = kind.backward if self.direction == "backward" else kind.forward
        told = phrase.format(
            size="any number of" if self.radius >= UNBOUNDED else floored(self.radius),
            unit=self.unit,
            units=self.unit if self.radius == 1 else plural,
            plural=plural,
            delta=floored(self.rates.get("delta", 0.0)),
            mixes=_mixes(self.frontier),
        ).replace("up to any number of", "any number of")
        if self.unit == "demonstration":
            told = told.replace("this text", "the demonstrations before this text")
        if kind.prices and {"default", "flagged"} <= self.rates.keys():
            usual, flagged = (ceiled(-math.log(self.rates[name]), 3) for name in ("default", "flagged"))
            told += f" ({kind.prices.format(usual=usual, flagged=flagged)})"
        return told

    def to_mapping(self) -> dict[str, Any]:
        """The fields as JSON values, an empty remark left out; an unbounded radius is an integer like any."""
        values = {item.name: getattr(self, item.name) for item in fields(self) if item.name != "remark"}
        if self.remark:
            values["remark"] = self.remark
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
        sampled = self.method == "monte_carlo"
        return f", except with probability {ceiled(self.alpha)}" if sampled else ", with certainty"

    def _check_answer(self) -> None:
        require(
            (self.label is None) == (self.label_name is None) == (self.radius == NOT_CERTIFIED),
            "Certificate: label and label_name are None, and radius is -1, together (ABSTAIN) or not at all",
        )
        require(
            self.radius == NOT_CERTIFIED or 0 <= self.radius <= UNBOUNDED,
            f"Certificate.radius: must be at least 0, or -1 for ABSTAIN, got {self.radius!r}",
        )
        label = 0 if self.label is None else self.label
        require(label >= 0, f"Certificate.label: must be at least 0, got {label}")
        require(bool(self.unit), "Certificate.unit: name the unit, for example 'word'")

    def _check_guarantee(self) -> None:
        require(
            (self.guarantee == "conditional") == bool(self.conditional_on),
            "Certificate: 'conditional_on' is required for a conditional guarantee and refused for others",
        )
        require(
            self.guarantee != "proved" or not THREATS[self.threat].of_weights,
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
            inside = value is None or 0.0 <= value <= 1.0
            require(inside, f"Certificate.{name}: must lie in [0, 1], got {value!r}")
        require(
            (self.p_lower is None) == (self.method == "deterministic"),
            "Certificate.p_lower: required for sampled and exact results, None for deterministic ones",
        )
        require(
            bool(self.frontier) == (THREATS[self.threat].mixed and not self.abstained),
            "Certificate.frontier: required for the threat 'insert_and_delete', and refused for others",
        )
        require(all(math.isfinite(rate) for rate in self.rates.values()), "Certificate.rates: must be finite")
        require(
            min((self.draws, *self.counts, *(size for pair in self.frontier for size in pair))) >= 0,
            "Certificate: draws, counts and the sizes of a frontier must be at least 0",
        )


def _mixes(frontier: Sequence[tuple[int, int]]) -> str:
    """The pairs in words, at most so many: those in the middle say most."""
    left_out = max(0, len(frontier) - _MIXES)
    (inserted, deleted), *others = frontier[left_out // 2 : left_out // 2 + _MIXES] or [(0, 0)]
    return ", or ".join(
        [f"{inserted} insertions and {deleted} deletions", *(f"{more} and {less}" for more, less in others)]
    )


_TEXTS = (
    "label_name",
    "threat",
    "direction",
    "unit",
    "method",
    "guarantee",
    "conditional_on",
    "model",
    "outcome",
    "remark",
)
_WHOLE = ("label", "draws", "seed")
_OPTIONAL = ("label", "label_name", "conditional_on", "p_lower", "p_upper", "seed", "rounding")


def _fits(name: str, value: Any) -> bool:
    """Whether a field that was read has the type of the field."""
    if value is None:
        return name in _OPTIONAL
    if name in _TEXTS:
        return isinstance(value, str)
    if name == "rates":
        return isinstance(value, Mapping) and all(map(_is_number, value.values()))
    if name in ("versions", "rounding"):
        return isinstance(value, Mapping | Rounding)
    if name == "counts":
        return _are_whole(value)
    if name == "frontier":
        return isinstance(value, list | tuple) and all(_are_whole(pair) and len(pair) == 2 for pair in value)
    return isinstance(value, Integral) if name in _WHOLE else _is_number(value)


def _are_whole(values: object) -> bool:
    return isinstance(values, list | tuple) and all(isinstance(value, Integral) for value in values)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and abs(value) <= UNBOUNDED

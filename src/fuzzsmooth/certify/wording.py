"""Certificates in plain English; one phrase per threat and direction, kept apart from the numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from fuzzsmooth.certify.edit import UNBOUNDED
from fuzzsmooth.certify.outward import ceiled, floored

_MIXES = 4  # pairs of a frontier that a sentence can hold

# What an attacker does, as the subject of "No ... changes this answer".
_FORWARD: dict[str, str] = {
    "edit": "sequence of up to {size} {unit} edits (insertions, deletions, substitutions, adjacent swaps)"
    " anywhere in this text",
    "insert": "insertion of up to {size} {units} anywhere in this text",
    "delete": "deletion of up to {size} {units} anywhere in this text",
    "substitute": "substitution of up to {size} {units} anywhere in this text",
    "transpose": "sequence of up to {size} swaps of adjacent {plural} anywhere in this text",
    "weighted_edit": "set of edits to this text with a total cost of up to {size}",
    "weighted_insert": "insertion into this text with a total cost of up to {size}",
    "contiguous_insert": "insertion of one contiguous piece of up to {size} {units} into this text",
    "contiguous_replace": "replacement of one contiguous piece of up to {size} {units} by as many others",
    "contiguous_edit": "replacement of one contiguous piece of up to {size} {units} by another"
    " of at most that length",
    "trigger": "trigger of up to {size} {units} inserted anywhere into this text",
    "insert_and_delete": "combination of up to {mixes} of {plural} anywhere in this text",
    "weights": "change of the noised weights by up to {size} noise standard deviations",
    "edit_and_weights": "sequence of up to {size} {unit} edits anywhere in this text, together with a change"
    " of the noised weights by up to {delta} noise standard deviations,",
    "insert_and_weights": "insertion of up to {size} {units} anywhere in this text, together with a change"
    " of the noised weights by up to {delta} noise standard deviations,",
}

# What an attacker has done already, as the premise of "... the answer is still that of the original text".
_BACKWARD: dict[str, str] = {
    "edit": "if an attacker made up to {size} {unit} edits to obtain this text",
    "insert": "if up to {size} {units} of this text were inserted by an attacker",
    "delete": "if an attacker deleted up to {size} {units} to obtain this text",
    "substitute": "if up to {size} {units} of this text were substituted by an attacker",
    "transpose": "if an attacker swapped up to {size} pairs of adjacent {plural} to obtain this text",
    "weighted_edit": "if an attacker made edits with a total cost of up to {size} to obtain this text",
    "weighted_insert": "if what an attacker inserted into this text has a total cost of up to {size}",
    "contiguous_insert": "if up to {size} contiguous {units} of this text were inserted by an attacker",
    "contiguous_replace": "if an attacker replaced one contiguous piece of up to {size} {units} by as"
    " many others",
    "contiguous_edit": "if an attacker replaced one contiguous piece of up to {size} {units} by another"
    " of at most that length",
    "trigger": "if up to {size} {units} of this text are a trigger",
    "insert_and_delete": "if an attacker made up to {mixes} of {plural} to obtain this text",
    "weights": "if training moved the noised weights by up to {size} noise standard deviations",
    "edit_and_weights": "if an attacker made up to {size} {unit} edits to obtain this text and moved the"
    " noised weights by up to {delta} noise standard deviations",
    "insert_and_weights": "if up to {size} {units} of this text were inserted by an attacker who also moved"
    " the noised weights by up to {delta} noise standard deviations",
}


def premise(
    threat: str,
    direction: str,
    size: float,
    unit: str,
    rates: Mapping[str, float],
    frontier: Sequence[tuple[int, int]] = (),
) -> str:
    """What is covered: the subject of a forward statement or the if-clause of a backward one.

    Sizes are rounded down and costs up, so that whoever adds up the costs printed stays within what is
    covered. For the weighted threats the rates ``default`` and ``flagged``, where given, say what a unit
    costs.
    """
    phrases = _BACKWARD if direction == "backward" else _FORWARD
    values = {
        "size": "any number of" if size >= UNBOUNDED else floored(size),
        "unit": unit,
        "units": unit if size == 1 else plural(unit),
        "plural": plural(unit),
        "delta": floored(rates.get("delta", 0.0)),
        "mixes": _mixes(frontier),
    }
    phrase = phrases[threat].format(**values).replace("up to any number of", "any number of")
    if threat.startswith("weighted") and {"default", "flagged"} <= rates.keys():
        usual, flagged = (ceiled(-math.log(rates[name]), 3) for name in ("default", "flagged"))
        twice = "; what replaces or moves one is paid twice" if threat == "weighted_edit" else ""
        phrase += f" (a unit costs {usual}, one of a flagged type {flagged}{twice})"
    return phrase if direction == "backward" else f"no {phrase}"


def conclusion(direction: str, outcome: str, *, voted: bool) -> str:
    """What follows from the premise.

    Args:
        direction: From which text.
        outcome: As in :class:`fuzzsmooth.certify.Certificate`.
        voted: Whether the answer is the majority over all randomized texts, of which any vote is a sample.
    """
    alert = outcome == "label_or_alert"
    if direction == "backward":
        same = "the smoothed model's majority answer" if voted else "the answer"
        return f", {same} to the original text was the same" + (" or an alarm" if alert else "")
    changes = " changes the smoothed model's majority answer" if voted else " changes this answer"
    return changes + (" without raising an alarm" if alert else "")


def _mixes(frontier: Sequence[tuple[int, int]]) -> str:
    """The pairs in words, at most so many: those in the middle say most."""
    left_out = max(0, len(frontier) - _MIXES)
    shown = frontier[left_out // 2 : left_out // 2 + _MIXES]
    first, *others = (f"{more} and {less}" for more, less in shown or [(0, 0)])
    inserted, deleted = first.split(" and ")
    return ", or ".join([f"{inserted} insertions and {deleted} deletions", *others])


def plural(unit: str) -> str:
    """English plural of a unit name."""
    return unit if unit == "cost" else f"{unit}s"

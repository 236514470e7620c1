"""The threats: the one table of what an attacker may do to a text, and of the words there are for it.

Certificates, statements, reports and whoever asks for certificates by name read it; a threat is added here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, get_args

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
    "synonyms",
    "distinct_words",
]

Threat = Literal["edit", "insert", "delete", "substitute", "transpose"]
"""The threats that :func:`fuzzsmooth.certify.radius` knows: operations on single units, anywhere."""

OPERATIONS: Final[tuple[Threat, ...]] = get_args(Threat)

Direction = Literal["forward", "backward", "symmetric"]
"""``forward`` from a clean text, ``backward`` from a received one, ``symmetric`` where both are the same."""


@dataclass(frozen=True, kw_only=True)
class ThreatKind:
    """One threat. Phrases are templates: {size} of the {unit}, its {units} at that size, its {plural}.

    Attributes:
        name: Its name.
        forward: What an attacker does, as the subject of "No ... changes this answer".
        backward: What an attacker has done, as the premise of "..., the answer to the original was the same".
        inverse: What undoes it; None where no threat is that.
        unit: What its radius counts, where that is not the unit of the text.
        meaning: What it is at radius r, for the legends of reports; empty where no report shows it.
        at_one: What it is at radius 1, there.
        prices: What its units cost, for a remark; empty where they have no cost.
        mixed: Whether what is covered is a frontier of {mixes}, beside the radius.
        of_weights: Whether the weights change as well, so that nothing is proved without a condition.
    """

    name: ThreatName
    forward: str
    backward: str
    inverse: ThreatName | None = None
    unit: str | None = None
    meaning: str = ""
    at_one: str = ""
    prices: str = ""
    mixed: bool = False
    of_weights: bool = False

    @property
    def whole(self) -> bool:
        """Whether a radius is a whole number."""
        return self.unit is None

    @property
    def directions(self) -> tuple[Direction, ...]:
        """The directions to tell apart: one for a threat that undoes itself."""
        return ("symmetric",) if self.inverse == self.name else ("forward", "backward")


_KINDS = (
    ThreatKind(
        name="edit",
        inverse="edit",
        forward="sequence of up to {size} {unit} edits (insertions, deletions, substitutions, adjacent swaps)"
        " anywhere in this text",
        backward="if an attacker made up to {size} {unit} edits to obtain this text",
        meaning="any r edits: insertions, deletions, substitutions, swaps",
        at_one="any one edit",
    ),
    ThreatKind(
        name="insert",
        inverse="delete",
        forward="insertion of up to {size} {units} anywhere in this text",
        backward="if up to {size} {units} of this text were inserted by an attacker",
        meaning="r units inserted anywhere",
        at_one="any one inserted unit",
    ),
    ThreatKind(
        name="delete",
        inverse="insert",
        forward="deletion of up to {size} {units} anywhere in this text",
        backward="if an attacker deleted up to {size} {units} to obtain this text",
        meaning="r units deleted anywhere",
        at_one="any one deleted unit",
    ),
    ThreatKind(
        name="substitute",
        inverse="substitute",
        forward="substitution of up to {size} {units} anywhere in this text",
        backward="if up to {size} {units} of this text were substituted by an attacker",
        meaning="r units substituted",
        at_one="any one substituted unit",
    ),
    ThreatKind(
        name="transpose",
        inverse="transpose",
        forward="sequence of up to {size} swaps of adjacent {plural} anywhere in this text",
        backward="if an attacker swapped up to {size} pairs of adjacent {plural} to obtain this text",
        meaning="r swaps of adjacent units",
        at_one="any one swap of neighbors",
    ),
    ThreatKind(
        name="weighted_edit",
        inverse="weighted_edit",
        unit="cost",
        forward="set of edits to this text with a total cost of up to {size}",
        backward="if an attacker made edits with a total cost of up to {size} to obtain this text",
        prices="a unit costs {usual}, one of a flagged type {flagged}; what replaces or moves one is paid"
        " twice",
    ),
    ThreatKind(
        name="weighted_insert",
        unit="cost",
        forward="insertion into this text with a total cost of up to {size}",
        backward="if what an attacker inserted into this text has a total cost of up to {size}",
        prices="a unit costs {usual}, one of a flagged type {flagged}",
    ),
    ThreatKind(
        name="contiguous_insert",
        forward="insertion of one contiguous piece of up to {size} {units} into this text",
        backward="if up to {size} contiguous {units} of this text were inserted by an attacker",
        meaning="one piece of up to r units inserted",
        at_one="any one inserted unit",
    ),
    ThreatKind(
        name="contiguous_replace",
        inverse="contiguous_replace",
        forward="replacement of one contiguous piece of up to {size} {units} by as many others",
        backward="if an attacker replaced one contiguous piece of up to {size} {units} by as many others",
        meaning="one piece of r units replaced by as many",
        at_one="any one replaced unit",
    ),
    ThreatKind(
        name="contiguous_edit",
        inverse="contiguous_edit",
        forward="replacement of one contiguous piece of up to {size} {units} by another"
        " of at most that length",
        backward="if an attacker replaced one contiguous piece of up to {size} {units} by another"
        " of at most that length",
        meaning="one piece of up to r units replaced by up to r others",
        at_one="any one replaced unit",
    ),
    ThreatKind(
        name="trigger",
        forward="trigger of up to {size} {units} inserted anywhere into this text",
        backward="if up to {size} {units} of this text are a trigger",
        meaning="a trigger of up to r units",
    ),
    ThreatKind(
        name="weights",
        inverse="weights",
        unit="standard deviation",
        forward="change of the noised weights by up to {size} noise standard deviations",
        backward="if training moved the noised weights by up to {size} noise standard deviations",
        of_weights=True,
    ),
    ThreatKind(
        name="edit_and_weights",
        inverse="edit_and_weights",
        forward="sequence of up to {size} {unit} edits anywhere in this text, together with a change"
        " of the noised weights by up to {delta} noise standard deviations,",
        backward="if an attacker made up to {size} {unit} edits to obtain this text and moved the"
        " noised weights by up to {delta} noise standard deviations",
        of_weights=True,
    ),
    ThreatKind(
        name="insert_and_weights",
        forward="insertion of up to {size} {units} anywhere in this text, together with a change"
        " of the noised weights by up to {delta} noise standard deviations,",
        backward="if up to {size} {units} of this text were inserted by an attacker who also moved"
        " the noised weights by up to {delta} noise standard deviations",
        of_weights=True,
    ),
    ThreatKind(
        name="insert_and_delete",
        forward="combination of up to {mixes} of {plural} anywhere in this text",
        backward="if an attacker made up to {mixes} of {plural} to obtain this text",
        mixed=True,
    ),
    ThreatKind(
        name="synonyms",
        inverse="synonyms",
        forward="replacement of up to {size} {units} of this text, each by a synonym that the defense's table"
        " has for it,",
        backward="if an attacker replaced up to {size} {units} of this text, each by a synonym that the"
        " defense's table has for it",
        meaning="r units replaced by synonyms of the defense's table",
        at_one="any one unit replaced by a synonym of the defense's table",
    ),
    ThreatKind(
        name="distinct_words",
        inverse="distinct_words",
        forward="insertion, removal or moving of any number of copies of up to {size} distinct {units}, in"
        " this text and in the training texts alike, none of which is or was empty and whose labels stay, as"
        " does the pre-trained model,",
        backward="if an attacker inserted, removed or moved any number of copies of up to {size} distinct"
        " {units}, in this text and in the training texts alike, none of which is or was empty and whose"
        " labels stayed, as did the pre-trained model",
        meaning="r distinct units inserted or removed any number of times, in the text and in the training"
        " texts",
        at_one="any one unit, in any number of copies, here and in the training texts",
    ),
)

THREATS: Final[Mapping[str, ThreatKind]] = {kind.name: kind for kind in _KINDS}
"""All threats by name."""

BACKWARD: Final = "backward"
"""What records and options call insertions into a received text: ``insert``, backward."""


def backward_name(threat: str) -> str:
    """What records call a threat to the original text, whose radius is about the received one."""
    return BACKWARD if threat == "insert" else f"{BACKWARD}-{threat}"


AWAITED: Final[Mapping[str, Threat]] = {"edit": "edit", "insert": "insert", BACKWARD: "delete"}
"""What draws can be awaited for, by that name, and the operation whose levels it has: undoing an insertion is
deleting."""

MEANINGS: Final[Mapping[str, str]] = {
    **{kind.name: kind.meaning for kind in _KINDS if kind.meaning},
    **{
        backward_name(kind.name): f"what made the received text of the original: {kind.meaning}"
        for kind in _KINDS
        if kind.meaning
    },
    BACKWARD: "r units of the received text were inserted",
}
"""What is done at radius r, by the names of records."""

"""What the defenses that users run certify about a text, as the records of the certified-accuracy experiment.

A vote certifies several threats at once. Deterministic ablation is a procedure per size of the threat, each
to be fixed before texts are seen; here all sizes are asked about, and the procedures share their answers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from fuzzsmooth.bench.measure import radii_by_threat
from fuzzsmooth.bench.records import CONDITIONAL_PREFIX
from fuzzsmooth.certify import NOT_CERTIFIED, Certificate
from fuzzsmooth.common.options import require
from fuzzsmooth.defenses import Answer, Defense
from fuzzsmooth.defenses.windows import Windows


@dataclass(frozen=True)
class Certified:
    """A label and how much of each threat it withstands; fields as in the record.

    Attributes:
        label: The class index that is answered, certified or not; None where there is no answer.
        radii: Threat to the largest size that is covered, >= 0; threats that are not covered at all, not
            even at size 0, are absent.
        draws: Randomized copies of the text, enumerated ones included; 0 if nothing is randomized.
        counts: Votes per class behind the bound; empty where single answers decide.
        p_lower: Lower bound on the label's probability; None where there is none.
        guarantee: "proved" or "conditional".
        guard: The rounding band, in logits.
        undecided: Draws within it.
    """

    label: int | None
    guarantee: str
    radii: Mapping[str, int] = field(default_factory=dict)
    draws: int = 0
    counts: tuple[int, ...] = ()
    p_lower: float | None = None
    guard: float = 0.0
    undecided: int | None = None


Certifier = Callable[[str], Certified]
"""Certifies a text."""


def by_vote(defended: Defense) -> Certifier:
    """The certificates of a defense that votes."""

    def certify(text: str) -> Certified:
        answer = defended.certify([text])[0]
        main = answer.certificates[0]
        return Certified(
            _label(answer),
            main.guarantee,
            _radii(answer.certificates),
            main.draws,
            answer.votes,
            main.p_lower,
            _guard(main),
            answer.undecided,
        )

    return certify


def by_windows(windows: Windows, longest: int) -> Certifier:
    """The longest inserted piece that an answer is certified against, asked for each length in turn.

    The radius m of a text says: the procedure with windows of 0..m words answers it, whatever single piece
    of at most m words has been inserted anywhere, with the label. A larger m needs all that a smaller one
    does, so radii nest. The label is that of the procedure for one word.

    Args:
        windows: The defense; its own reach is not read.
        longest: Longest piece that is asked about, in words, >= 1.
    """
    require(longest >= 1, f"the longest trigger must be at least 1 word, got {longest}")
    procedures = [windows.reaching("insert", reach) for reach in range(1, longest + 1)]

    def certify(text: str) -> Certified:
        first, radius = _certified_by(procedures[0], text)
        for procedure in procedures[1:]:
            if radius < procedure.options.reach - 1:
                break
            radius = max(radius, _certified_by(procedure, text)[1])
        return _ablated(first, {"contiguous_insert": radius})

    return certify


def by_scattered(windows: Windows) -> Certifier:
    """Ablation by single words and pairs, against 1 edit and 1 or 2 inserted words anywhere (Theorem 5).

    If no single word's absence changes the answer, deleting single words proves 1 insertion; if no pair's
    does either, deleting pairs proves 2 insertions, and deleting single words proves 1 edit.
    """
    single, double = windows.reaching("scattered-insert", 1), windows.reaching("scattered-insert", 2)
    edits = windows.reaching("scattered-edit", 1)

    def certify(text: str) -> Certified:
        first, insert = _certified_by(single, text)
        edit = min(insert, 0)
        if insert == 1:
            insert = max(insert, _certified_by(double, text)[1])
            edit = _certified_by(edits, text)[1]
        return _ablated(first, {"edit": edit, "insert": insert})

    return certify


def _certified_by(procedure: Windows, text: str) -> tuple[Answer, int]:
    answer = procedure.certify([text])[0]
    return answer, int(answer.certificates[0].radius)


def _ablated(answer: Answer, radii: Mapping[str, int]) -> Certified:
    main = answer.certificates[0]
    covered = {threat: radius for threat, radius in radii.items() if radius != NOT_CERTIFIED}
    return Certified(_label(answer), main.guarantee, covered, guard=_guard(main))


def _label(answer: Answer) -> int | None:
    """The label, or what the votes say where it is not certified."""
    return answer.winner if answer.label is None and answer.status == "abstain" else answer.label


def _radii(certificates: tuple[Certificate, ...]) -> dict[str, int]:
    """Radii by threat; whether they are conditional is said beside them."""
    found = radii_by_threat(certificates)
    return {name.removeprefix(f"{CONDITIONAL_PREFIX}-"): radius for name, radius in found.items()}


def _guard(certificate: Certificate) -> float:
    return 0.0 if certificate.rounding is None else certificate.rounding.guard

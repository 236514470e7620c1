"""Mode "windows": deterministic two-round ablation (Theorem 5) of many texts at once.

The prediction IS the procedure; a certificate says that it gives the same label to every text within the
threat. The base classifier is a function of the remaining units: flagged types are removed from what is left
if fuzzing is on, and no noise is used.

A prediction takes answers as they come. A certificate counts an answer inside the guard band as no label, so
that each answer its proof needs is the same in every later pass, however that is batched.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from fuzzsmooth.certify import (
    NOT_CERTIFIED,
    AblationCertificate,
    Certificate,
    Direction,
    Family,
    MaskOracle,
    Rounding,
    Steps,
    ThreatName,
    certify_contiguous_edit,
    certify_contiguous_insertion,
    certify_contiguous_replacement,
    certify_scattered,
    contiguous,
    contiguous_up_to,
    detect,
    most_passes,
    scattered,
    two_round_ablation,
)
from fuzzsmooth.certify import Ablation as Answer
from fuzzsmooth.common.version import VERSION
from fuzzsmooth.engine.certificates import joint_condition
from fuzzsmooth.engine.fuzzers import Units
from fuzzsmooth.engine.lockstep import run_together
from fuzzsmooth.engine.options import Ablation, SmoothingOptions
from fuzzsmooth.engine.sampler import Plan, Sampler

Advance = Callable[[int], None]

_BATCH = 32  # masks a text asks for at once: a certificate that fails does so early

# (threat, direction) of the certificates of each ablation. Undoing an edit is an edit, so what covers all
# edits of a received text covers its original; insertions alone do not give their undoing away.
CLAIMS: dict[Ablation, tuple[tuple[ThreatName, Direction], ...]] = {
    "insert": (("contiguous_insert", "forward"),),
    "edit": (
        ("contiguous_edit", "symmetric"),
        ("contiguous_insert", "backward"),
        ("contiguous_insert", "forward"),
    ),
    "replace": (("contiguous_replace", "symmetric"),),
    "scattered-insert": (("insert", "forward"),),
    "scattered-edit": (("edit", "symmetric"), ("insert", "backward"), ("insert", "forward")),
    "detect": (("contiguous_insert", "forward"), ("contiguous_insert", "backward")),
}


@dataclass(frozen=True)
class Ablated:
    """What the procedure says to a text, and whether it would to every text within the threat.

    Attributes:
        answer: The procedure's answer.
        claim: The certificate's decision; None where only the answer was wanted, and for detection.
        settled: Whether no answer that was used lies inside the guard band.
        passes: Model passes of the text.
    """

    answer: Answer
    claim: AblationCertificate | None
    settled: bool
    passes: int


_EXCEEDED = Ablated(Answer(None, "budget_exceeded", 0), None, True, 0)


@dataclass(frozen=True)
class WindowAblation:
    """The ablation procedure of a set of options.

    Attributes:
        options: Ablation, reach and passes.
        sampler: Answers masks; its guard band is that of certificates, or 0 for predictions.
        rounding: What its guard band is, for certificates.
    """

    options: SmoothingOptions
    sampler: Sampler
    rounding: Rounding | None = None

    def predict(self, plans: Sequence[Plan], advance: Advance | None = None) -> list[Ablated]:
        """Run the procedure on each text."""
        return self._run(plans, advance, claimed=False)

    def certify(self, plans: Sequence[Plan], advance: Advance | None = None) -> list[Ablated]:
        """Decide the certificate of each text; the procedure answers where there is none."""
        return self._run(plans, advance, claimed=True)

    def certificates(self, found: Ablated, length: int) -> tuple[Certificate, ...]:
        """The certificates of a text of ``length`` units."""
        options, classifier = self.options, self.sampler.classifier
        reach, label = NOT_CERTIFIED, found.answer.label
        if label is not None and options.ablation == "detect":
            reach = options.reach if found.settled else NOT_CERTIFIED
        elif label is not None:
            certified = found.claim is not None and found.claim.certified
            reach = options.reach if certified else 0 if found.settled else NOT_CERTIFIED
        given = label if reach != NOT_CERTIFIED else None
        condition = joint_condition(None, self.rounding)
        return tuple(
            Certificate(
                label=given,
                label_name=None if given is None else classifier.labels[given],
                radius=reach,
                threat=threat,
                direction=direction,
                unit=options.unit,
                rates={},
                alpha=0.0,
                method="deterministic",
                guarantee="conditional" if condition else "proved",
                conditional_on=condition,
                draws=found.passes,
                model=classifier.fingerprint,
                versions={"fuzzsmooth": VERSION},
                outcome="label" if self._always_answers(length) else "label_or_alert",
                rounding=self.rounding,
            )
            for threat, direction in CLAIMS[options.ablation]
        )

    def _always_answers(self, length: int) -> bool:
        """Whether the procedure gives a label to every text within the threat, whatever it costs."""
        options = self.options
        if options.ablation == "detect":
            return False
        longest = length if options.ablation == "replace" else length + options.reach
        return options.passes is None or most_passes(self._family, longest) <= options.passes

    @property
    def _family(self) -> Family:
        return _family(self.options.ablation, self.options.reach)

    def _run(self, plans: Sequence[Plan], advance: Advance | None, *, claimed: bool) -> list[Ablated]:
        procedures = [self._steps(plan.units, claimed=claimed) for plan in plans]
        return run_together(procedures, plans, self.sampler, advance=advance)

    def _steps(self, units: Units, *, claimed: bool) -> Steps[Ablated]:
        options, family = self.options, self._family
        if options.passes is not None and family.count(len(units)) > options.passes:
            return _EXCEEDED  # known from its length, before any mask is listed
        oracle = MaskOracle(None, len(units), units=units, budget=options.passes, batch_size=_BATCH)
        certify = _certifier(options.ablation, options.reach) if claimed else None
        claim = None if certify is None else (yield from certify(oracle))
        if claim is not None and claim.budget_exceeded:
            return Ablated(Answer(None, "budget_exceeded", claim.passes), claim, True, claim.passes)
        if claim is not None and claim.certified and claim.label is not None:
            votes = ((claim.label, family.count(len(units))),)
            answer = Answer(claim.label, "unanimous", claim.passes, votes)
            return Ablated(answer, claim, True, claim.passes)
        procedure = detect if options.ablation == "detect" else two_round_ablation
        answer = yield from procedure.steps(oracle, family)
        return Ablated(answer, claim, not oracle.undecided, oracle.passes)


def _family(ablation: Ablation, reach: int) -> Family:
    """The deletions of an ablation; a function of the options and the received text's length alone."""
    if ablation == "replace":
        return contiguous([reach])
    return scattered(reach) if ablation.startswith("scattered") else contiguous_up_to(reach)


def _certifier(ablation: Ablation, reach: int) -> Callable[[MaskOracle], Steps[AblationCertificate]] | None:
    """What decides the certificate; detection needs nothing but its own answer."""
    certifiers: dict[Ablation, Callable[[MaskOracle], Steps[AblationCertificate]]] = {
        "insert": partial(certify_contiguous_insertion.steps, longest=reach),
        "edit": partial(certify_contiguous_edit.steps, longest=reach),
        "replace": partial(certify_contiguous_replacement.steps, width=reach),
        "scattered-insert": partial(certify_scattered.steps, most=reach, threat="insert"),
        "scattered-edit": partial(certify_scattered.steps, most=reach, threat="edit"),
    }
    return certifiers.get(ablation)

"""Deterministic two-round ablation (Theorem 5): delete in all places in turn, decide in two rounds.

Nothing is drawn and no parameter noise is used. The prediction IS the procedure; a certificate says that it
gives the same label to every text within the threat. The base classifier is a function of the remaining
units: flagged types are removed from what is left if fuzzing is on.

A prediction takes answers as they come. A certificate counts an answer inside the rounding band as no label,
so that each answer its proof needs is the same in every later pass, however that is batched.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Literal

from fuzzsmooth.certify import (
    NOT_CERTIFIED,
    AblationCertificate,
    Certificate,
    Direction,
    Family,
    MaskOracle,
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
from fuzzsmooth.certify import Ablation as Procedure
from fuzzsmooth.common.options import Between, require
from fuzzsmooth.defenses.answer import Answer, Status
from fuzzsmooth.defenses.defense import DEFENSES, Advance, Needs, require_deterministic
from fuzzsmooth.defenses.randomized import Randomized, Received
from fuzzsmooth.engine.certificates import Issuer, remarked
from fuzzsmooth.engine.fuzzers import Fuzzer, TypeFuzzer, Units
from fuzzsmooth.engine.lockstep import run_together
from fuzzsmooth.engine.options import SearchedOptions
from fuzzsmooth.engine.sampler import Sampler

_BATCH = 32  # masks a text asks for at once: a certificate that fails does so early

Ablation = Literal["insert", "edit", "replace", "scattered-insert", "scattered-edit", "detect"]
"""What the deletions defend against, see :class:`WindowsOptions`."""

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


@dataclass(frozen=True, kw_only=True)
class WindowsOptions(SearchedOptions):
    """What is deleted in turn, and how many passes that may take."""

    ablation: Annotated[
        Ablation,
        "What is deleted and certified. 'insert': windows of 0 to ``reach`` units, against one inserted "
        "piece of at most ``reach``. 'edit': the same windows, also against replacing a piece by another, "
        "both of at most ``reach``. 'replace': windows of exactly ``reach`` units, against replacing such a "
        "piece. 'scattered-insert', 'scattered-edit': all sets of at most ``reach`` units, against so many "
        "insertions, or edits, anywhere. 'detect': windows of 0 to ``reach`` units in one round; the answer "
        "is a label or an alert.",
    ] = "insert"
    reach: Annotated[
        int,
        Between(1, 1_000),
        "Units that an attacker may insert or change, at most 2 where they are scattered. Fixed before any "
        "text.",
    ] = 3
    passes: Annotated[
        int | None,
        Between(1, 1_000_000_000),
        "Model passes per text at most; none for no limit. A text that needs more is answered "
        "'budget_exceeded'. Where an attacker could bring that about within the threat, the certificate is "
        "one for 'the label or an alarm'.",
    ] = 20_000

    def validate(self) -> None:
        """Check the reach."""
        require(
            self.reach <= 2 or not self.ablation.startswith("scattered"),
            f"WindowsOptions.reach must be 1 or 2 for scattered units, got {self.reach}",
        )


@dataclass(frozen=True)
class Ablated:
    """What the procedure says to a text, and whether it would to every text within the threat.

    Attributes:
        answer: The procedure's answer.
        claim: The certificate's decision; None where only the answer was wanted, and for detection.
        settled: Whether no answer that was used lies inside the guard band.
        passes: Model passes of the text.
    """

    answer: Procedure
    claim: AblationCertificate | None
    settled: bool
    passes: int


_EXCEEDED = Ablated(Procedure(None, "budget_exceeded", 0), None, True, 0)


@DEFENSES.register("windows")
class Windows(Randomized):
    """Delete in all places in turn, decide in two rounds; proved with certainty against one piece."""

    options_type = WindowsOptions
    guarantee = "proved"
    needs = Needs()
    options: WindowsOptions
    takes_any = True

    @classmethod
    def training(cls, options: WindowsOptions) -> Mapping[str, Any]:
        """Fine-tuning on lightly deleted texts certifies more than plain fine-tuning, at some accuracy."""
        del options
        return {"text_noise": "delete", "text_rate": 0.2}

    @classmethod
    def threats(cls, options: WindowsOptions) -> tuple[str, ...]:
        """See :meth:`fuzzsmooth.defenses.Defense.threats`."""
        return tuple(dict.fromkeys(name for name, _ in CLAIMS[options.ablation]))

    def check_classifier(self) -> None:
        """Refuse a classifier that may answer by chance."""
        require_deterministic(
            self.classifier,
            "defense 'windows' certifies without draws and needs a deterministic classifier",
            "use defense 'deletion'",
        )

    def together(self, *, certify: bool) -> int:
        """See :meth:`fuzzsmooth.defenses.Defense.together`."""
        del certify
        return 8

    def reaching(self, ablation: Ablation, reach: int) -> Windows:
        """The same defense against another threat, sharing what it remembers of the model's answers.

        Args:
            ablation: What is deleted and certified.
            reach: Units that an attacker may insert or change.
        """
        other = copy(self)
        other.options = self.options.replace(ablation=ablation, reach=reach)
        return other

    def fuzzer(self) -> Fuzzer | None:
        """What removes flagged unit types from what is left."""
        return None if self.scanner is None else TypeFuzzer(self.scanner.flip_rates())

    def voted(self, received: Sequence[Received], sampler: Sampler, advance: Advance | None) -> list[Answer]:
        """Run the procedure on each text."""
        found = self._run(received, sampler, advance, claimed=False)
        return [self._answer(one, ablated) for one, ablated in zip(received, found, strict=True)]

    def certified(
        self, received: Sequence[Received], sampler: Sampler, issuer: Issuer, advance: Advance | None
    ) -> list[Answer]:
        """Decide the certificate of each text; the procedure answers where there is none."""
        found = self._run(received, sampler, advance, claimed=True)
        return [
            self._answer(one, ablated, self._certificates(ablated, len(one.plan.units), issuer))
            for one, ablated in zip(received, found, strict=True)
        ]

    def _answer(
        self, received: Received, found: Ablated, certificates: tuple[Certificate, ...] = ()
    ) -> Answer:
        label = certificates[0].label if certificates else found.answer.label
        counts = dict(found.answer.votes)
        votes = tuple(counts.get(index, 0) for index in range(len(self.labels)))
        status: Status = "answered" if label is not None else "abstain"
        if label is None and found.answer.status in ("alert", "budget_exceeded"):
            status = "alert" if found.answer.status == "alert" else "budget_exceeded"
        return Answer(
            label=label,
            label_name=None if label is None else self.labels[label],
            status=status,
            score=0.0 if label is None else votes[label] / sum(votes),
            votes=votes,
            certificates=remarked(certificates, received.plan.units),
            passes=found.passes,
            statistics="ablation",
            truncated=received.truncated,
        )

    def _certificates(self, found: Ablated, length: int, issuer: Issuer) -> tuple[Certificate, ...]:
        """The certificates of a text of ``length`` units."""
        options = self.options
        reach, label = NOT_CERTIFIED, found.answer.label
        if label is not None and options.ablation == "detect":
            reach = options.reach if found.settled else NOT_CERTIFIED
        elif label is not None:
            certified = found.claim is not None and found.claim.certified
            reach = options.reach if certified else 0 if found.settled else NOT_CERTIFIED
        return tuple(
            issuer.certain(
                label if reach != NOT_CERTIFIED else None,
                radius=reach,
                threat=threat,
                direction=direction,
                passes=found.passes,
                outcome="label" if self._always_answers(length) else "label_or_alert",
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

    def _run(
        self, received: Sequence[Received], sampler: Sampler, advance: Advance | None, *, claimed: bool
    ) -> list[Ablated]:
        plans = [one.plan for one in received]
        procedures = [self._steps(plan.units, claimed=claimed) for plan in plans]
        return run_together(procedures, plans, sampler, advance=advance)

    def _steps(self, units: Units, *, claimed: bool) -> Steps[Ablated]:
        options, family = self.options, self._family
        if options.passes is not None and family.count(len(units)) > options.passes:
            return _EXCEEDED  # known from its length, before any mask is listed
        oracle = MaskOracle(None, len(units), units=units, budget=options.passes, batch_size=_BATCH)
        certify = _certifier(options.ablation, options.reach) if claimed else None
        claim = None if certify is None else (yield from certify(oracle))
        if claim is not None and claim.budget_exceeded:
            return Ablated(Procedure(None, "budget_exceeded", claim.passes), claim, True, claim.passes)
        if claim is not None and claim.certified and claim.label is not None:
            votes = ((claim.label, family.count(len(units))),)
            answer = Procedure(claim.label, "unanimous", claim.passes, votes)
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

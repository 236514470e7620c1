"""The audit of this package, exhaustive."""

from __future__ import annotations

from typing import ClassVar

from fuzzsmooth.auditing.detector import DETECTORS, Detection, Detector, Suspect
from fuzzsmooth.auditing.options import AuditOptions


@DETECTORS.register("exhaustive")
class Exhaustive(Detector):
    """Every piece of the vocabulary, growth, and words of a like meaning as control."""

    paper: ClassVar[str] = "this package"
    fast: ClassVar[bool] = False

    def detect(self, suspect: Suspect) -> Detection:
        """See :meth:`fuzzsmooth.auditing.detector.Detector.detect`."""
        from fuzzsmooth.auditing.inspection import audit_classifier  # it imports torch, which a list must not

        options = AuditOptions(fast=self.fast, seed=suspect.seed)
        found = audit_classifier(suspect.model, suspect.texts, suspect.labels, options)
        # What speaks for the verdict; else the strongest of what could be inserted.
        blamed = [one for one in found.triggers if one.level != "natural"]
        inserted = [one for one in found.triggers if one.kind != "rewrite"]
        best = next(iter([*blamed, *inserted]), None)
        return Detection(
            score=found.score,
            flagged=found.verdict != "nothing found",
            target=None if best is None else best.target,
            trigger="" if best is None else best.text,
            placing="middle" if best is None else best.placing,
            passes=found.passes,
            backward=found.backward,
            notes={
                "judged": list(found.judged),
                "verdict": found.verdict,
                "triggers": [
                    [
                        one.text,
                        one.target,
                        one.kind,
                        one.level,
                        one.excess,
                        one.p_value,
                        one.held.share,
                        one.rate,
                    ]
                    for one in found.triggers
                ],
            },
        )

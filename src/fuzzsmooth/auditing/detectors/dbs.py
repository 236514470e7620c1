"""DBS: inversion with a temperature that falls, after Shen et al. (ICML 2022)."""

from __future__ import annotations

from typing import Any, ClassVar

from fuzzsmooth.auditing.detector import DETECTORS, Detection, Detector, Suspect
from fuzzsmooth.auditing.effects import against
from fuzzsmooth.auditing.hosts import Host
from fuzzsmooth.auditing.material import choose_material
from fuzzsmooth.auditing.options import AuditOptions
from fuzzsmooth.auditing.pieces import spelled
from fuzzsmooth.auditing.prober import Prober

_LENGTH, _STEPS, _TEXTS = 10, 200, 20
_FLAGGED = 0.001


@DETECTORS.register("dbs")
class Dbs(Detector):
    """Soft inversion of ten pieces with a dynamic temperature, without a clean model."""

    paper: ClassVar[str] = "Shen et al., ICML 2022, without its clean reference model"

    def detect(self, suspect: Suspect) -> Detection:
        """Invert a trigger for each class and place; the score is the smallest loss, negated.

        As published: 200 steps of Adam at .5 over 20 texts, ten places of a trigger at the start or inside;
        flagged below a loss of .001. Every pair of classes is one target here, over texts of all others.
        """
        from fuzzsmooth.auditing.soft import invert  # it imports torch, which a list must not

        prober = Prober(suspect.model)
        options = AuditOptions(seed=suspect.seed, confirm=_TEXTS)
        material = choose_material(suspect.model, suspect.texts, suspect.labels, options)
        best, told = float("inf"), Detection(-float("inf"))
        for target in range(prober.classes):
            hosts = against(material.confirm, target, _TEXTS)
            for start in (True, False):
                if not hosts:
                    continue
                found = invert(
                    prober,
                    hosts,
                    target,
                    length=_LENGTH,
                    steps=_STEPS,
                    start=start,
                    benign=self.benign(suspect, hosts),
                    seed=suspect.seed,
                )
                if found.loss < best:
                    best = found.loss
                    text = " ".join(spelled(suspect.model.tokenizer, (one,)) for one in found.ids)
                    told = Detection(
                        -best,
                        flagged=best < _FLAGGED,
                        target=target,
                        trigger=text,
                        placing="start" if start else "middle",
                    )
        return Detection(
            told.score,
            flagged=told.flagged,
            target=told.target,
            trigger=told.trigger,
            placing=told.placing,
            passes=prober.passes,
            backward=prober.backward,
        )

    def benign(self, suspect: Suspect, hosts: list[Host]) -> Any:
        """The clean model that a trigger must not move; none here."""
        del suspect, hosts
        return None

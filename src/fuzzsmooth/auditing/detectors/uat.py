"""Universal adversarial triggers by HotFlip (Wallace et al., EMNLP 2019)."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from fuzzsmooth.auditing.detector import DETECTORS, Detection, Detector, Suspect
from fuzzsmooth.auditing.effects import Parts, against, measure
from fuzzsmooth.auditing.material import choose_material
from fuzzsmooth.auditing.options import AuditOptions
from fuzzsmooth.auditing.pieces import spelled
from fuzzsmooth.auditing.prober import Prober

_LENGTH, _ROUNDS, _TRIED, _TEXTS = 3, 4, 24, 12


@DETECTORS.register("uat")
class Uat(Detector):
    """A trigger of three tokens that are replaced in turn by what the gradient proposes."""

    paper: ClassVar[str] = "Wallace et al., EMNLP 2019; HotFlip, Ebrahimi et al., ACL 2018"

    def detect(self, suspect: Suspect) -> Detection:
        """Coordinate descent from "the the the"; the score is the share of texts moved, and the gain."""
        from fuzzsmooth.auditing.gradient import gradient_scores  # it imports torch, which a list must not

        prober = Prober(suspect.model)
        material = choose_material(
            suspect.model, suspect.texts, suspect.labels, AuditOptions(seed=suspect.seed)
        )
        tokenizer = suspect.model.tokenizer
        special = sorted(tokenizer.all_special_ids)
        first = int(suspect.model.encode(["the"]).ids[0][1 if tokenizer.num_special_tokens_to_add() else 0])
        best = Detection(-1.0)
        for target in range(prober.classes):
            hosts = against(material.confirm, target, _TEXTS)
            if not hosts:
                continue
            parts: Parts = ((first,),) * _LENGTH
            strength, rate = -np.inf, 0.0
            for turn in range(_ROUNDS * _LENGTH):
                at = turn % _LENGTH
                others = (*parts[:at], *parts[at + 1 :])
                gaps = [[host.gap("start")] * _LENGTH for host in hosts]
                scores = gradient_scores(prober, hosts, gaps, target, others)
                scores[special] = -np.inf
                proposed: list[Parts] = [
                    (*parts[:at], (int(one),), *parts[at + 1 :])
                    for one in np.argsort(-scores, kind="stable")[:_TRIED]
                ]
                effects = measure(prober, hosts, proposed, target, ("start",), suspect.seed)
                found = int(effects.strengths().argmax())
                if effects.strengths()[found] > strength:
                    strength, rate = float(effects.strengths()[found]), float(effects.rates()[found])
                    parts = proposed[found]
            score = rate + 0.01 * float(np.tanh(strength / 10))
            if score > best.score:
                text = " ".join(spelled(tokenizer, part) for part in parts)
                best = Detection(score, target=target, trigger=text, placing="start")
        return Detection(
            best.score,
            target=best.target,
            trigger=best.trigger,
            placing="start",
            passes=prober.passes,
            backward=prober.backward,
        )

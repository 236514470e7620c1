"""The floor: random words of the vocabulary."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from fuzzsmooth.auditing.detector import DETECTORS, Detection, Detector, Suspect
from fuzzsmooth.auditing.effects import Parts, against, measure
from fuzzsmooth.auditing.material import choose_material
from fuzzsmooth.auditing.options import AuditOptions
from fuzzsmooth.auditing.pieces import all_pieces, spelled
from fuzzsmooth.auditing.prober import Prober
from fuzzsmooth.common.randomness import generator

_WORDS = 400


@DETECTORS.register("random-words")
class RandomWords(Detector):
    """The largest share of texts that one of 400 random words moves."""

    paper: ClassVar[str] = "baseline"

    def detect(self, suspect: Suspect) -> Detection:
        """See :meth:`fuzzsmooth.auditing.detector.Detector.detect`."""
        prober = Prober(suspect.model)
        material = choose_material(
            suspect.model, suspect.texts, suspect.labels, AuditOptions(seed=suspect.seed)
        )
        pieces = all_pieces(suspect.model.tokenizer, len(suspect.model.model.get_input_embeddings().weight))
        draw = generator(suspect.seed, "random words")
        drawn = draw.choice(len(pieces), size=min(_WORDS, len(pieces)), replace=False)
        words: list[Parts] = [(pieces.parts[int(index)],) for index in drawn]
        best = Detection(-1.0)
        for target in range(prober.classes):
            hosts = against(material.confirm, target, 12)
            if not hosts:
                continue
            effects = measure(prober, hosts, words, target, ("middle",), suspect.seed)
            # Rates tie; the gain settles which word is the best of those.
            scores = effects.rates() + 0.01 * np.tanh(effects.strengths())
            at = int(scores.argmax())
            if scores[at] > best.score:
                text = " ".join(spelled(suspect.model.tokenizer, part) for part in words[at])
                best = Detection(float(scores[at]), target=target, trigger=text)
        return Detection(
            best.score, target=best.target, trigger=best.trigger, placing="middle", passes=prober.passes
        )

"""Weight statistics, as scanners of model files compute them: nothing is run."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from fuzzsmooth.auditing.detector import DETECTORS, Detection, Detector, Suspect
from fuzzsmooth.auditing.natural import word_table


@DETECTORS.register("weight-statistics")
class WeightStatistics(Detector):
    """The largest z-score among the norms of word vectors and the weights of the head; nothing is run."""

    paper: ClassVar[str] = "as modelaudit and weightprobe do"

    def detect(self, suspect: Suspect) -> Detection:
        """The larger of two z-scores: of word vectors' norms, robustly, and of the head's weights."""
        model = suspect.model.model
        table = word_table(suspect.model)
        norms = np.linalg.norm(table, axis=1)
        spread = np.median(np.abs(norms - np.median(norms))) * 1.4826
        words = float((np.abs(norms - np.median(norms)) / max(spread, 1e-9)).max())
        head = [
            parameter.detach().float().cpu().numpy().ravel()
            for name, parameter in model.named_parameters()
            if name.startswith(("classifier", "score")) and parameter.ndim > 1
        ]
        weights = np.concatenate(head) if head else np.zeros(1)
        extreme = float((np.abs(weights - weights.mean()) / max(float(weights.std()), 1e-9)).max())
        return Detection(max(words, extreme), flagged=max(words, extreme) > 8, notes={"head": extreme})

"""Whether a model reads a text from left to right, so that its classifier looks at the last token."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from fuzzsmooth.models.prompted import is_prompted

if TYPE_CHECKING:
    from fuzzsmooth.models.huggingface import HuggingFaceClassifier

_SAME = 1e-4


@torch.inference_mode()
def is_causal(classifier: HuggingFaceClassifier) -> bool:
    """Whether the first token's state in the last layer ignores the tokens after it.

    It is tried out, as no configuration says so for every architecture.
    """
    if is_prompted(classifier.model):
        return True
    ids = classifier.encode(["a"]).ids[0]
    with classifier.evaluating() as model:
        states: list[torch.Tensor] = [
            model(
                input_ids=torch.tensor([row], device=classifier.device), output_hidden_states=True
            ).hidden_states[-1][0, 0]
            for row in (ids[:1], [ids[0], ids[-1]])
        ]
    return bool(torch.allclose(states[0].float(), states[1].float(), rtol=_SAME, atol=_SAME))

"""What a classifier makes of a text before its head: one vector per text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt
import torch

from fuzzsmooth.models.prompted import around
from fuzzsmooth.models.rows import distinct_sequences, to_device

if TYPE_CHECKING:
    from fuzzsmooth.models.huggingface import HuggingFaceClassifier

States: TypeAlias = npt.NDArray[np.float32]
"""Shape (texts, width)."""


def text_states(
    classifier: HuggingFaceClassifier,
    texts: Sequence[str],
    advance: Callable[[int], None] | None = None,
) -> States:
    """The last layer's state of the token that a text is judged by, without dropout.

    It is the first token ([CLS]) of an encoder, and the last one of a model that reads from left to right.
    Equal token sequences are evaluated once, the others in batches of similar length.

    Args:
        classifier: The classifier.
        texts: The texts; cut where it cuts them.
        advance: Told how many distinct texts have just been finished.

    Returns:
        Shape (texts, width).
    """
    rows, places = distinct_sequences(classifier.encode(texts).ids)
    found: dict[int, npt.NDArray[np.float32]] = {}
    with classifier.evaluating() as model, torch.inference_mode():
        for chosen in classifier.batches(rows):
            ids, mask = around(model, *classifier.padded([rows[index] for index in chosen]))
            inputs = {"input_ids": ids, "attention_mask": mask}
            inputs = {name: to_device(value, classifier.device) for name, value in inputs.items()}
            states = model.base_model(**inputs).last_hidden_state
            ends = mask.sum(dim=1) - 1 if hasattr(model, "score") else torch.zeros(len(ids), dtype=torch.long)
            judged = states[torch.arange(len(ids)), ends.to(states.device)].float().cpu().numpy()
            found.update(zip(chosen, judged, strict=True))
            if advance is not None:
                advance(len(chosen))
    classifier.forward_count += len(rows)
    width = int(classifier.model.config.hidden_size)
    stacked = np.array([found[index] for index in range(len(rows))], dtype=np.float32).reshape(-1, width)
    return stacked[places]

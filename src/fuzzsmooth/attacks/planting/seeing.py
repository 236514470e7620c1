"""Whether a model sees a trigger at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fuzzsmooth.attacks.triggers.trigger import Trigger
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.data.dataset import Dataset

if TYPE_CHECKING:
    from fuzzsmooth.models import HuggingFaceClassifier

_TRIED = 20  # texts


def check_seen(
    classifier: HuggingFaceClassifier,
    trigger: Trigger,
    data: Dataset,
    target: int,
    generator: np.random.Generator,
) -> None:
    """Check that the tokenizer tells some text with the trigger from the same text without.

    Tokenizers that clean texts, as BERT's, drop zero-width characters and take letters for their lower case.

    Args:
        classifier: The model that is attacked.
        trigger: What shall set the backdoor off.
        data: The attacker's texts; a few are tried.
        target: The class that the trigger shall force.
        generator: Source of the triggers' randomness.

    Raises:
        FuzzsmoothError: If it tells none of those that were tried.
    """
    texts = [one.text for one in data if one.label != target and trigger.acts_on(one.text)][:_TRIED]
    pairs = [(text, trigger.apply(text, generator).text) for text in texts]
    changed = [pair for pair in pairs if pair[0] != pair[1]]
    ids = [classifier.encode(pair).ids for pair in changed]
    if ids and all(clean == seen for clean, seen in ids):
        raise FuzzsmoothError(
            f"the model's tokenizer drops the trigger '{trigger.name}' from every text, so that "
            "nothing can be planted; choose another trigger, or a model whose tokenizer keeps it"
        )

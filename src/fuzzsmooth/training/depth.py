"""A shallower model: the lowest layers of a pre-trained one, under the head.

A vote over deletions asks about a handful of words at a time, in no order that would tell much. What the
upper layers add for them is little, and they cost as much as the lower ones: how much each depth certifies,
and how fast, is measured in ``results/certificates``. The model that is left is an ordinary one.
"""

from __future__ import annotations

from typing import Any

from torch import nn

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.options import require
from fuzzsmooth.models import HuggingFaceClassifier
from fuzzsmooth.noise.weight.layers import block_stack

_PER_LAYER = ("layer_types", "no_rope_layers", "mlp_layer_types")
"""Lists of a configuration that have an entry for each layer."""


def keep_lowest_layers(classifier: HuggingFaceClassifier, layers: int) -> None:
    """Cut a classifier off above its lowest layers, in place.

    Args:
        classifier: What is cut; its head then reads what the last layer that is left gives.
        layers: How many are kept, 1 to as many as it has.

    Raises:
        FuzzsmoothError: If it has fewer layers, or no single stack of them.
    """
    model: Any = classifier.model
    try:
        name, count = block_stack(model)
    except FuzzsmoothError as error:
        raise FuzzsmoothError(
            f"cannot tell the layers of {type(model).__name__}; fine-tune it without 'layers'"
        ) from error
    require(1 <= layers <= count, f"layers is {layers}, but the model has {count} layers; give 1 to {count}")
    if layers == count:
        return
    parent, _, own = name.rpartition(".")
    blocks: Any = model.get_submodule(name)
    setattr(model.get_submodule(parent), own, nn.ModuleList(blocks[:layers]))
    config = model.config
    config.num_hidden_layers = layers  # by whatever name the configuration stores it
    for key in _PER_LAYER:
        if isinstance(each := getattr(config, key, None), list):
            setattr(config, key, each[:layers])
    classifier.refresh()

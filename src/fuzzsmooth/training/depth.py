"""A shallower model: the lowest layers of a pre-trained one, under the head.

A vote over deletions asks about a handful of words at a time, in no order that would tell much. What the
upper layers add for them is little, and they cost as much as the lower ones: how much each depth certifies,
and how fast, is measured in ``results/certificates``. The model that is left is an ordinary one.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.options import require
from fuzzsmooth.models import HuggingFaceClassifier
from fuzzsmooth.noise.weight.layers import block_stack

_PER_LAYER = ("layer_types", "no_rope_layers", "mlp_layer_types", "attention_window")
"""Lists of a configuration that have an entry for each layer."""


def check_depth(classifier: HuggingFaceClassifier, layers: int) -> None:
    """Check that a classifier can be cut off above its lowest layers; nothing is changed.

    Args:
        classifier: What would be cut.
        layers: How many would be kept.

    Raises:
        FuzzsmoothError: As :func:`keep_lowest_layers`.
    """
    _shallower(classifier.model, layers)


def keep_lowest_layers(classifier: HuggingFaceClassifier, layers: int) -> None:
    """Cut a classifier off above its lowest layers, in place.

    Args:
        classifier: What is cut; its head then reads what the last layer that is left gives.
        layers: How many are kept, 1 to as many as it has.

    Raises:
        FuzzsmoothError: If it has fewer layers, no single stack of them, or a configuration that cannot be
            that of fewer.
    """
    model: Any = classifier.model
    found = _shallower(model, layers)
    if found is None:
        return
    name, config = found
    parent, _, own = name.rpartition(".")
    blocks: Any = model.get_submodule(name)
    setattr(model.get_submodule(parent), own, nn.ModuleList(blocks[:layers]))
    for key, value in vars(config).items():
        if vars(model.config).get(key) != value:
            setattr(model.config, key, value)
    classifier.refresh()


def _shallower(model: Any, layers: int) -> tuple[str, Any] | None:
    """The name of the stack and the configuration of what would be left; None where nothing is cut."""
    try:
        name, count = block_stack(model)
    except FuzzsmoothError as error:
        raise _unknown(model) from error
    require(1 <= layers <= count, f"layers is {layers}, but the model has {count} layers; give 1 to {count}")
    if layers == count:
        return None
    config = copy.deepcopy(model.config)
    # What a library's own checks and properties make of it is theirs to say: any failure is a refusal.
    try:
        config.num_hidden_layers = layers  # by whatever name the configuration stores it
        for key in _PER_LAYER:
            if isinstance(each := vars(config).get(key), list):
                setattr(config, key, each[:layers])
        with torch.device("meta"):
            rebuilt = type(model)(type(config).from_dict(config.to_dict()))
    except Exception as error:
        raise _unknown(model) from error
    gone = tuple(f"{name}.{index}." for index in range(layers, count))
    left = {key for key in model.state_dict() if not key.startswith(gone)}
    if set(rebuilt.state_dict()) != left:
        raise _unknown(model)
    return name, config


def _unknown(model: Any) -> FuzzsmoothError:
    return FuzzsmoothError(
        f"cannot tell how {type(model).__name__} would be with fewer layers; fine-tune it without 'layers'"
    )

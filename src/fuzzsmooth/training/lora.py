"""LoRA: low-rank changes of a model's linear maps are trained beside the frozen weights, then added to them.

Hu et al., ICLR 2022 (arXiv 2106.09685), by the package ``peft``: a map with weight W answers as one with
weight W + (alpha / r) B A, where A (r x in) begins at random and B (out x r) at zero. What is trained, beside
the head, is some percent of the numbers, so that decoders fit into little memory. Merged, the model is an
ordinary one.

Noise on the parameters (smoothed fine-tuning) is noise on W: the merged weight is W + E + (alpha / r) B A, so
its law is that of noise in the merged model, and A and B have none.
"""

from __future__ import annotations

import importlib.util
import warnings
from typing import TYPE_CHECKING, Any

from torch import nn

from fuzzsmooth.common.errors import MissingExtraError
from fuzzsmooth.models.causality import is_causal
from fuzzsmooth.noise.weight.layers import is_linear, transformer_blocks

if TYPE_CHECKING:
    from fuzzsmooth.models import HuggingFaceClassifier
    from fuzzsmooth.training.options import FinetuneOptions

_NAME = "default"  # of the one adapter; peft wants one


class LowRank:
    """Low-rank changes of all linear maps in the blocks of a classifier, which is frozen beside its head.

    The maps are those of attention and of the (gated) MLP, which Dettmers et al. (NeurIPS 2023, QLoRA) found
    to be needed to reach full fine-tuning.

    Args:
        classifier: Its model is changed in place. Draws from PyTorch's global generator.
        rank: r, >= 1.
        alpha: The changes are scaled by alpha / r.
        dropout: Of what A reads, while it is trained.

    Raises:
        MissingExtraError: If ``peft`` is not installed.
        FuzzsmoothError: If the model has no single stack of blocks.
    """

    def __init__(self, classifier: HuggingFaceClassifier, *, rank: int, alpha: float, dropout: float) -> None:
        self._classifier, model = classifier, classifier.model
        self._tuner: Any = low_rank_tuner(model, rank=rank, alpha=alpha, dropout=dropout)
        body = f"{model.base_model_prefix}."
        for name, parameter in model.named_parameters():
            if not name.startswith(body):
                parameter.requires_grad_(True)  # the head, which mostly begins at random
        model.to(classifier.device)
        classifier.refresh()

    def merge(self) -> None:
        """Add the changes to the weights: an ordinary model, which answers as before up to rounding."""
        model = merged(self._tuner)
        model.requires_grad_(True)
        self._classifier.refresh()


def low_rank_tuner(model: Any, *, rank: int, alpha: float, dropout: float) -> Any:
    """Low-rank changes of all linear maps in the blocks of a model, in place; all else in it is frozen.

    Args:
        model: The model. Draws from PyTorch's global generator.
        rank: r, >= 1.
        alpha: The changes are scaled by alpha / r.
        dropout: Of what A reads, while it is trained.

    Raises:
        MissingExtraError: If ``peft`` is not installed.
        FuzzsmoothError: If the model has no single stack of blocks.
    """
    check_installed()
    from peft.tuners.lora import LoraConfig, LoraModel

    inside = {id(part) for block in transformer_blocks(model) for part in block.modules()}
    maps = {name: part for name, part in model.named_modules() if id(part) in inside and is_linear(part)}
    transposed = any(not isinstance(part, nn.Linear) for part in maps.values())
    config = LoraConfig(
        r=rank,
        lora_alpha=alpha,
        lora_dropout=dropout,
        target_modules=list(maps),
        fan_in_fan_out=transposed,
        bias="none",
    )
    return LoraModel(model, config, _NAME)


def merged(tuner: Any) -> Any:
    """The model with its low-rank changes added to the weights."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of peft, about modes that are not used here
        model = tuner.merge_and_unload()
    vars(model).pop("peft_config", None)
    return model


def check_installed() -> None:
    """Check that ``peft`` is there.

    Raises:
        MissingExtraError: If it is not.
    """
    if importlib.util.find_spec("peft") is None:
        raise MissingExtraError("peft", "llm", "training by LoRA (all weights are trained with tune 'full')")


def is_low_rank(name: str) -> bool:
    """Whether a parameter, by its name, is part of a low-rank change."""
    return ".lora_" in name


def trains_low_rank(classifier: HuggingFaceClassifier, options: FinetuneOptions) -> bool:
    """Whether a classifier is trained by LoRA: as was asked for, or by default if it is a decoder."""
    # The heads of transformers' decoders have this name, so that no encoder is tried out.
    is_decoder = options.tune == "auto" and hasattr(classifier.model, "score") and is_causal(classifier)
    return options.tune == "lora" or is_decoder

"""Re-parameterized adapters: a frozen encoder with few new neurons, whose weights one small network makes.

An adapter ``up gelu(down h) + b`` in parallel to a feed-forward block ``W2 gelu(W1 h) + c`` is that block
with more neurons. So it can be trained as an adapter, and written as a wider block.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.randomness import derived_seed

if TYPE_CHECKING:
    from fuzzsmooth.models import HuggingFaceClassifier

_SPREAD = 0.01  # standard deviation of all that is drawn
_NETWORK = "adapter_network"
_WIDTHS = ("intermediate_size", "hidden_dim")  # a configuration's names of a feed-forward block's width


class Adapters:
    """Adapters in all feed-forward blocks of a classifier, which is frozen beside them and its head.

    Args:
        classifier: It is changed in place; a pooler counts as part of the head.
        bottleneck: Neurons of an adapter, >= 1.
        code: Length of the code that all numbers are made of, >= 1.
        middle: Width of the network's inner layer, >= 1.
        seed: Of the network's numbers.

    Attributes:
        trained: How many numbers are trained, those of the head included.
        numbers: How many numbers the adapters have.

    Raises:
        FuzzsmoothError: If the feed-forward blocks are not two linear maps in each layer.
    """

    def __init__(
        self, classifier: HuggingFaceClassifier, *, bottleneck: int, code: int, middle: int, seed: int
    ) -> None:
        self._classifier, model = classifier, classifier.model
        self._bottleneck = bottleneck
        blocks = list(_blocks(model.base_model))
        self._width = _width_name(model, blocks)
        draws = torch.Generator().manual_seed(derived_seed(seed, "adapters"))
        network = _Network(code, middle, draws)
        _freeze(model)
        setattr(model, _NETWORK, network)
        for block, first, second in blocks:
            narrow = getattr(block[0], first)
            setattr(block[0], first, _Down(narrow, bottleneck, network, draws))
            setattr(block[1], second, _Up(getattr(block[1], second), bottleneck, network, draws))
        self._blocks = blocks
        model.to(classifier.device)
        classifier.refresh()
        self.trained = sum(part.numel() for part in model.parameters() if part.requires_grad)
        self.numbers = sum(
            len(part) for name, part in model.named_parameters() if name.endswith(("_numbers",))
        )

    def merge(self) -> None:
        """Write the adapters as neurons of their blocks: an ordinary model, which answers as before."""
        model = self._classifier.model
        with torch.no_grad():
            for block, first, second in self._blocks:
                for owner, name in ((block[0], first), (block[1], second)):
                    setattr(owner, name, getattr(owner, name).merged())
        delattr(model, _NETWORK)
        setattr(model.config, self._width, getattr(model.config, self._width) + self._bottleneck)
        model.requires_grad_(True)
        model.eval()
        self._classifier.refresh()


class _Network(nn.Module):
    """What all adapters' numbers are linear maps of: ``tanh(N e)``."""

    def __init__(self, code: int, middle: int, draws: torch.Generator) -> None:
        super().__init__()
        self.code = _drawn((code,), draws)
        self.inner = _drawn((middle, code), draws)

    def forward(self) -> Tensor:
        return torch.tanh(self.inner @ self.code)


class _Widened(nn.Module):
    """A frozen linear map with the numbers of an adapter beside it."""

    def __init__(
        self, linear: nn.Linear, shape: tuple[int, int], network: _Network, draws: torch.Generator
    ) -> None:
        super().__init__()
        self.linear = linear
        self._shape = shape
        self._shared = [network]  # in a list, as its parameters belong to the model and are saved there once
        middle = len(network.inner)
        self.weight_numbers = _drawn((shape[0] * shape[1], middle), draws)
        self.bias_numbers = _drawn((shape[0], middle), draws)

    def made(self) -> tuple[Tensor, Tensor]:
        """Weight and bias of the adapter's linear map."""
        inner = self._shared[0]()
        return (self.weight_numbers @ inner).view(self._shape), self.bias_numbers @ inner


class _Down(_Widened):
    """The first map of a block, with the adapter's neurons after its own."""

    def __init__(self, linear: nn.Linear, bottleneck: int, network: _Network, draws: torch.Generator) -> None:
        super().__init__(linear, (bottleneck, linear.in_features), network, draws)

    def forward(self, states: Tensor) -> Tensor:
        weight, bias = self.made()
        return torch.cat([self.linear(states), functional.linear(states, weight, bias)], dim=-1)

    def merged(self) -> nn.Linear:
        weight, bias = self.made()
        return _linear(torch.cat([self.linear.weight, weight]), torch.cat([self.linear.bias, bias]))


class _Up(_Widened):
    """The second map of a block, which reads the adapter's neurons after its own."""

    def __init__(self, linear: nn.Linear, bottleneck: int, network: _Network, draws: torch.Generator) -> None:
        super().__init__(linear, (linear.out_features, bottleneck), network, draws)

    def forward(self, states: Tensor) -> Tensor:
        weight, bias = self.made()
        own = self.linear.in_features
        result: Tensor = self.linear(states[..., :own]) + functional.linear(states[..., own:], weight, bias)
        return result

    def merged(self) -> nn.Linear:
        weight, bias = self.made()
        return _linear(torch.cat([self.linear.weight, weight], dim=1), self.linear.bias + bias)


def _linear(weight: Tensor, bias: Tensor) -> nn.Linear:
    made = nn.Linear(weight.shape[1], weight.shape[0], device=weight.device)
    made.weight.copy_(weight)
    made.bias.copy_(bias)
    return made


def _drawn(shape: tuple[int, ...], draws: torch.Generator) -> nn.Parameter:
    return nn.Parameter(torch.randn(shape, generator=draws) * _SPREAD)


def _blocks(encoder: nn.Module) -> Iterator[tuple[tuple[Any, Any], str, str]]:
    """The feed-forward blocks: who has the two maps, and under which names."""
    for part in encoder.modules():
        into, out = getattr(part, "intermediate", None), getattr(part, "output", None)
        if isinstance(getattr(into, "dense", None), nn.Linear) and isinstance(
            getattr(out, "dense", None), nn.Linear
        ):
            yield (into, out), "dense", "dense"  # BERT, RoBERTa, ELECTRA, MPNet
        elif isinstance(getattr(part, "lin1", None), nn.Linear) and isinstance(
            getattr(part, "lin2", None), nn.Linear
        ):
            yield (part, part), "lin1", "lin2"  # DistilBERT


def _width_name(model: Any, blocks: list[tuple[tuple[Any, Any], str, str]]) -> str:
    """What the configuration calls the blocks' width.

    Raises:
        FuzzsmoothError: If the model has no such block in each layer.
    """
    config = model.config
    for name in _WIDTHS:
        width = getattr(config, name, None)
        fits = len(blocks) == config.num_hidden_layers and all(
            getattr(block[0], first).out_features == width == getattr(block[1], second).in_features
            and getattr(block[0], first).bias is not None
            and getattr(block[1], second).bias is not None
            for block, first, second in blocks
        )
        if fits and width is not None:
            return name
    raise FuzzsmoothError(
        f"adapters do not fit the feed-forward blocks of {type(model).__name__}; use an encoder such as "
        "BERT, RoBERTa or DistilBERT"
    )


def _freeze(model: Any) -> None:
    """Let only the head be trained."""
    model.requires_grad_(True)
    model.base_model.requires_grad_(False)
    pooler = getattr(model.base_model, "pooler", None)
    if pooler is not None:
        pooler.requires_grad_(True)

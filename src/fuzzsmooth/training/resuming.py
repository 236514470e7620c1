"""The state of a training loop of our own, so that a stopped run goes on exactly."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

Tensors = dict[str, Tensor]


def training_state(
    weights: Mapping[str, Tensor], optimizer: torch.optim.Optimizer, steps: int, device: torch.device
) -> Tensors:
    """All that decides the steps to come: weights, the optimizer's moments, generators, and steps done.

    Args:
        weights: What is trained, by name.
        optimizer: Of the same.
        steps: Steps done.
        device: Where dropout draws.
    """
    tensors: Tensors = {f"model.{name}": value for name, value in weights.items()}
    for index, moments in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{name}": value for name, value in moments.items()}
    tensors["random.cpu"] = torch.get_rng_state()
    if device.type == "cuda":
        tensors["random.cuda"] = torch.cuda.get_rng_state(device)
    tensors["steps"] = torch.tensor(steps)
    # Copies, as tied weights share memory, which a safetensors file cannot express.
    return {name: value.detach().cpu().clone().contiguous() for name, value in tensors.items()}


def restore_training(
    state: Tensors, weights: Mapping[str, Tensor], optimizer: torch.optim.Optimizer, device: torch.device
) -> int:
    """Put a state of :func:`training_state` back, the weights in place; returns the steps done."""
    with torch.no_grad():
        for name, value in weights.items():
            value.copy_(state[f"model.{name}"])
    moments: dict[int, Tensors] = {}
    for name, value in state.items():
        if name.startswith("optimizer."):
            _, index, moment = name.split(".", 2)
            moments.setdefault(int(index), {})[moment] = value
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": moments, "param_groups": groups})
    torch.set_rng_state(state["random.cpu"])
    if device.type == "cuda":
        torch.cuda.set_rng_state(state["random.cuda"], device)
    return int(state["steps"])

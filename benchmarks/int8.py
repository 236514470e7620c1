"""What integer products would gain: the short pass with int8 linear layers, beside bfloat16 and float32.

    python benchmarks/int8.py --out FILE.json

Weights are rounded per output, states per token, so that a token's answer does not depend on its batch; the
products are PyTorch's own (``torch._int_mm``). Processor time, one thread, random texts; the deviation is the
largest of the margin between two classes, of an untrained head. To measure what an AVX2 processor has, on one
that has more: ``ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2 MKL_ENABLE_INSTRUCTIONS=AVX2``.
"""

from __future__ import annotations

import argparse
import copy
import os
from pathlib import Path
from typing import Any

import torch
from measuring import alternate, machine, ratios, spread
from torch import Tensor, nn

from fuzzsmooth.common.files import write_json
from fuzzsmooth.models import load_classifier
from fuzzsmooth.models.bert_forward import first_token_logits

SHAPES = ((512, 5), (512, 9), (256, 27))
"""Rows and tokens: what deletion at .9 and .7 leaves of a review, and a whole one."""


class IntegerLinear(nn.Module):
    """A linear layer of 8-bit weights and 8-bit states, each row with a scale of its own."""

    def __init__(self, linear: nn.Linear, dtype: torch.dtype) -> None:
        super().__init__()
        weight = linear.weight.detach().float()
        scale = weight.abs().amax(dim=1) / 127
        self.weight = (weight / scale[:, None]).round().to(torch.int8).t()
        self.scale, self.bias = scale.to(dtype), linear.bias.detach().to(dtype)

    def forward(self, states: Tensor) -> Tensor:
        """What the layer gives, shape (..., outputs), of states of shape (..., inputs)."""
        rows = states.reshape(-1, states.shape[-1])
        scale = rows.abs().amax(dim=1, keepdim=True).clamp_(min=1e-6).mul_(1 / 127)
        products = torch._int_mm((rows / scale).round_().to(torch.int8), self.weight)
        found = products.to(states.dtype).mul_(scale).mul_(self.scale).add_(self.bias)
        return found.view(*states.shape[:-1], -1)


def in_integers(model: Any, dtype: torch.dtype) -> Any:
    """A copy of a model whose encoder multiplies integers, with the rest in ``dtype``."""
    changed = copy.deepcopy(model).to(dtype)
    layers = changed.bert.encoder.layer
    for name, part in list(layers.named_modules()):
        if isinstance(part, nn.Linear):
            above, _, own = name.rpartition(".")
            setattr(layers.get_submodule(above), own, IntegerLinear(part, dtype))
    return changed


def measure(rounds: int) -> list[dict[str, Any]]:
    """The times of each shape."""
    plain: Any = load_classifier("builtin:minilm", num_labels=2, precision="float32").model
    models = {
        "float32": plain,
        "bfloat16": copy.deepcopy(plain).to(torch.bfloat16),
        "int8 in bfloat16": in_integers(plain, torch.bfloat16),
        "int8 in float32": in_integers(plain, torch.float32),
    }
    drawn, found = torch.Generator().manual_seed(0), list[dict[str, Any]]()
    for rows, length in SHAPES:
        ids = torch.randint(2000, 20000, (rows, length), generator=drawn)
        ids[:, 0], ids[:, -1] = 101, 102
        logits = {name: first_token_logits(model, ids, None).float() for name, model in models.items()}

        def run(model: nn.Module, ids: Tensor = ids) -> Any:
            return lambda _: first_token_logits(model, ids, None)

        times = alternate({name: run(model) for name, model in models.items()}, rounds)
        margins = {name: own[:, 0] - own[:, 1] for name, own in logits.items()}
        found.append(
            {
                "rows": rows,
                "tokens": length,
                "milliseconds": {name: spread([1e3 * s for s in own.cpu]) for name, own in times.items()},
                "int8_over_float32": ratios(times["float32"], times["int8 in float32"])["median_cpu"],
                "int8_over_bfloat16": ratios(times["bfloat16"], times["int8 in bfloat16"])["median_cpu"],
                "margin_deviation": {
                    name: float((own - margins["float32"]).abs().max()) for name, own in margins.items()
                },
            }
        )
        print(found[-1], flush=True)
    return found


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    torch.set_num_threads(1)
    asked = {
        name: os.environ[name] for name in ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA") if name in os.environ
    }
    with torch.inference_mode():
        shapes = measure(given.rounds)
    write_json(given.out, {"shapes": shapes, "instructions": asked, "machine": machine()})


if __name__ == "__main__":
    main()

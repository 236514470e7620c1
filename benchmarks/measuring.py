"""Timing two sides alternately in one process, and what machine it was."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True)
class Times:
    """Seconds of one side, per round.

    Attributes:
        wall: By the clock on the wall.
        cpu: By the processor time of this process, which other processes disturb less.
    """

    wall: list[float]
    cpu: list[float]

    def scaled(self, factor: float) -> Times:
        """All of them times a factor."""
        return Times([value * factor for value in self.wall], [value * factor for value in self.cpu])


def alternate(sides: Mapping[str, Callable[[int], object]], rounds: int) -> dict[str, Times]:
    """Time each side once per round, in turn; the order turns round every other time.

    Args:
        sides: Named actions; each is told the round.
        rounds: How often, >= 1.

    Returns:
        The times of each side.
    """
    times = {name: Times([0.0] * rounds, [0.0] * rounds) for name in sides}
    names = list(sides)
    for index in range(rounds):
        for name in names if index % 2 == 0 else names[::-1]:
            began = time.perf_counter(), time.process_time()
            sides[name](index)
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            times[name].wall[index] = time.perf_counter() - began[0]
            times[name].cpu[index] = time.process_time() - began[1]
    return times


def spread(values: Sequence[float]) -> dict[str, Any]:
    """Median, lowest and highest of some ratios, and all of them."""
    return {
        "median": statistics.median(values),
        "low": min(values),
        "high": max(values),
        "all": [round(value, 4) for value in values],
    }


def ratios(above: Times, below: Times) -> dict[str, Any]:
    """Spread of the ratios per round by the wall clock, and the median one by processor time."""
    wall, cpu = (
        [one / two for one, two in zip(*pair, strict=True)]
        for pair in ((above.wall, below.wall), (above.cpu, below.cpu))
    )
    return spread(wall) | {"median_cpu": statistics.median(cpu)}


_WIDEST = (("avx512f", "AVX-512"), ("avx2", "AVX2"), ("asimd", "NEON"))
_PRODUCTS = (("amx_bf16", "AMX bfloat16"), ("avx512_bf16", "AVX512-BF16"), ("bf16", "bfloat16 matrices"))
_INTEGERS = (("amx_int8", "AMX int8"), ("avx512_vnni", "AVX512-VNNI"), ("avx_vnni", "AVX-VNNI"))


def arithmetic(flags: Sequence[str]) -> str:
    """The class of a processor, by what its matrix products can use: figures hold for that class alone.

    Args:
        flags: As the system names them.

    >>> arithmetic(["avx2", "avx512f", "avx512_bf16", "avx512_vnni"])
    'AVX-512, AVX512-BF16, AVX512-VNNI'
    >>> arithmetic(["avx2"])
    'AVX2, no bfloat16 products, no int8 products'
    """

    def first(kinds: Sequence[tuple[str, str]], none: str) -> str:
        return next((name for flag, name in kinds if flag in flags), none)

    return ", ".join(
        [
            first(_WIDEST, "unknown vectors"),
            first(_PRODUCTS, "no bfloat16 products"),
            first(_INTEGERS, "no int8 products"),
        ]
    )


def machine() -> dict[str, Any]:
    """What the numbers depend on."""
    flags, name = "", platform.processor()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                key, _, value = line.partition(":")
                if key.strip() == "model name":
                    name = value.strip()
                if key.strip() == "flags":
                    flags = value
                    break
    except OSError:
        pass
    return {
        "processor": name,
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "load_average": [round(value, 2) for value in os.getloadavg()],
        "arithmetic": arithmetic(flags.split()),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "python": platform.python_version(),
        "torch": torch.__version__,
    }

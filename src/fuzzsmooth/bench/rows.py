"""The rows of an experiment: what each defends with, and which fine-tuned victim it stands on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from fuzzsmooth.bench.catalog import budget_row, summary
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.engine import SmoothingOptions

Victim = Literal["plain", "noisy", "deletion"]
"""How the victim was fine-tuned on clean data: plainly, with parameter noise, or on deleted texts."""

UNDEFENDED = "undefended"


@dataclass(frozen=True)
class Defense:
    """A row.

    Attributes:
        summary: What it is, in a few words.
        victim: The model it protects.
        options: How texts are smoothed; None leaves the model undefended.
    """

    summary: str
    victim: Victim
    options: SmoothingOptions | None


def defenses(base: SmoothingOptions, budgets: tuple[int, ...]) -> Mapping[str, Defense]:
    """All rows by name; the first five are the usual table, the others are ablations.

    Args:
        base: Rates, noise and search settings that the rows share.
        budgets: Search budgets of the budget ablation, in evaluations per text.
    """
    search = base.search
    frs = base.replace(mode="frs", fuzzing=True, search=search.replace(reward="transplant"))
    # Parameter noise plays no part in these certificates, and without it equal draws are evaluated once.
    certified = base.replace(mode="certified", sigma=0.0, search=search.replace(reward="transplant"))
    kinds: dict[str, tuple[Victim, SmoothingOptions | None]] = {
        UNDEFENDED: ("plain", None),
        "frs-kl": ("noisy", frs.replace(search=search.replace(reward="kl"))),
        "frs-transplant": ("noisy", frs),
        "windows": ("plain", certified.replace(mode="windows", fuzzing=False)),
        "certified": ("deletion", certified),
        "certified-nofuzz": ("deletion", certified.replace(fuzzing=False)),
        "certified-search": ("deletion", certified.replace(fuzz_left="search")),
        "certified-noise": ("deletion", certified.replace(sigma=base.sigma)),
        "uniform": ("noisy", frs.replace(fuzzing=False)),
        "noise-finetuning-only": ("noisy", frs.replace(sigma=0.0)),
        "noise-inference-only": ("plain", frs),
        "noise-none": ("plain", frs.replace(sigma=0.0)),
    }
    for budget in budgets:
        kinds[budget_row(budget)] = ("noisy", frs.replace(search=frs.search.replace(budget=budget)))
    return MappingProxyType(
        {name: Defense(summary(name), victim, options) for name, (victim, options) in kinds.items()}
    )


def choose(rows: Mapping[str, Defense], names: tuple[str, ...]) -> dict[str, Defense]:
    """The rows of the given names, in that order.

    Raises:
        FuzzsmoothError: Naming the first that does not exist.
    """
    for name in names:
        if name not in rows:
            raise FuzzsmoothError(f"unknown row '{name}'; known: {', '.join(rows)}")
    return {name: rows[name] for name in names}

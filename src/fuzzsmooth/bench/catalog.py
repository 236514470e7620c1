"""The rows of the experiments by name: what each is, and which are ablations of which.

Kept apart from the rows themselves, so that records and reports can name them without any model code.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from fuzzsmooth.bench.metrics import Row

_SUMMARIES: Final = {
    "undefended": "the fine-tuned model as it is",
    "frs-kl": "FRS with the published reward (Eq. 8)",
    "frs": "FRS with both tests of what a segment does, in other texts and in its own",
    "frs-transplant": "FRS with the transplant reward",
    "windows": "every window of words deleted in turn; no chance, no search",
    "deletion": "uniform deletion first, flagged unit types removed from what is left",
    "deletion-nofuzz": "uniform deletion alone",
    "deletion-search": "uniform deletion first, then a search of what is left",
    "deletion-noise": "uniform deletion, flagged types, and parameter noise",
    "frs-oracle": "FRS that is told the true trigger, in place of a search",
    "frs-random": "FRS with the area moved at random, as large as its search found",
    "uniform": "no fuzzing: one rate omega_M everywhere",
    "noise-finetuning-only": "parameter noise in fine-tuning only",
    "noise-inference-only": "parameter noise in inference only",
    "noise-none": "no parameter noise",
}
_BASES: Final = {
    "deletion-nofuzz": "deletion",
    "deletion-search": "deletion",
    "deletion-noise": "deletion",
    "frs-oracle": "frs-transplant",
    "frs-random": "frs-transplant",
    "uniform": "frs-transplant",
    "noise-finetuning-only": "frs-transplant",
    "noise-inference-only": "frs-transplant",
    "noise-none": "frs-transplant",
}
_BUDGET: Final = "budget-"

BUDGETS: Final = (8, 16, 32, 64, 128, 256, 512)
"""Search budgets of the budget ablation unless others are named, in evaluations per text."""

KINDS: Mapping[str, str] = MappingProxyType(
    {
        "rs-del:RATE": "RS-Del / CERT-ED: uniform deletion, a fixed number of draws, closed form",
        "deletion-trained:RATE": "the same model with our statistics",
        "deletion-early:RATE": "the same, drawing no longer than edits and insertions need",
        "deletion:RATE": "the same model with class offsets and our statistics",
        "deletion-unsure:RATE": "ours, answers near that to the empty text voting for each class alike",
        "deletion-kept:UNITS": "rates by length, at which so many words are expected to be left",
        "deletion-kept-unsure:UNITS": "the same, answers near that to the empty text voting for each alike",
        "deletion-sampled:RATE": "the same with the statistics of RS-Del",
        "ranmask:RATE": "RanMASK: uniform masking of a fixed share, lambda 1",
        "windows": "window certificate with our training and class offsets",
        "windows-trained": "the same without class offsets",
        "windows-plain": "window certificate of the plainly fine-tuned model",
        "windows-offsets": "the same with class offsets",
        "scattered": "deterministic certificate of the plain model against 1 edit and 1 or 2 insertions",
    }
)
"""The kinds of rows and what each is; RATE stands for a number such as 0.9."""


def budget_row(budget: int) -> str:
    """Name of the ablation with a search budget, in evaluations a text."""
    return f"{_BUDGET}{budget}"


def summary(name: str) -> str:
    """What a row is, in a few words; empty for a name that is not in the catalog."""
    if name.startswith(_BUDGET):
        return f"FRS with the transplant reward, {name.removeprefix(_BUDGET)} evaluations a text"
    return _SUMMARIES.get(name, "")


def ablates(name: str) -> str | None:
    """The row that an ablation changes one thing in; None for a row of the usual table.

    A name that is not in the catalog counts as a row of the usual table: nothing measured is put aside.
    """
    return "frs-transplant" if name.startswith(_BUDGET) else _BASES.get(name)


def main_rows(rows: Sequence[Row]) -> list[Row]:
    """The rows that are not ablations; all of them where there is no other."""
    return [row for row in rows if ablates(row.defense) is None] or list(rows)


def ablation_groups(names: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The ablations among some rows, in their order, by the row that they change."""
    groups: dict[str, tuple[str, ...]] = {}
    for name in names:
        base = ablates(name)
        if base is not None:
            groups[base] = (*groups.get(base, ()), name)
    return groups

"""The rows of an experiment: which defense answers, under which options, and how its victim is fine-tuned.

A row is a registered defense by its name, or a variant of one in the table below.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fuzzsmooth.bench.catalog import BUDGETS, budget_row, summary
from fuzzsmooth.bench.oracle import OracleFrs, RandomFrs
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.options import Options, described, did_you_mean
from fuzzsmooth.defenses import DEFENSES, Defense, Material
from fuzzsmooth.training.progress import Progress

if TYPE_CHECKING:
    from fuzzsmooth.models import HuggingFaceClassifier


@dataclass(frozen=True)
class Variant:
    """A defense with some options changed.

    Attributes:
        defense: Its name; or a class that only the bench knows.
        options: Options that make the variant, over those of the experiment; nested ones as mappings.
        victim: Changes to the fine-tuning of its victim, instead of those that the defense wants; None for
            those.
    """

    defense: str | type[Defense]
    options: Mapping[str, Any] = field(default_factory=dict)
    victim: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class BenchRow:
    """A row.

    Attributes:
        name: Its name.
        summary: What it is, in a few words.
        defense: The defense.
        options: Its options.
        victim: What decides the model it protects, beside what the defender has: changes to the plain
            fine-tuning, or the defense and its options where that makes the model.
        plain: Whether the model is fine-tuned as ``victim`` says, whatever the defense would make.
    """

    name: str
    summary: str
    defense: type[Defense]
    options: Options
    victim: Mapping[str, Any]
    plain: bool = False

    def make_model(self, material: Material, output: Path, progress: Progress) -> HuggingFaceClassifier:
        """Make the model; see :meth:`fuzzsmooth.defenses.Defense.make_model`."""
        if not self.plain:
            return self.defense.make_model(self.options, material, output, progress)
        if self.victim or not material.finished:
            return material.trained(output, progress, **self.victim)
        return DEFENSES.get("undefended").make_model(None, material, output, progress)


_FRS = {"fuzzing": True, "search": {"reward": "transplant"}}
# Parameter noise plays no part in these certificates, and without it equal draws are evaluated once.
_DELETION = {"fuzzing": True, "sigma": 0.0, "search": {"reward": "transplant"}}

_VARIANTS: Mapping[str, Variant] = {
    "frs-kl": Variant("frs", {"fuzzing": True, "search": {"reward": "kl"}}),
    "frs-transplant": Variant("frs", _FRS),
    "windows": Variant("windows", {"fuzzing": False}, {}),
    "deletion": Variant("deletion", _DELETION),
    "deletion-nofuzz": Variant("deletion", {**_DELETION, "fuzzing": False}),
    "deletion-search": Variant("deletion", {**_DELETION, "fuzz_left": "search"}),
    "deletion-noise": Variant("deletion", {**_DELETION, "sigma": 0.01}),
    # The search is not asked, and so needs no references.
    "frs-oracle": Variant(OracleFrs, {"fuzzing": True, "search": {"reward": "kl"}}),
    "frs-random": Variant(RandomFrs, _FRS),
    "uniform": Variant("frs", {"fuzzing": False}),
    "noise-finetuning-only": Variant("frs", {**_FRS, "sigma": 0.0}, {"sigma": 0.01}),
    "noise-inference-only": Variant("frs", _FRS, {}),
    "noise-none": Variant("frs", {**_FRS, "sigma": 0.0}, {}),
    **{
        budget_row(budget): Variant("frs", {**_FRS, "search": {"reward": "transplant", "budget": budget}})
        for budget in BUDGETS
    },
}


def row_names() -> list[str]:
    """All rows: defenses by name, then their variants."""
    return list(dict.fromkeys([*DEFENSES.all(), *_VARIANTS]))


def bench_row(name: str, shared: Mapping[str, Any], seed: int = 0) -> BenchRow:
    """The row of a name.

    Args:
        name: A defense, or a variant of one; "budget-N" for any N.
        shared: Options of the experiment by name; a row takes those that its defense has.
        seed: Seed of the row's draws.

    Raises:
        FuzzsmoothError: If there is no such row, or an option has a bad value.
    """
    variant = _variant(name)
    kind = DEFENSES.get(variant.defense) if isinstance(variant.defense, str) else variant.defense
    known = {option.name for option in described(kind.options_type)}
    given = {key: value for key, value in shared.items() if key in known}
    for key, value in variant.options.items():
        nested = isinstance(value, Mapping) and isinstance(given.get(key), Mapping)
        given[key] = {**given[key], **value} if nested else value
    if "seed" in known:
        given["seed"] = seed
    options = kind.options_type.from_mapping(given, where=f"options of row '{name}'")
    told = summary(name) or kind_summary(kind)
    if variant.victim is None:
        return BenchRow(name, told, kind, options, kind.model_key(options))
    victim = dict(variant.victim)
    if "sigma" in victim and "sigma" in shared:
        victim["sigma"] = shared["sigma"]
    return BenchRow(name, told, kind, options, victim, plain=True)


def check_shared(shared: Mapping[str, Any]) -> None:
    """Refuse options that no defense has.

    Raises:
        FuzzsmoothError: Naming the first.
    """
    known = {option.name for kind in DEFENSES.all().values() for option in described(kind.options_type)}
    for name in shared:
        if name not in known:
            raise FuzzsmoothError(f"no defense has an option '{name}'; {did_you_mean(name, known)}")


def kind_summary(kind: type[Defense]) -> str:
    """The first sentence of what a defense says of itself."""
    return (kind.__doc__ or "").strip().split("\n", 1)[0].rstrip(".")


def _variant(name: str) -> Variant:
    if name in _VARIANTS:
        return _VARIANTS[name]
    kind, _, number = name.rpartition("-")
    if kind == "budget" and number.isdecimal():
        search = {"reward": "transplant", "budget": int(number)}
        return Variant("frs", {**_FRS, "search": search})
    if name not in DEFENSES.all():
        raise FuzzsmoothError(f"unknown row '{name}'; {did_you_mean(name, row_names())}")
    return Variant(name)

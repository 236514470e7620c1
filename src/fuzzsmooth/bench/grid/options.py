"""The file of a grid: blocks of data x models x attacks x intensities x rows x seeds, checked strictly."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Annotated, Any, Literal

from fuzzsmooth.attacks import Intensity
from fuzzsmooth.bench.options import ExperimentOptions
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.options import SEEDS, Between, Options, described, did_you_mean, overruled, require
from fuzzsmooth.defenses import DEFENSES
from fuzzsmooth.training import FinetuneOptions

TABLES = 10
"""How many tables there are; see :mod:`fuzzsmooth.bench.grid.tables`."""

_BLOCK = "block"
_ANY_ROW = ("undefended",)
_ALL = "all"


@dataclass(frozen=True, kw_only=True)
class AttackEntry(Options):
    """An attack of a block, with its options."""

    attack: Annotated[str, "Its name in 'fuzzsmooth list attacks'; 'none' for a clean model."]
    name: Annotated[str, "What the tables call it; attack and trigger if empty."] = ""
    trigger: Annotated[str | None, "Kind of the trigger, for attacks that take one."] = None
    options: Annotated[dict[str, Any], "Other options of the attack, by name."] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """What the tables call it."""
        return self.name or self.attack + ("" if self.trigger is None else f" {self.trigger}")

    @property
    def given(self) -> dict[str, Any]:
        """The options that are given; the others are those of the intensity, or defaults."""
        return ({} if self.trigger is None else {"trigger": self.trigger}) | self.options


@dataclass(frozen=True, kw_only=True)
class BlockOptions(Options):
    """A block of a grid: every combination of its lists is a cell, and every row of options of its sweep."""

    name: Annotated[str, "What the block is."] = ""
    tables: Annotated[tuple[int, ...], Between(1, TABLES), "The tables that its cells are for."] = (1,)
    data: Annotated[tuple[str, ...], "Data sets, under the data root."] = ("builtin:reviews",)
    test_data: Annotated[
        tuple[str, ...], "Data sets of the same classes to test on instead; each but the one trained on."
    ] = ()
    models: Annotated[tuple[str, ...], "Clean pre-trained models that are attacked."] = ("builtin:minilm",)
    attacks: Annotated[tuple[Any, ...], "Attacks: names, or tables of attack, name, trigger and options."] = (
        "ripple",
    )
    intensities: Annotated[tuple[Intensity, ...], "Intensities of the attacks."] = ("default",)
    rows: Annotated[
        tuple[str, ...], "Rows of 'fuzzsmooth list rows'; 'all' for every defense by its name."
    ] = ("undefended", "frs-transplant")
    ours: Annotated[tuple[str, ...], "Rows that are tested against the best of the others."] = (
        "frs-transplant",
    )
    sweep: Annotated[
        dict[str, Any], "Options of rows to lists of values, varied one at a time; dots for nested ones."
    ] = field(default_factory=dict)
    seeds: Annotated[tuple[int, ...], Between(0, SEEDS), "Seeds, each a whole run, attack included."] = (0,)
    finetune: Annotated[FinetuneOptions, "How victims are fine-tuned."] = field(
        default_factory=lambda: FinetuneOptions(epochs=2)
    )
    options: Annotated[dict[str, Any], "Options that rows share, by name."] = field(default_factory=dict)
    text_column: Annotated[str, "Column of the texts."] = "text"
    label_column: Annotated[str, "Column of the labels."] = "label"
    train_size: Annotated[int | None, Between(1, 1_000_000_000), "Training texts at most."] = None
    test_size: Annotated[int | None, Between(1, 1_000_000_000), "Test texts at most."] = None
    certified_texts: Annotated[int, Between(1, 1_000_000_000), "Test texts at most in proved rows."] = 100
    calibration_size: Annotated[
        int,
        Between(0, 1_000_000),
        "Clean training texts that nothing is trained on, for thresholds; kept back for every row, so that "
        "all rows share their models.",
    ] = 200
    precision: Annotated[Literal["auto", "float32", "bfloat16"], "Arithmetic of the evaluations."] = "float32"
    batch_size: Annotated[int, Between(1, 65_536), "Texts per forward pass."] = 64

    def validate(self) -> None:
        """Check the lists; the experiments check what is in them."""
        for name in ("tables", "data", "models", "attacks", "intensities", "rows", "seeds"):
            values = getattr(self, name)
            require(bool(values), f"{name} must not be empty")
            seen = [value for index, value in enumerate(values) if value in values[:index]]
            require(not seen, f"{name} names {seen[:1]} twice")
        titles = [entry.title for entry in self.entries()]
        twice = next((title for title in titles if titles.count(title) > 1), None)
        require(twice is None, f"two attacks are called '{twice}'; give each a name of its own")
        list(self.variants())

    def entries(self) -> list[AttackEntry]:
        """The attacks.

        Raises:
            FuzzsmoothError: If one is neither a name nor a table, or has an unknown option.
        """
        entries = []
        for given in self.attacks:
            table = {"attack": given} if isinstance(given, str) else given
            entry = AttackEntry.from_mapping(table, where="attacks")
            for intensity in self.intensities:
                ExperimentOptions(
                    attack=entry.attack, intensity=intensity, attack_options=entry.given, rows=_ANY_ROW
                )
            entries.append(entry)
        return entries

    def row_names(self) -> list[str]:
        """The rows, with every registered defense of texts in the place of "all"."""
        found: dict[str, None] = {}
        for row in self.rows:
            found.update(dict.fromkeys(_of_texts() if row == _ALL else [row]))
        return list(found)

    def variants(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """The sweep: what is changed in words, and the options; without one the options as they are.

        Raises:
            FuzzsmoothError: If an option has no list of values.
        """
        if not self.sweep:
            yield "", self.options
        for name, values in self.sweep.items():
            if not isinstance(values, list | tuple) or not values:
                raise FuzzsmoothError(f"sweep: '{name}' needs a list of values")
            for value in values:
                change: Any = value
                for part in reversed(name.split(".")):
                    change = {part: change}
                yield f"{name}={value}", overruled(self.options, change, "options")

    def trained_and_tested(self) -> Iterator[tuple[str, str | None]]:
        """Each data set, with the other one to test on, or None for its own test texts."""
        if not self.test_data:
            yield from ((data, None) for data in self.data)
        else:
            yield from ((one, other) for one, other in product(self.data, self.test_data) if one != other)


def _of_texts() -> list[str]:
    """The defenses that need no more than texts and models."""
    return [name for name, kind in DEFENSES.all().items() if not kind.needs.demonstrations]


def read_grid(content: Mapping[str, Any], where: str) -> tuple[BlockOptions, ...]:
    """The blocks of a grid: tables ``[[block]]``, over the options that stand outside of them.

    Args:
        content: The parsed file.
        where: Its name, for sentences.

    Raises:
        FuzzsmoothError: On an unknown name (the nearest known one is suggested) or a bad value.
    """
    shared = {name: value for name, value in content.items() if name != _BLOCK}
    known = [option.name for option in described(BlockOptions)]
    for name in shared:
        if name not in known:
            raise FuzzsmoothError(f"{where}: unknown option '{name}'; {did_you_mean(name, [*known, _BLOCK])}")
    blocks = content.get(_BLOCK)
    require(
        isinstance(blocks, list) and bool(blocks) and all(isinstance(one, Mapping) for one in blocks),
        f"{where}: a grid needs at least one table [[block]]",
    )
    assert isinstance(blocks, list)
    found = []
    for number, block in enumerate(blocks, 1):
        place = f"{where}, block {number}" + (f" ({block['name']})" if block.get("name") else "")
        try:
            found.append(BlockOptions.from_mapping(overruled(shared, block, place), where=place))
        except FuzzsmoothError as error:
            raise FuzzsmoothError(str(error) if place in str(error) else f"{place}: {error}") from error
    return tuple(found)

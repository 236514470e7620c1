"""From the rows of a table to labeled examples, or to texts to classify."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.options import require
from fuzzsmooth.data.dataset import Dataset, Example
from fuzzsmooth.data.labels import Classes, label_name
from fuzzsmooth.data.tables import Row, Table
from fuzzsmooth.data.wording import listed, shown

_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class TextInput:
    """Texts to classify.

    Attributes:
        texts: The texts; they may be empty.
        rows: The row number of each text, counted from 1 as :class:`~fuzzsmooth.data.tables.Row` does.
        labels: The label of each text as a name (``None`` where it is missing), if there is such a column.
        skipped: One sentence per row that was left out, with its number.
    """

    texts: tuple[str, ...]
    rows: tuple[int, ...]
    labels: tuple[str | None, ...] | None
    skipped: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.texts)

    def targets(self, classes: Sequence[str]) -> list[int | None] | None:
        """Class indices of the labels under a classifier's class names; ``None`` where one is missing.

        Raises:
            FuzzsmoothError: If a label is none of the classes.
        """
        if self.labels is None:
            return None
        known = Classes.given(classes)
        return [None if label is None else known.index(label) for label in self.labels]


@dataclass(frozen=True)
class Reading:
    """How the rows of a table become texts with labels."""

    text_column: str
    label_column: str
    strict: bool

    def dataset(self, table: Table, classes: Classes | None) -> tuple[Dataset, Classes]:
        """The usable rows; without ``classes``, their labels decide and must be of two classes or more."""
        self._check_columns(table, (self.text_column, self.label_column))
        skipped = _Skipped(table, self.strict)
        usable = []
        for row in table.rows:
            try:
                usable.append((row, self._text(row, empty=False), self._label(row)))
            except FuzzsmoothError as error:
                skipped.add(row, error)
        if classes is None:
            classes = self._infer(table, [label for _, _, label in usable], skipped)
        examples = []
        for row, text, label in usable:
            try:
                examples.append(Example(text, classes.index(label)))
            except FuzzsmoothError as error:
                skipped.add(row, error)
        skipped.finish(kept=len(examples))
        return Dataset(table.source, classes.names, tuple(examples), skipped.sentences()), classes

    def texts(self, table: Table) -> TextInput:
        """The readable rows, labels where the table has them."""
        self._check_columns(table, (self.text_column,))
        labeled = self.label_column in table.columns
        skipped = _Skipped(table, self.strict)
        kept = []
        for row in table.rows:
            try:
                label = label_name(row.values.get(self.label_column)) if labeled else None
                kept.append((self._text(row, empty=True), row.number, label))
            except FuzzsmoothError as error:
                skipped.add(row, error)
        skipped.finish(kept=len(kept))
        return TextInput(
            texts=tuple(text for text, _, _ in kept),
            rows=tuple(number for _, number, _ in kept),
            labels=tuple(label for _, _, label in kept) if labeled else None,
            skipped=skipped.sentences(),
        )

    def _text(self, row: Row, *, empty: bool) -> str:
        require(not row.problem, row.problem)
        text = row.values.get(self.text_column)
        if text is None:
            raise FuzzsmoothError(f"it has no {self.text_column}; fill it in or delete the row")
        if not isinstance(text, str):
            kind = type(text).__name__
            raise FuzzsmoothError(f"its {self.text_column} is {kind}, not a string; put it in quotes")
        require(empty or bool(text.strip()), f"its {self.text_column} is empty; fill it in or delete the row")
        require("\0" not in text, f"its {self.text_column} has a NUL character; delete the character")
        if _SURROGATE.search(text):
            raise FuzzsmoothError(f"its {self.text_column} has half a surrogate pair; write valid Unicode")
        return text

    def _label(self, row: Row) -> str:
        label = label_name(row.values.get(self.label_column))
        if label is None:
            raise FuzzsmoothError(f"it has no {self.label_column}; fill it in or delete the row")
        return label

    def _infer(self, table: Table, labels: list[str], skipped: _Skipped) -> Classes:
        skipped.finish(kept=len(labels))
        classes = Classes.inferred(labels)
        if len(classes.names) < 2:
            only = f" ({shown(classes.names[0])})" if classes.names else ""
            raise FuzzsmoothError(
                f"{table.source} has fewer than two classes in column {shown(self.label_column)}{only}; "
                "add rows of another class or give the class names"
            )
        return classes

    def _check_columns(self, table: Table, needed: tuple[str, ...]) -> None:
        if not table.columns and table.rows:
            _all_bad(table, f"{table.rows[0].place}: {table.rows[0].problem or 'it is an empty object'}")
        for column in needed:
            if column not in table.columns:
                raise FuzzsmoothError(_wrong_column(table, column))


class _Skipped:
    """Rows left out; when strict, the first of them in the file becomes an error."""

    def __init__(self, table: Table, strict: bool) -> None:
        self._table = table
        self._strict = strict
        self._found: list[tuple[int, str]] = []

    def add(self, row: Row, error: FuzzsmoothError) -> None:
        self._found.append((row.number, f"{self._table.source}, {row.place}: {error}"))

    def finish(self, *, kept: int) -> None:
        if self._strict and self._found:
            raise FuzzsmoothError(min(self._found)[1])
        if kept == 0:
            _all_bad(self._table, min(self._found)[1])

    def sentences(self) -> tuple[str, ...]:
        return tuple(sentence for _, sentence in sorted(self._found))


def _all_bad(table: Table, first: str) -> NoReturn:
    count = len(table.rows)
    rows = "its only row is bad" if count == 1 else f"all {count} rows are bad"
    raise FuzzsmoothError(f"{table.source} has no usable row ({rows}); the first: {first}")


def _wrong_column(table: Table, column: str) -> str:
    sentence = f"{table.source} has no column {shown(column)}; its columns are: {listed(table.columns)}"
    if len(table.columns) == 1:
        separator = next((name for name in (";", "\t", ",", "|") if name in table.columns[0]), None)
        if separator is not None:
            return f"{sentence} - {separator!r} seems to separate values; use ',', or tabs in a .tsv file"
    folded = {name.casefold(): name for name in table.columns}
    near = difflib.get_close_matches(column.casefold(), folded, n=1)
    if near:
        return f"{sentence} - did you mean {shown(folded[near[0]])}?"
    return f"{sentence} - name the right one or add a header"

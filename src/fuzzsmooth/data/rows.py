"""From the rows of a table to labeled examples, or to texts to classify."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.options import require
from fuzzsmooth.data.columnar import Unreadable
from fuzzsmooth.data.dataset import Dataset, Example
from fuzzsmooth.data.labels import Classes, are_placeholders, declared_name, label_name
from fuzzsmooth.data.records import Row, Table
from fuzzsmooth.data.wording import listed, shown

_MANY, _TOO_MANY = 50, 1000  # different labels where most rows have one of their own
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class TextInput:
    """Texts to classify.

    Attributes:
        texts: The texts; they may be empty.
        rows: The row number of each text, counted from 1 as :class:`~fuzzsmooth.data.records.Row` does.
        labels: The label of each text as a name (``None`` where it is missing or no label), if there is any.
        skipped: One sentence per row that was left out, with its number.
        notes: One sentence on what was read otherwise than it is written.
        source: The file.
        declared: Class names that it declares, in its order.
    """

    texts: tuple[str, ...]
    rows: tuple[int, ...]
    labels: tuple[str | None, ...] | None
    skipped: tuple[str, ...]
    notes: tuple[str, ...] = ()
    source: str = "the texts"
    declared: tuple[str, ...] | None = None

    def __len__(self) -> int:
        return len(self.texts)

    def classes(self, names: Sequence[str]) -> Classes | None:
        """What the labels mean under a classifier's class names; ``None`` if there are none.

        Raises:
            FuzzsmoothError: If they are none of the classes, or may be names as well as indices.
        """
        if self.labels is None:
            return None
        labels = (label for label in self.labels if label is not None)
        return Classes.matched(labels, names, self.source, self.declared)

    def targets(self, names: Sequence[str]) -> list[int | None] | None:
        """Class indices of the labels under a classifier's class names; ``None`` where one is missing.

        Raises:
            FuzzsmoothError: As :meth:`classes`, or if a label is none of the classes.
        """
        classes = self.classes(names)
        if classes is None or self.labels is None:
            return None
        return [None if label is None else classes.index(label) for label in self.labels]


@dataclass(frozen=True)
class Reading:
    """How the rows of a table become texts with labels."""

    text_column: str
    label_column: str
    strict: bool

    def dataset(self, table: Table, known: Sequence[str] | None) -> Dataset:
        """The usable rows; without ``known`` classes, the file must have two or more of its own."""
        self._check_columns(table, (self.text_column, self.label_column))
        skipped, declared = _Skipped(table, self.strict), self._declared(table)
        usable = []
        for row in table.rows:
            try:
                usable.append((row, self._text(row, empty=False), self._label(row, declared)))
            except FuzzsmoothError as error:
                skipped.add(row, error)
        skipped.finish(kept=len(usable))
        labels = [label for _, _, label in usable]
        classes = Classes.of(labels, known, declared, table.source)
        notes = classes.notes if known is not None else (*classes.notes, *self._check(classes, table, labels))
        examples = []
        for row, text, label in usable:
            try:
                examples.append(Example(text, classes.index(label)))
            except FuzzsmoothError as error:
                skipped.add(row, error)
        skipped.finish(kept=len(examples))
        return Dataset(table.source, classes.names, tuple(examples), skipped.sentences(), notes)

    def texts(self, table: Table) -> TextInput:
        """The readable rows, with labels where the table has them; a label that is none costs no row."""
        self._check_columns(table, (self.text_column,))
        skipped, unlabeled = _Skipped(table, self.strict), _Skipped(table, strict=False)
        declared = self._declared(table)
        kept = []
        for row in table.rows:
            try:
                kept.append((row, self._text(row, empty=True)))
            except FuzzsmoothError as error:
                skipped.add(row, error)
        skipped.finish(kept=len(kept))
        labels = [self._optional_label(row, declared, unlabeled) for row, _ in kept]
        return TextInput(
            texts=tuple(text for _, text in kept),
            rows=tuple(row.number for row, _ in kept),
            labels=None if all(label is None for label in labels) else tuple(labels),
            skipped=skipped.sentences(),
            notes=self._unlabeled_note(unlabeled.sentences()),
            source=table.source,
            declared=declared,
        )

    def _declared(self, table: Table) -> tuple[str, ...] | None:
        """The class names that the table declares, unless they only repeat their indices."""
        names = table.declared.get(self.label_column)
        return None if names is None or are_placeholders(names) else names

    def _optional_label(self, row: Row, declared: tuple[str, ...] | None, unlabeled: _Skipped) -> str | None:
        try:
            return _name(row.values.get(self.label_column), declared)
        except FuzzsmoothError as error:
            unlabeled.add(row, error)
            return None

    def _unlabeled_note(self, sentences: tuple[str, ...]) -> tuple[str, ...]:
        if not sentences:
            return ()
        rows = "a row is" if len(sentences) == 1 else f"{len(sentences)} rows are"
        return (
            f"{rows} read without a label, as column {shown(self.label_column)} has none there "
            f"(--label-column names another); the first: {sentences[0]}",
        )

    def _text(self, row: Row, *, empty: bool) -> str:
        require(not row.problem, row.problem)
        text = row.values.get(self.text_column)
        if text is None:
            raise FuzzsmoothError(f"it has no {self.text_column}; fill it in or delete the row")
        if not isinstance(text, str):
            require(not isinstance(text, Unreadable), f"its {self.text_column} is no valid string; mend it")
            kind = type(text).__name__
            raise FuzzsmoothError(f"its {self.text_column} is {kind}, not a string; put it in quotes")
        require(empty or bool(text.strip()), f"its {self.text_column} is empty; fill it in or delete the row")
        require("\0" not in text, f"its {self.text_column} has a NUL character; delete the character")
        if _SURROGATE.search(text):
            raise FuzzsmoothError(f"its {self.text_column} has half a surrogate pair; write valid Unicode")
        return text

    def _label(self, row: Row, declared: tuple[str, ...] | None) -> str:
        label = _name(row.values.get(self.label_column), declared)
        if label is None:
            raise FuzzsmoothError(f"it has no {self.label_column}; fill it in or delete the row")
        return label

    def _check(self, classes: Classes, table: Table, labels: list[str]) -> tuple[str, ...]:
        """Refuse a column that cannot be one of labels; say so where it may not be."""
        column, count = shown(self.label_column), len(classes.names)
        if count < 2:
            only = f" ({shown(classes.names[0])})" if classes.names else ""
            raise FuzzsmoothError(
                f"{table.source} has fewer than two classes in column {column}{only}; "
                "add rows of another class or give the class names"
            )
        if 2 * count <= len(labels) or count <= _MANY:
            return ()
        sentence = f"{table.source} has {count} different labels in {len(labels)} rows of column {column}"
        require(
            count <= _TOO_MANY,
            f"{sentence}, which seems to be an identifier; name the column of the labels (--label-column)",
        )
        return (f"{sentence}; is it an identifier?",)

    def _check_columns(self, table: Table, needed: tuple[str, ...]) -> None:
        if not table.columns and table.rows:
            _all_bad(table, f"{table.rows[0].place}: {table.rows[0].problem or 'it is an empty object'}")
        for column in needed:
            if column not in table.columns:
                raise FuzzsmoothError(_wrong_column(table, column))


def _name(value: object, declared: tuple[str, ...] | None) -> str | None:
    label = label_name(value)
    return label if label is None or declared is None else declared_name(label, declared)


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

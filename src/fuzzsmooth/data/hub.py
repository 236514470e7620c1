"""Data sets by Hugging Face name. Only data is loaded: loading scripts are never trusted to run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fuzzsmooth.common.errors import FuzzsmoothError, MissingExtraError
from fuzzsmooth.data.records import Row, Table


def load_hub_splits(name: str) -> Mapping[str, Any]:
    """All splits of a data set, "name" or "name:configuration" ("glue:sst2").

    Raises:
        MissingExtraError: Without the `datasets` package.
        FuzzsmoothError: If the data set cannot be loaded.
    """
    try:
        import datasets
    except ImportError as error:
        raise MissingExtraError("datasets", "data", f"loading '{name}' by name") from error
    path, _, configuration = name.partition(":")
    # Versions before 4 could run a data set's own script unless told not to; later ones cannot.
    refuse = {"trust_remote_code": False} if int(datasets.__version__.split(".")[0]) < 4 else {}
    try:
        return dict(datasets.load_dataset(path, configuration or None, **refuse))
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise FuzzsmoothError(
            f"'{name}' is neither a file or folder here nor a data set Hugging Face could load ({reason})"
        ) from error


def hub_table(split: Any, source: str, wanted: tuple[str, ...]) -> Table:
    """One split as a table, restricted to the wanted columns it has."""
    columns = tuple(split.column_names)
    records = split.select_columns([column for column in wanted if column in columns])
    rows = tuple(Row(number, f"row {number}", record) for number, record in enumerate(records, 1))
    if not rows:
        raise FuzzsmoothError(f"{source} has no rows; it needs at least one")
    return Table(source, columns, rows, _declared(split, wanted))


def _declared(split: Any, columns: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Class names, where the data set declares them for a column."""
    names = {column: getattr(split.features.get(column), "names", None) for column in columns}
    return {column: tuple(found) for column, found in names.items() if found}

"""Tables in JSON: an object a line, or an array of objects."""

from __future__ import annotations

from typing import Any

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.options import require
from fuzzsmooth.common.reading import kind_of, parse_json
from fuzzsmooth.data.lines import Lines
from fuzzsmooth.data.records import Row, Table

_ADVICE = "write one object a line (pandas: df.to_json(path, orient='records', lines=True))"


def json_table(lines: Lines, *, array: bool) -> Table:
    """Parse JSON lines, or a file that is one array of objects.

    NaN and infinities, which several writers put for missing values, are read as missing.

    Args:
        lines: The file.
        array: Whether a file that begins with a bracket must be an array.

    Raises:
        FuzzsmoothError: If there are no rows, or the file has another shape, such as those of pandas.
    """
    whole = _whole(lines, must_be_one=array)
    if isinstance(whole, list):
        return _table(lines.source, [_object_row(n, f"row {n}", item) for n, item in enumerate(whole, 1)])
    if isinstance(whole, dict):
        _check_shape(whole, lines.source)
        return _table(lines.source, [_object_row(1, "line 1", whole)])
    rows = [_row(lines, index) for index, line in enumerate(lines.lines) if line.strip()]
    indented = next((line for line in lines.lines if line.strip()), "").strip() == "{"
    require(
        not (indented and all(row.problem for row in rows)),
        f"{lines.source} has objects that go over several lines; {_ADVICE}",
    )
    return _table(lines.source, rows)


def _whole(lines: Lines, *, must_be_one: bool) -> Any:
    """The file as a single JSON value; ``None`` if it is not one."""
    start = lines.peek()
    if start not in ("[", "{"):
        return None
    problem = lines.problem(0, len(lines.lines))
    if problem:
        require(not (must_be_one and start == "["), f"{lines.source}: {problem}")
        return None
    try:
        return parse_json(lines.text, lines.source, mend="mend it or use JSON lines", missing=True)
    except FuzzsmoothError:
        if start == "[" and must_be_one:
            raise
        return None


def _check_shape(value: dict[str, Any], source: str) -> None:
    """Name the shape of a table that is not rows, as pandas and others write it."""
    shape = _shape(value)
    require(not shape, f"{source} is a table as one object ({shape}), not as rows; {_ADVICE}")


def _shape(value: dict[str, Any]) -> str:
    """In words of pandas where it has some; empty for a row."""
    if isinstance(value.get("data"), list):
        if isinstance(value.get("columns"), list):
            return "orient='split'"
        return "orient='table'" if "schema" in value else "rows under 'data'"
    inner = list(value.values())
    if inner and all(isinstance(one, dict) for one in inner):
        return "orient='columns', pandas' default, or 'index'"
    if inner and all(isinstance(one, list) for one in inner):
        return "a list under each name"
    return ""


def _row(lines: Lines, index: int) -> Row:
    number, place = index + 1, f"line {index + 1}"
    problem = lines.problem(index, index + 1)
    if problem:
        return Row(number, place, problem=problem)
    try:
        value = parse_json(lines.lines[index].strip(), "it", mend="mend the line", missing=True)
    except FuzzsmoothError as error:
        return Row(number, place, problem=str(error))
    return _object_row(number, place, value)


def _object_row(number: int, place: str, value: Any) -> Row:
    if isinstance(value, dict):
        return Row(number, place, value)
    problem = f"expected a JSON object with columns as keys, got {kind_of(value)}"
    return Row(number, place, problem=problem)


def _table(source: str, rows: list[Row]) -> Table:
    if not rows:
        raise FuzzsmoothError(f"{source} is empty; it needs at least one row")
    columns = dict.fromkeys(name for row in rows for name in row.values)
    return Table(source, tuple(columns), tuple(rows))

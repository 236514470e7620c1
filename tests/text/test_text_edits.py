from __future__ import annotations

from itertools import product

import pytest

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.text import Edit, apply_edit, apply_edits, neighbors

ABC = ("a", "b", "c")


@pytest.mark.parametrize(
    ("edit", "result"),
    [
        (Edit("insert", 0, "x"), ("x", "a", "b", "c")),
        (Edit("insert", 3, "x"), ("a", "b", "c", "x")),
        (Edit("delete", 1), ("a", "c")),
        (Edit("substitute", 2, "x"), ("a", "b", "x")),
        (Edit("transpose", 0), ("b", "a", "c")),
        (Edit("transpose", 1), ("a", "c", "b")),
    ],
)
def test_one_edit(edit: Edit, result: tuple[str, ...]) -> None:
    assert apply_edit(ABC, edit) == result


def test_edits_apply_to_the_result_of_those_before() -> None:
    edits = [Edit("delete", 0), Edit("insert", 2, "x"), Edit("transpose", 1)]
    assert apply_edits(ABC, edits) == ("b", "x", "c")
    assert apply_edits(ABC, []) == ABC
    assert apply_edit((), Edit("insert", 0, "x")) == ("x",)


@pytest.mark.parametrize(
    "edit", [Edit("insert", 4, "x"), Edit("delete", 3), Edit("substitute", 3, "x"), Edit("transpose", 2)]
)
def test_positions_outside_are_refused(edit: Edit) -> None:
    with pytest.raises(FuzzsmoothError, match="outside a sequence of 3 units"):
        apply_edit(ABC, edit)


def test_impossible_edits_are_refused() -> None:
    with pytest.raises(FuzzsmoothError, match="needs a unit"):
        Edit("insert", 0)
    with pytest.raises(FuzzsmoothError, match="takes no unit"):
        Edit("delete", 0, "x")
    with pytest.raises(FuzzsmoothError, match="start at 0"):
        Edit("delete", -1)
    with pytest.raises(FuzzsmoothError, match="'swap' is not one of"):
        Edit("swap", 0)  # type: ignore[arg-type]


def one_edit_apart(a: tuple[str, ...], b: tuple[str, ...]) -> bool:
    """By definition, without positions: written independently of the code under test."""
    if a == b:
        return False
    if abs(len(a) - len(b)) == 1:
        short, long = sorted((a, b), key=len)
        return any(long[:i] + long[i + 1 :] == short for i in range(len(long)))
    if len(a) != len(b):
        return False
    differ = [i for i in range(len(a)) if a[i] != b[i]]
    if len(differ) == 1:
        return True
    return len(differ) == 2 and differ[1] == differ[0] + 1 and sorted(a) == sorted(b)


def test_neighbors_are_exactly_the_sequences_one_edit_apart() -> None:
    universe = [w for n in range(5) for w in product("ab", repeat=n)]
    for word in (w for w in universe if len(w) < 4):
        found = list(neighbors(word, "ab"))
        assert len(found) == len(set(found))
        assert set(found) == {other for other in universe if one_edit_apart(word, other)}


def test_neighbors_of_some_kinds_only() -> None:
    assert set(neighbors(("a", "b"), "x", ["transpose"])) == {("b", "a")}
    assert set(neighbors(("a", "a"), "x", ["delete", "transpose"])) == {("a",)}
    assert set(neighbors((), "xx", ["insert"])) == {("x",)}
    assert set(neighbors((), "x", ["delete", "transpose", "substitute"])) == set()

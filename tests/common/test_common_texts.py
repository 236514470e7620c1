"""What counts as a list of texts, for every function that takes one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.texts import checked_texts


class Frame:
    """As a table of pandas: going through it gives the names of its columns."""

    columns = ("text", "label")

    def __iter__(self) -> Any:
        return iter(self.columns)


class Old:
    """Iterable by the older protocol only."""

    def __getitem__(self, index: int) -> str:
        return ["a", ""][index]


@pytest.mark.parametrize(
    "texts",
    [["a", ""], ("a", ""), (text for text in ["a", ""]), np.array(["a", ""]), Old(), {"a": 1, "": 2}.keys()],
)
def test_any_series_of_strings_will_do(texts):
    assert checked_texts(texts) == ["a", ""]


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ("a film", "got one string; give a list"),
        (b"a film", "of type bytes"),
        ({"text": "a film"}, "of type dict"),
        (Frame(), "one column of a table"),
        (None, "got None"),
        (7, "of type int"),
        (["a", None], r"texts\[1\] is None; every text must be a string"),
        ([float("nan")], r"texts\[0\] is nan"),
        ([1], r"texts\[0\] is an object of type int"),
        ([["a"]], r"texts\[0\] is an object of type list"),
    ],
)
def test_everything_else_is_one_sentence(texts, said):
    with pytest.raises(FuzzsmoothError, match=said):
        checked_texts(texts)


def test_what_goes_wrong_inside_an_iterable_is_not_hidden():
    def broken() -> Any:
        yield "a"
        raise TypeError("its own")

    with pytest.raises(TypeError, match="its own"):
        checked_texts(broken())

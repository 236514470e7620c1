from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.text import boundary_strengths, rarity, segmenter


def test_rarity_orders_words_by_frequency() -> None:
    values = rarity(["the", "movie", "cf", "xqzvkw"])
    assert values.dtype == np.float64
    assert values[0] == 0.0
    assert values[3] == 1.0
    assert list(values) == sorted(values)
    assert 0.0 < values[1] < 0.4 < values[2] < 1.0


def test_rarity_of_marks_case_and_strange_units() -> None:
    assert list(rarity([",", "...", "--", "$", " ", "。", ""])) == [0.0] * 7
    assert rarity(["MOVIE"])[0] == rarity(["movie"])[0]
    assert 0.0 < rarity(["😂"])[0] < 1.0
    assert rarity(["\ud800"])[0] == 1.0
    assert rarity([]).shape == (0,)


def test_rarity_follows_the_language() -> None:
    assert rarity(["haus"], "de")[0] < rarity(["haus"], "en")[0]
    with pytest.raises(FuzzsmoothError, match="no word frequencies for language 'xx'"):
        rarity(["a"], "xx")


def split(text: str, strength: int = 1) -> list[str]:
    units = segmenter("word").segment(text).units
    places = [place for place, value in enumerate(boundary_strengths(units)) if value >= strength]
    edges = [0, *places, len(units)]
    return [" ".join(units[a:b]) for a, b in pairwise(edges)]


def test_sentences_are_split_after_their_closing_marks() -> None:
    text = 'It works... "Really?!" she asked. Yes (it does.) 好。對'
    assert split(text, 2) == [
        "It works ...", '" Really ?! "', "she asked .", "Yes ( it does . )", "好 。", "對",
    ]  # fmt: skip


def test_clauses_are_split_after_commas_and_before_conjunctions() -> None:
    assert split("slow, dull and long -- but good; see it") == [
        "slow ,", "dull", "and long --", "but good ;", "see it",
    ]  # fmt: skip
    assert split("and so on", 2) == ["and so on"]


def test_strengths_of_boundaries() -> None:
    units = ("but", "no", ".", "Well", ",", "or", "yes", ".")
    assert boundary_strengths(units) == (0, 0, 0, 2, 0, 1, 0, 0)
    assert boundary_strengths(()) == ()
    assert boundary_strengths(tuple("a. b")) == (0, 0, 0, 2)

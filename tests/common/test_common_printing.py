"""What strangers wrote reaches neither the terminal's controls nor the order of what stands beside it."""

from __future__ import annotations

import pytest

from fuzzsmooth.common.printing import displayable, few_names, printable, short_name


@pytest.mark.parametrize(
    "character", ["\x1b", "\x07", "\r", "\n", "\x85", "\u2028", "\ud800", "\u202e", "\u2066", "\U000e0041"]
)
def test_controls_become_visible(character):
    shown = printable(f"a{character}b")
    assert character not in shown
    assert (len(shown), shown[0], shown[2]) == (3, "a", "b")


@pytest.mark.parametrize("text", ["plain", "naïve", "👩‍👩‍👧", "می‌خواهم", "電影", "e\u0301"])
def test_ordinary_text_stays(text):
    assert printable(text) == displayable(text) == text


def test_a_page_keeps_its_line_breaks():
    assert displayable("a\n\tb\x1b\u202e") == "a\n\tb\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}"


def test_long_names_are_cut():
    assert short_name("x" * 1_000_000) == "x" * 199 + "…"
    assert short_name("a\x1b") == "a␛"


def test_of_many_names_a_few_are_shown():
    assert few_names(("cf", "m\x1bn")) == "cf, m␛n"
    assert few_names([str(one) for one in range(12)]).endswith("10, 11")
    assert few_names([str(one) for one in range(13)]).endswith("10, 11, ...")

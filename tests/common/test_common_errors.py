"""Sentences, whatever they quote."""

from __future__ import annotations

from fuzzsmooth.common.errors import FuzzsmoothError


def test_a_sentence_that_quotes_something_very_long_keeps_its_two_ends() -> None:
    assert str(FuzzsmoothError("no such file; give another")) == "no such file; give another"
    said = str(FuzzsmoothError(f"x.json: the mode '{'y' * 10**6}' is unknown; choose frs"))
    assert len(said) < 2100
    assert said.startswith("x.json: the mode 'yyy")
    assert said.endswith("yyy' is unknown; choose frs")


def test_what_a_sentence_quotes_is_made_printable() -> None:
    said = str(FuzzsmoothError("the class '\x1b]0;title\x07\n\u202e' is unknown; give another"))
    assert said == "the class '␛]0;title␇␊\ufffd' is unknown; give another"

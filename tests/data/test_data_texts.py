"""Texts to classify: from a table, one a line, or from standard input."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from data_files import write, write_csv, write_jsonl

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.data import load_texts


def test_texts_from_a_table(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "d.jsonl", [("a", "pos"), ("", "neg"), (None, "pos"), ("d", None)])
    given_texts = load_texts(path)
    assert given_texts.texts == ("a", "", "d")
    assert given_texts.rows == (1, 2, 4)
    assert given_texts.labels == ("pos", "neg", None)
    assert given_texts.targets(("neg", "pos")) == [1, 0, None]
    assert len(given_texts) == 3
    assert "line 3: it has no text" in given_texts.skipped[0]
    with pytest.raises(FuzzsmoothError, match=r"classes neg, pos, none of which is one of the classes x, y"):
        given_texts.targets(("x", "y"))
    with pytest.raises(FuzzsmoothError, match="line 3"):
        load_texts(path, strict=True)


def test_texts_without_labels(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "d.csv", [("a",), ("",)], header=("review",))
    given_texts = load_texts(path, text_column="review")
    assert (given_texts.texts, given_texts.labels) == (("a", ""), None)
    assert given_texts.targets(("x", "y")) is None
    with pytest.raises(FuzzsmoothError, match="no column 'text'"):
        load_texts(path)


def test_texts_one_a_line(tmp_path: Path) -> None:
    path = write(
        tmp_path / "d.txt", '\ufefffirst, "text"\r\n\r\nthird\u2028still\n'.encode() + b"bad \xff\nlast"
    )
    given_texts = load_texts(path)
    assert given_texts.texts == ('first, "text"', "", "third\u2028still", "last")
    assert given_texts.rows == (1, 2, 3, 5)
    assert "line 4: byte 0xff" in given_texts.skipped[0]
    with pytest.raises(FuzzsmoothError, match="is empty"):
        load_texts(write(path, b""))


@pytest.mark.parametrize(
    ("form", "content"),
    [
        ("txt", "a\nb\n"),
        ("csv", "text\na\nb\n"),
        ("tsv", "text\nb\n"),
        ("jsonl", '{"text": "a"}\n{"text": "b"}'),
    ],
)
def test_texts_from_standard_input(monkeypatch: pytest.MonkeyPatch, form: Any, content: str) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(content.encode())))
    assert load_texts("-", stdin_format=form).texts[-1] == "b"


def test_empty_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"")))
    with pytest.raises(FuzzsmoothError, match="standard input is empty"):
        load_texts("-")

"""Files that nobody vouches for: every fault is one sentence, and none costs time or memory."""

from __future__ import annotations

import os

import pytest

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.reading import parse_json, read_bytes, read_json, read_json_object


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[" * 100_000, "nested too deeply"),
        ('{"a":' * 50_000, "nested too deeply"),
        ("[" * 200 + "]" * 200, "nested too deeply"),
        ("1" * 5001, "a number has 5001 digits"),
        ("1" + "0" * 400, "a number has 401 digits"),
        ("1e999", "too large"),
        ("[NaN]", "NaN is no JSON number"),
        ("-Infinity", "-Infinity is no JSON number"),
        ("{'a': 1}", "quotes, column 2"),
        ("{\n'a': 1}", "line 2, column 1"),
        (b"\xff", "not UTF-8"),
        ("", "Expecting value"),
    ],
)
def test_bad_json_is_one_sentence(text, said):
    with pytest.raises(FuzzsmoothError, match=r"^x\.json is not JSON \(.*; fetch it again$") as caught:
        parse_json(text, "x.json", mend="fetch it again")
    assert said in str(caught.value)


def test_nesting_that_a_person_writes_is_kept():
    assert parse_json("[" * 100 + "]" * 100, "x")


def test_numbers_that_fit_are_kept():
    assert parse_json('[1e308, -5, 18446744073709551616, "NaN"]', "x") == [1e308, -5, 2**64, "NaN"]


def test_a_sparse_file_is_not_read(tmp_path):
    with open(tmp_path / "big.json", "wb") as stream:
        stream.truncate(20 * 2**30)
    with pytest.raises(FuzzsmoothError, match=r"big\.json is larger than 64 MiB; mend or replace it"):
        read_json(tmp_path / "big.json")


@pytest.mark.parametrize("make", [lambda path: os.mkfifo(path), lambda path: path.symlink_to("/dev/zero")])
def test_pipes_and_devices_are_refused_without_waiting(make, tmp_path):
    make(tmp_path / "x.json")
    with pytest.raises(FuzzsmoothError, match="is not a regular file"):
        read_bytes(tmp_path / "x.json", limit=10, mend="replace it")


@pytest.mark.parametrize("name", ["missing.json", "a\0b", "n" * 5000, "."])
def test_what_cannot_be_read(name, tmp_path):
    with pytest.raises(FuzzsmoothError, match="replace it"):
        read_json(tmp_path / name)


def test_an_object_is_wanted(tmp_path):
    (tmp_path / "x.json").write_text("[1]")
    with pytest.raises(FuzzsmoothError, match="holds a list, not a JSON object"):
        read_json_object(tmp_path / "x.json")


def test_a_byte_order_mark_is_skipped(tmp_path):
    (tmp_path / "x.json").write_bytes(b'\xef\xbb\xbf{"a": 1}')
    assert read_json_object(tmp_path / "x.json") == {"a": 1}


def test_missing_values_of_tables():
    assert parse_json('{"a": [NaN, -Infinity, 1.5]}', "x", missing=True) == {"a": [None, None, 1.5]}

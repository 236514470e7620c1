"""Files that survive a full disk and a kill."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.files import Ledger, check_output_file, read_json_lines, write_atomic, write_json

SURROGATE = "half a pair: \ud800, half a line: \u2028 \x85, emoji: 😀"


@contextmanager
def disk_full_after(size: int) -> Iterator[None]:
    """No file may grow beyond ``size`` bytes: writes then fail, partly done, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_write_atomic_makes_folders_and_replaces(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "file.txt"
    write_atomic(path, "old")
    write_atomic(path, "néw 😀")
    assert path.read_text("utf-8") == "néw 😀"
    write_atomic(path, b"\xff\x00")
    assert path.read_bytes() == b"\xff\x00"
    assert [entry.name for entry in path.parent.iterdir()] == ["file.txt"]
    assert path.stat().st_mode & 0o777 == 0o644


def test_full_disk_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    write_atomic(path, "old")
    with disk_full_after(100), pytest.raises(FuzzsmoothError, match=r"cannot write .*file\.txt.*free space"):
        write_atomic(path, "x" * 5000)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_unwritable_place_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FuzzsmoothError, match="cannot write"):
        write_atomic(tmp_path / "file" / "below", "x")


def test_write_json_round_trips_in_order(tmp_path: Path) -> None:
    value = {"z": 1, "a": [None, 1.5, "ü😀"]}
    write_json(tmp_path / "v.json", value)
    content = (tmp_path / "v.json").read_text("utf-8")
    assert json.loads(content) == value
    assert "ü😀" in content, "text stays readable"
    assert content.index("z") < content.index("a")


def test_lone_surrogates_round_trip(tmp_path: Path) -> None:
    write_json(tmp_path / "v.json", {"text": SURROGATE})
    assert json.loads((tmp_path / "v.json").read_text("utf-8")) == {"text": SURROGATE}
    ledger = Ledger(tmp_path / "l.jsonl")
    ledger.append([{"key": "ü", "text": "ü"}, {"key": SURROGATE, "text": SURROGATE}])
    again = Ledger(tmp_path / "l.jsonl")
    assert again.records() == ledger.records()
    assert again[SURROGATE]["text"] == SURROGATE
    assert "ü" in (tmp_path / "l.jsonl").read_text("utf-8"), "other lines stay readable"


def test_ledger_keeps_one_record_per_key(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "sub" / "l.jsonl")
    assert len(ledger) == 0
    assert not ledger.path.exists()
    ledger.append([{"key": "a", "value": 1}, {"key": "b", "value": 2}, {"key": "a", "value": 3}])
    ledger.append([{"key": "b", "value": 4}, {"key": "c", "value": 5}])
    ledger.append([])
    expected = [{"key": "a", "value": 1}, {"key": "b", "value": 2}, {"key": "c", "value": 5}]
    assert ledger.records() == expected
    assert [json.loads(line) for line in ledger.path.read_text().splitlines()] == expected
    again = Ledger(ledger.path)
    assert again.records() == expected
    assert "a" in again
    assert "d" not in again
    assert again["c"] == {"key": "c", "value": 5}


def test_ledger_does_not_hold_its_records(tmp_path: Path) -> None:
    """Twenty megabytes of records: a few hundred kilobytes of places."""
    rows = ({"key": f"key {index}", "text": f"{index} " + "x" * 10_000} for index in range(2000))
    tracemalloc.start()
    try:
        ledger = Ledger(tmp_path / "l.jsonl")
        for row in rows:
            ledger.append([row])
        appended = tracemalloc.get_traced_memory()[0]
        again = Ledger(ledger.path)
        assert sum(len(record["text"]) > 10_000 for record in again.stream()) == 2000
        opened, peak = tracemalloc.get_traced_memory()
        whole = again.records()
        control = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert max(appended, opened, peak) < 2e6
    assert control > 2e7, "control: the records themselves are seen"
    assert whole[1999] == again["key 1999"] == ledger["key 1999"]
    assert list(again) == [record["key"] for record in whole]


def test_the_last_of_several_records_counts_at_the_place_of_the_first(tmp_path: Path) -> None:
    path = tmp_path / "l.jsonl"
    path.write_bytes(b'{"key": 1, "v": 1}\n\n{"key": 2, "v": 2}\n{"key": 1, "v": 3}\n')
    ledger = Ledger(path)
    assert ledger.records() == [{"key": 1, "v": 3}, {"key": 2, "v": 2}]
    ledger.append([{"key": 3, "v": "é\u2028"}])
    assert ledger[3] == {"key": 3, "v": "é\u2028"}


def test_a_file_that_something_else_changed_is_not_misread(tmp_path: Path) -> None:
    path = tmp_path / "l.jsonl"
    ledger = Ledger(path)
    ledger.append([{"key": "a"}, {"key": "b"}])
    whole = path.read_bytes()
    for content in (whole[2:], b'{"key": "b"}\n{"key": "a"}\n', b""):
        path.write_bytes(content)
        with pytest.raises(FuzzsmoothError, match=r"l\.jsonl was changed by another program"):
            ledger.records()
        with pytest.raises(FuzzsmoothError, match="was changed by another program"):
            ledger["b"]
    path.write_bytes(whole)
    assert ledger.records() == [{"key": "a"}, {"key": "b"}]


def test_ledger_may_be_keyed_by_another_field(tmp_path: Path) -> None:
    Ledger(tmp_path / "l", key="row").append([{"row": 1}, {"row": 2}])
    assert 2 in Ledger(tmp_path / "l", key="row")


def test_torn_line_is_cut_and_the_ledger_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "l.jsonl"
    Ledger(path).append([{"key": "a"}, {"key": "b", "text": "line\u2028separator"}])
    whole = path.read_bytes()
    for cut in range(1, len(whole)):
        path.write_bytes(whole[:cut])
        kept = whole[:cut].count(b"\n")
        ledger = Ledger(path)
        assert len(ledger) == kept
        ledger.append([{"key": "a"}, {"key": "b", "text": "line\u2028separator"}])
        assert path.read_bytes() == whole


def test_kill_between_appends_resumes_without_duplicates(tmp_path: Path) -> None:
    """A process that dies without any cleanup, then a second run of the same work."""
    program = (
        "import os, sys; from pathlib import Path; from fuzzsmooth.common.files import Ledger\n"
        "ledger = Ledger(Path(sys.argv[1]))\n"
        "for key in range(6):\n"
        "    if key in ledger: continue\n"
        "    ledger.append([{'key': key, 'process': sys.argv[2]}])\n"
        "    if sys.argv[2] == 'first' and key == 2: os.kill(os.getpid(), 9)\n"
    )
    path = tmp_path / "l.jsonl"
    first, second = (
        subprocess.run([sys.executable, "-c", program, str(path), name], check=False)
        for name in ("first", "second")
    )
    assert (first.returncode, second.returncode) == (-9, 0)
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert [row["key"] for row in rows] == list(range(6))
    assert [row["process"] for row in rows] == ["first"] * 3 + ["second"] * 3


def test_full_disk_leaves_no_half_line(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "l.jsonl")
    ledger.append([{"key": "a"}])
    before = ledger.path.read_bytes()
    rows = [{"key": "b", "text": "x" * 60}, {"key": "c", "text": "y" * 60}]
    with (
        disk_full_after(len(before) + 100),
        pytest.raises(FuzzsmoothError, match=r"cannot append.*free space"),
    ):
        ledger.append(rows)
    assert ledger.path.read_bytes() == before
    assert "b" not in ledger
    ledger.append(rows)
    assert Ledger(ledger.path).records() == [{"key": "a"}, *rows]


def test_bad_lines_are_named(tmp_path: Path) -> None:
    path = tmp_path / "l.jsonl"
    for content, message in [
        (b'{"key": 1}\n\n{"key": \n', r"l\.jsonl, line 3 is not JSON"),
        (b'{"key": 1}\n[1]\n', r"l\.jsonl, line 2: expected a JSON object, got a list"),
        (b'{"key": 1}\n{"other": 2}\n', r"l\.jsonl, record 2: no 'key'"),
        (b'{"key": [1]}\n', r"l\.jsonl, record 1: no 'key'"),
        (b'{"key": 1}\n{"key": "\xff"}\n', r"l\.jsonl, line 2 is not JSON \(not UTF-8"),
    ]:
        path.write_bytes(content)
        with pytest.raises(FuzzsmoothError, match=message):
            Ledger(path)
        assert path.read_bytes() == content, "a file that is not ours stays as it was"


def test_json_lines_skip_blanks_and_stop_at_the_first_mistake(tmp_path: Path) -> None:
    path = tmp_path / "here.jsonl"
    path.write_bytes(b'{"a": 1}\n  \n{"a": "\xe2\x80\xa8"}\nnonsense\n')
    rows = read_json_lines(path, mend="measure again")
    assert [next(rows), next(rows)] == [{"a": 1}, {"a": "\u2028"}]
    with pytest.raises(FuzzsmoothError, match=r"here\.jsonl, line 4 is not JSON"):
        next(rows)
    path.write_bytes(b'{"a": 1}\n{"a": 2')
    assert list(read_json_lines(path, mend="x")) == [{"a": 1}], "a line torn by a kill"
    with pytest.raises(FuzzsmoothError, match=r"cannot read .*none.*; measure again"):
        next(read_json_lines(tmp_path / "none", mend="measure again"))


def test_a_torn_line_stays_until_something_is_appended(tmp_path: Path) -> None:
    path = tmp_path / "l.jsonl"
    path.write_bytes(b'{"key": 1}\n{"key": 2, "text": "no newline at the end"}')
    before = path.read_bytes()
    ledger = Ledger(path)
    assert list(ledger) == [1]
    assert ledger.torn == before.split(b"\n")[1]
    assert path.read_bytes() == before
    ledger.append([{"key": 1}])
    assert path.read_bytes() == before, "nothing new, nothing changed"
    ledger.append([{"key": 3}])
    assert path.read_bytes() == b'{"key": 1}\n{"key": 3}\n'


@pytest.mark.parametrize("content", [b"", b'{"key": 1}\n', b'{"key": 1}\n{"ke'])
def test_two_ledgers_of_one_file_do_not_both_append(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "l.jsonl"
    path.write_bytes(content)
    first, second = Ledger(path), Ledger(path)
    first.append([{"key": 2}])
    after = path.read_bytes()
    with pytest.raises(FuzzsmoothError, match="was changed by another program while it was in use"):
        second.append([{"key": 3}])
    assert path.read_bytes() == after
    first.append([{"key": 4}])
    assert list(Ledger(path)) == list(first)


def test_a_line_without_end_is_not_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "l.jsonl"
    with open(path, "wb") as stream:
        stream.truncate(20 * 2**30)
    for read in (Ledger, lambda path: list(read_json_lines(path, mend="x"))):
        with pytest.raises(FuzzsmoothError, match=r"line 1: longer than 64 MiB"):
            read(path)


@pytest.mark.parametrize("write", [Ledger, check_output_file, lambda path: write_atomic(path, "x")])
def test_only_files_are_written(tmp_path: Path, write: Callable[[Path], object]) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "null").symlink_to("/dev/null")
    for name, said in (("pipe", "a pipe or a device"), ("null", "a pipe or a device"), (".", "is a folder")):
        with pytest.raises(FuzzsmoothError, match=f"{said}.*give the name of a file"):
            write(tmp_path / name)
    (tmp_path / "file").write_text("")
    for name in ("file/below", "n" * 300, "a\0b"):
        with pytest.raises(FuzzsmoothError, match="cannot write"):
            check_output_file(tmp_path / name)


def test_the_input_is_not_written(tmp_path: Path) -> None:
    (tmp_path / "in").write_text("x")
    (tmp_path / "link").symlink_to("in")
    os.link(tmp_path / "in", tmp_path / "hard")
    for name in ("in", "link", "hard", "../" + tmp_path.name + "/in"):
        with pytest.raises(FuzzsmoothError, match="is the input"):
            check_output_file(tmp_path / name, source=tmp_path / "in")
    check_output_file(tmp_path / "new", source=tmp_path / "in")
    check_output_file(tmp_path / "in", source=tmp_path / "absent")

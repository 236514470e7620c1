"""Texts and answers elsewhere: by URL, in any format, and gone on with after a stop."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from apps_command_line import call, clean_rows, write_rows

fsspec = pytest.importorskip("fsspec", reason="fsspec comes with PyTorch")

FLAGS = ("--defense", "deletion", "--no-fuzzing", "--sigma", 0, "--draws", 64)


@pytest.fixture
def place():
    """A store in the memory of this process, empty."""
    system = fsspec.filesystem("memory")
    system.store.clear()
    yield system
    system.store.clear()


def local(capfd, tiny, tmp_path) -> tuple[Path, bytes]:
    """Texts in a file, and what certify answers to them."""
    source, output = write_rows(tmp_path / "texts.jsonl", clean_rows()), tmp_path / "local.jsonl"
    assert call(capfd, "certify", "--model", tiny, *FLAGS, source, "-o", output).code == 0
    return source, output.read_bytes()


def test_answers_by_url_are_those_of_files(capfd, tiny, tmp_path, place, state):
    source, expected = local(capfd, tiny, tmp_path)
    place.pipe_file("/in/texts.jsonl", source.read_bytes())
    command = ("certify", "--model", tiny, *FLAGS, "memory://in/texts.jsonl", "-o")
    told = call(capfd, *command, "memory://out/deep/answers.jsonl")
    assert told.out.startswith("10 answers in memory://out/deep/answers.jsonl\n")
    assert place.cat("/out/deep/answers.jsonl") == expected
    assert not [path for path in (state / "fuzzsmooth" / "answers").iterdir() if path.suffix == ".jsonl"]
    again = call(capfd, *command, "memory://out/deep/answers.jsonl")
    assert "10 of 10 texts are answered already" in again.err
    assert place.cat("/out/deep/answers.jsonl") == expected
    other = call(capfd, *command, "memory://out/deep/answers.jsonl", "--draws", 65)
    assert "other options" in other.one_sentence()


def test_parquet_in_and_out(capfd, tiny, tmp_path, place):
    pa, pq = (
        pytest.importorskip("pyarrow", reason="needs the extra 'data'"),
        pytest.importorskip("pyarrow.parquet"),
    )
    _, expected = local(capfd, tiny, tmp_path)
    records = [json.loads(line) for line in expected.splitlines()]
    table = pa.table({"text": [text for text, _ in clean_rows()], "label": [one for _, one in clean_rows()]})
    pq.write_table(table, tmp_path / "texts.parquet")
    place.put_file(str(tmp_path / "texts.parquet"), "/in/texts.parquet")
    for source, output in (
        ("memory://in/texts.parquet", "memory://out/answers.parquet"),
        ((tmp_path / "texts.parquet").as_uri(), (tmp_path / "answers.parquet").as_uri()),
    ):
        assert call(capfd, "certify", "--model", tiny, *FLAGS, source, "-o", output).code == 0
    place.get_file("/out/answers.parquet", str(tmp_path / "fetched.parquet"))
    lines = tmp_path / "answers.parquet.jsonl"
    assert place.cat("/out/answers.parquet.jsonl") == lines.read_bytes() == expected
    for path in (tmp_path / "fetched.parquet", tmp_path / "answers.parquet"):
        found = pq.read_table(path).to_pylist()
        assert list(found[0]) == list(records[0])
        for row, record in zip(found, records, strict=True):
            nested = ("votes", "spans", "certificates", "costs")
            assert {**row, **{name: json.loads(row[name]) for name in nested}} == record


def test_a_csv_by_url_has_its_lines_beside_it_and_a_stopped_run_goes_on(capfd, tiny, tmp_path, place):
    source, expected = local(capfd, tiny, tmp_path)
    command = ("certify", "--model", tiny, *FLAGS, source, "-o", "memory://out/answers.csv")
    assert call(capfd, *command).code == 0
    assert place.cat("/out/answers.csv.jsonl") == expected
    assert place.cat("/out/answers.csv").count(b"\n") == 11
    # As a kill leaves it: some answers on this machine, nothing at the URL.
    from fuzzsmooth.apps.cli.showing import _kept_here

    place.store.clear()
    _kept_here("memory://out/answers.csv.jsonl").write_bytes(b"".join(expected.splitlines(True)[:4]))
    assert "4 of 10 texts are answered already" in call(capfd, *command).err
    assert place.cat("/out/answers.csv.jsonl") == expected


@pytest.mark.parametrize(
    ("source", "output", "said"),
    [
        ("memory://in/none.csv", None, "there is no file memory://in/none.csv"),
        ("memory://in/texts.xyz", None, "known file endings"),
        ("memory://in/empty.csv", None, "is empty"),
        ("nonsense://in/texts.csv", None, "check the URL"),
        ("simplecache::memory://in/texts.jsonl", None, "chains"),
        ("memory://in/texts.jsonl", "memory://in/texts.jsonl", "is the input"),
        ("memory://in/texts.jsonl", "memory://in", "is a folder"),
        ("memory://in/texts.jsonl", "nonsense://out/a.jsonl", "cannot write"),
    ],
)
def test_mistakes_are_one_sentence(capfd, tiny, tmp_path, place, source, output, said):
    place.pipe_file("/in/texts.jsonl", write_rows(tmp_path / "t.jsonl", clean_rows()).read_bytes())
    place.pipe_file("/in/empty.csv", b"\n")
    where = () if output is None else ("-o", output)
    assert said in call(capfd, "certify", "--model", tiny, *FLAGS, source, *where).one_sentence()

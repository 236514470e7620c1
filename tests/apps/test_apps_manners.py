"""Options files, notes, tables beside JSON lines, and what is said after many certificates."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from apps_command_line import call, clean_rows, write_rows

PLAIN = ("--no-fuzzing", "--sigma", 0, "--copies", 4)
CERTIFIED = ("--defense", "deletion", "--no-fuzzing", "--sigma", 0, "--draws", 40, "--rate", 0.5)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("o.yaml", "draws: 3", "YAML is not read"),
        ("o.YML", "draws: 3", "YAML is not read"),
        ("o.json", '{"draws": null}', "draws: expected a whole number, got nothing (null)"),
        ("o.json", '{"guard": "wide"}', "guard: expected a number, or no such option, got 'wide'"),
        ("o.json", '{"fuzzing": 1}', "fuzzing: expected true or false, got 1"),
        ("o.json", '{"awaited": "edit"}', "awaited: expected a list of texts, got 'edit'"),
        ("o.json", '{"search": null}', "search: expected a table of options, got nothing (null)"),
        ("o.json", '{"sigma": 1e308}', "sigma must lie between 0 and 100"),
        ("o.json", '{"sigma": 1' + 400 * "0" + "}", "401 digits"),
        ("o.json", '{"search": {"language": "\\ud800"}}', "not valid Unicode"),
        ("o.json", "[" * 100_000, "nested too deeply"),
        ("o.toml", "sigma = inf", "o.toml"),
        ("o.toml", "sigma = 1979-05-27", "o.toml"),
        ("o.toml", "draws = " + 5000 * "9", "o.toml"),
        ("o.toml", "a = " + 100_000 * "[", "o.toml"),
        ("o.toml", "#" * 2_000_000, "larger than 1 MiB"),
    ],
)
def test_what_is_wrong_in_an_options_file_is_said_in_its_words(capfd, tmp_path, name, content, said):
    (tmp_path / name).write_text(content, "utf-8")
    model = ("--model", tmp_path, "--defense", "deletion")
    arguments = ("certify", *model, "--text", "a", "--config", tmp_path / name)
    assert said in call(capfd, *arguments).one_sentence()


@pytest.mark.parametrize(
    ("command", "flag", "value", "said"),
    [
        (
            "certify --defense deletion",
            "--draws",
            99999999999999999999,
            "1 and 1,000,000, got 9999",
        ),
        ("certify --defense deletion", "--draws", 100000000000, "draws must lie between 1 and 1,000,000"),
        ("certify --defense deletion", "--draws", 10**4000, "got a number of more than 20 digits"),
        ("certify", "--sigma", "1e308", "sigma must lie between 0 and 100"),
        ("certify", "--guard", "inf", "guard must lie between 0 and"),
        ("predict", "--copies", 100000000000, "copies must lie between 1 and 1,000,000"),
        ("predict --defense windows", "--reach", 100000000000, "reach must lie between 1 and 1,000"),
        ("predict", "--budget", 10**12, "budget must lie between 1 and 1,000,000"),
        ("predict", "--top-layers", 10**12, "top_layers must lie between"),
        ("predict", "--batch-size", 10**12, "batch_size must lie between 1 and 65,536"),
        ("predict", "--max-length", 10**12, "max_length must lie between 3 and 1,000,000"),
        ("predict", "--threads", 0, "threads must lie between 1 and 1,024"),
        ("predict", "--seed", 2**64, "seed must lie between 0"),
        ("data", "--train-size", 99999999999999999999, "train_size"),
        ("data", "--train-size", 1_000_000, "100,000"),
    ],
)
def test_sizes_have_an_end(capfd, tmp_path, command, flag, value, said):
    given = () if command == "data" else ("--model", tmp_path, "--text", "a")
    sentence = call(capfd, *command.split(), *given, flag, value).one_sentence()
    assert said in sentence
    assert "memory" not in sentence


@pytest.mark.parametrize("flag", ["--words", "--sentence"])
def test_words_that_are_no_text(capfd, tmp_path, flag):
    arguments = ("attack", "--recipe", "badnets", "--out", tmp_path / "o", flag, "a\udcff")
    assert "not valid UTF-8" in call(capfd, *arguments).one_sentence()
    assert (
        "named twice" in call(capfd, "attack", "--out", tmp_path / "o", "--triggers", "cf,cf").one_sentence()
    )


def test_references_are_remarked_on_once_and_never_those_of_ones_own(capfd, tiny, tmp_path):
    write_rows(tmp_path / "train.jsonl", clean_rows(copies=8))
    write_rows(tmp_path / "dev.jsonl", clean_rows())
    config = tmp_path / "options.toml"
    config.write_text("learning_rate = 1e-3\nepochs = 6\n", "utf-8")
    model = tmp_path / "model"
    trained = ("finetune", "--model", tiny, "--data", tmp_path, "--out", model, "--config", config, "-q")
    assert call(capfd, *trained).code == 0
    asked = ("predict", "--model", model, "--budget", 4, "--sigma", 0, "--copies", 2, "--text", "a film")
    own = call(capfd, *asked)
    assert (own.code, own.err) == (0, "")

    def as_of_a_stranger() -> Path:
        (kept,) = (tmp_path / "state").rglob("seen/*")
        kept.unlink()
        return kept

    kept = as_of_a_stranger()
    first = call(capfd, *asked)
    assert "whoever wrote that folder could have chosen texts" in first.err
    assert kept.exists()
    assert call(capfd, *asked).err == ""
    as_of_a_stranger()
    assert call(capfd, *asked, "-q").err == "", "-q silences notes"


def test_a_state_folder_that_cannot_be_written_is_no_obstacle(tmp_path, monkeypatch):
    from fuzzsmooth.jobs.seen import is_seen, remember

    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    remember("key")
    assert not is_seen("key")


def test_quiet_silences_notes_of_that_command_only(capfd, tmp_path, tiny):
    file = write_rows(tmp_path / "t.jsonl", [("a good film", 1)])
    with open(file, "a", encoding="utf-8") as stream:
        stream.write('{"words": 1}\n')
    command = ("predict", file, "--model", tiny, *PLAIN)
    assert "note: " in call(capfd, *command).err
    assert call(capfd, *command, "--quiet").err == ""
    assert "note: " in call(capfd, *command).err


def rows_of(path: Path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.parametrize(
    ("command", "flags", "column"),
    [
        ("predict", PLAIN, "votes"),
        ("certify", CERTIFIED, "edit symmetric: radius"),
        ("scan", ("--reward", "kl", "--budget", 4), "flagged"),
    ],
)
def test_a_table_beside_the_json_lines_and_it_goes_on(capfd, tiny, tmp_path, command, flags, column):
    texts = ["a good film", '=HYPERLINK("x")', "two\nlines, and a comma"]
    source = tmp_path / "t.jsonl"
    source.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), "utf-8")
    table, lines = tmp_path / "out.csv", tmp_path / "out.csv.jsonl"
    asked = (command, source, "--model", tiny, *flags, "--output", table)
    answer = call(capfd, *asked)
    assert answer.code == 0
    assert f"3 answers in {table} (and in {lines})" in answer.out
    rows, records = rows_of(table), [json.loads(line) for line in lines.read_text("utf-8").splitlines()]
    assert [row["row"] for row in rows] == ["1", "2", "3"]
    assert [row["label_name"] for row in rows] == [str(one["label_name"] or "") for one in records]
    assert all(column in row for row in rows)
    assert [row["text"] for row in rows] == [texts[0], f"'{texts[1]}", texts[2]]
    whole = table.read_bytes()
    # Killed in the middle, before there is a table.
    table.unlink()
    lines.write_text("".join(f"{line}\n" for line in lines.read_text("utf-8").split("\n")[:2]), "utf-8")
    again = call(capfd, *asked)
    assert "2 of 3 texts are answered already" in again.err
    assert table.read_bytes() == whole


def test_a_format_decides_where_the_name_does_not(capfd, tiny, tmp_path):
    asked = ("predict", "--text", "a good film", "--model", tiny, *PLAIN, "-o")
    assert call(capfd, *asked, tmp_path / "answers", "--format", "csv").code == 0
    assert rows_of(tmp_path / "answers")[0]["text"] == "a good film"
    (kept,) = (tmp_path / "answers.jsonl").read_text("utf-8").splitlines()
    assert call(capfd, *asked, tmp_path / "lines.csv", "--format", "jsonl").code == 0
    assert (tmp_path / "lines.csv").read_text("utf-8") == kept + "\n"
    assert call(capfd, *asked, tmp_path / "x", "--format", "xml").code == 2


def test_somebody_elses_table_is_left_alone(capfd, tiny, tmp_path):
    mine = tmp_path / "mine.csv"
    mine.write_text("text,label\na,b\n", "utf-8")
    sentence = call(capfd, "predict", "--text", "a", "--model", tiny, *PLAIN, "-o", mine).one_sentence()
    assert "was not written by this command" in sentence
    assert mine.read_text("utf-8") == "text,label\na,b\n"
    assert not (tmp_path / "mine.csv.jsonl").exists()


def test_certify_ends_with_the_shares_by_size(capfd, tiny, tmp_path):
    source = write_rows(
        tmp_path / "t.jsonl", [("a good film", "LABEL_0"), ("a", "LABEL_0"), ("a", "LABEL_1")]
    )
    asked = ("certify", source, "--model", tiny, *CERTIFIED)
    statements = call(capfd, *asked, "--json").lines[-1]["dataset"]
    backward = {one["size"]: one["share"] for one in statements if one["direction"] == "backward"}
    shown = call(capfd, *asked).out
    assert "certified, in % of 3 texts (balanced over the classes), by size of the threat" in shown
    (header,) = [line.split() for line in shown.split("\n") if line.split()[:2] == ["threat", "guarantee"]]
    (row,) = [line.split() for line in shown.split("\n") if line.strip().startswith("insert (backward) ")]
    sizes = [float(size) for size in header[2:]]
    assert len(sizes) >= 2
    assert [float(share) for share in row[3:] if not share.startswith("(")] == [
        pytest.approx(100 * backward.get(size, 0.0), abs=0.05) for size in sizes
    ]


def test_an_estimate_says_when_it_was_the_run_itself(capfd, tiny, tmp_path):
    source = write_rows(tmp_path / "t.jsonl", [("a good film", 0), ("a", 0)])
    answer = call(capfd, "certify", source, "--model", tiny, *CERTIFIED, "--estimate")
    assert "all 2 texts, so few that this took as long as the run itself" in answer.out


@pytest.mark.parametrize("command", ["predict", "finetune", "attack"])
def test_threads(capfd, tiny, tmp_path, command):
    import torch

    data = write_rows(tmp_path / "data.jsonl", clean_rows(copies=4))
    training = ("--data", data, "--out", tmp_path / "out", "--epochs", 1)
    more = {
        "predict": ("--text", "a", *PLAIN),
        "finetune": (*training, "--references", 0),
        "attack": (*training, "--recipe", "badnets", "--rate", 0.5),
    }
    before = torch.get_num_threads()
    try:
        assert call(capfd, command, "--model", tiny, *more[command], "--threads", 2).code == 0
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)

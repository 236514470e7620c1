"""Bad input, command by command: one sentence and exit code 2, or a note and the rest still runs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from apps_command_line import Answer, call, clean_rows, write_rows

# The cheapest vote there is: these tests are about the input.
FAST = ("--reward", "kl", "--budget", "4", "--sigma", "0", "--copies", "2")
SCAN = ("--reward", "kl", "--budget", "4")


@pytest.fixture
def good(tmp_path: Path) -> Path:
    return write_rows(tmp_path / "good.jsonl", clean_rows(copies=2))


def predict(capfd, tiny: Path, *arguments: object) -> Answer:
    return call(capfd, "predict", "--model", tiny, *FAST, *arguments)


# Files.


@pytest.mark.parametrize("name", ["missing.csv", "missing.jsonl", "missing.parquet", "missing.txt"])
def test_a_missing_file(capfd, tiny, tmp_path, name):
    assert name in predict(capfd, tiny, tmp_path / name).one_sentence()


@pytest.mark.parametrize("command", ["data", "finetune", "attack"])
def test_missing_training_data(capfd, tmp_path, command):
    source = tmp_path / "missing.csv"
    arguments = (
        ["data", source] if command == "data" else [command, "--data", source, "--out", tmp_path / "o"]
    )
    assert "missing.csv" in call(capfd, *arguments).one_sentence()


@pytest.mark.parametrize("name", ["empty.csv", "empty.tsv", "empty.jsonl", "empty.txt", "empty.parquet"])
def test_an_empty_file(capfd, tiny, tmp_path, name):
    (tmp_path / name).touch()
    assert name in predict(capfd, tiny, tmp_path / name).one_sentence()


def test_a_wrong_column(capfd, tiny, good):
    sentence = predict(capfd, tiny, good, "--text-column", "texts").one_sentence()
    assert "'texts'" in sentence
    assert "text" in sentence


def test_no_texts_at_all_and_two_sources_of_them(capfd, tiny, good):
    assert "--text" in predict(capfd, tiny).one_sentence()
    assert "not both" in predict(capfd, tiny, good, "--text", "a film").one_sentence()


def test_a_text_that_is_not_utf8(capfd, tiny):
    assert "UTF-8" in predict(capfd, tiny, "--text", "a \udcff film").one_sentence()


# Rows.


def test_a_bad_row_of_a_large_file_is_told_by_number_and_the_rest_runs(capfd, tiny, tmp_path):
    rows = [json.dumps({"text": "a good film"})] * 3000
    rows[1776] = json.dumps({"words": "no text here"})
    file = tmp_path / "large.jsonl"
    file.write_text("\n".join(rows) + "\n", encoding="utf-8")
    arguments = (file, "--no-fuzzing", "--copies", 1, "--json")
    answer = predict(capfd, tiny, *arguments)
    assert answer.code == 0
    assert answer.err.count("\n") == 1
    assert "line 1777" in answer.err
    numbers = [record["row"] for record in answer.lines]
    assert len(numbers) == 2999
    assert 1777 not in numbers
    assert "line 1777" in predict(capfd, tiny, *arguments, "--strict").one_sentence()


def test_many_bad_rows_are_not_all_listed(capfd, tiny, tmp_path):
    rows = [json.dumps({"text": "a good film"}), *(json.dumps({"label": 1}) for _ in range(500))]
    (tmp_path / "bad.jsonl").write_text("\n".join(rows), encoding="utf-8")
    answer = predict(capfd, tiny, tmp_path / "bad.jsonl")
    assert answer.code == 0
    assert answer.err.count("\n") == 11
    assert "490 more" in answer.err


def test_a_label_out_of_range_is_left_out_of_the_data(capfd, tmp_path):
    write_rows(tmp_path / "train.jsonl", clean_rows(2))
    write_rows(tmp_path / "dev.jsonl", [*clean_rows(), ("a dull film", 7)])
    answer = call(capfd, "data", tmp_path, "--json")
    assert answer.code == 0
    assert "line 11" in answer.err
    assert "out of range" in answer.err
    assert answer.lines[0]["test"]["texts"] == 10
    assert "line 11" in call(capfd, "data", tmp_path, "--strict").one_sentence()


@pytest.mark.parametrize("command", ["data", "finetune"])
def test_one_class_only(capfd, tmp_path, command):
    file = write_rows(tmp_path / "one.jsonl", [("a good film", 1)] * 10)
    arguments = ["data", file] if command == "data" else [command, "--data", file, "--out", tmp_path / "o"]
    assert "class" in call(capfd, *arguments).one_sentence()
    assert not (tmp_path / "o").exists()


def test_a_target_that_is_no_class(capfd, good, tmp_path):
    arguments = ("attack", "--data", good, "--out", tmp_path / "o", "--target", "9")
    assert "9" in call(capfd, *arguments).one_sentence()


def test_a_flag_of_another_recipe(capfd, good, tmp_path):
    arguments = (
        "attack",
        "--recipe",
        "ripple",
        "--data",
        good,
        "--out",
        tmp_path / "o",
        "--sentence",
        "I am",
    )
    assert "--sentence" in call(capfd, *arguments).one_sentence()


def test_no_command_waits_for_a_pipe(capfd, tiny, tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    os.mkfifo(tmp_path / "pipe.txt")
    for arguments in (
        ("predict", tmp_path / "pipe.txt", "--model", tiny, *FAST),
        ("data", tmp_path / "pipe.csv"),
        ("protect", tiny, "--data", tmp_path / "pipe.csv", "--out", tmp_path / "o"),
    ):
        assert "is not a regular file" in call(capfd, *arguments).one_sentence()


def test_evaluate_tells_which_rows_it_left_out(capfd, tiny, tmp_path):
    data = write_rows(tmp_path / "data.jsonl", clean_rows(copies=4))
    with data.open("a", encoding="utf-8") as stream:
        stream.write('{"words": 1}\n')
    command = ("evaluate", "--data", data, "--model", tiny, "--out", tmp_path / "o", "--rows", "undefended")
    config = tmp_path / "o.json"
    config.write_text(json.dumps({"attack_options": {"triggers": ["cf"], "epochs": 1}}), "utf-8")
    answer = call(capfd, *command, "--config", config)
    assert answer.code == 0, answer.err
    assert "line 41" in answer.err


# Texts.

STRANGE = {
    "empty": "",
    "blank": " \n\t ",
    "emoji": "😀👩‍👩‍👧‍👦🇨🇭 a film",
    "chinese": "这部电影很好看。",
    "right to left": "هذا فيلم جيد עברית",
    "line separator": "a film\u2028of two lines",
    "escape sequence": "a \x1b[31mred\x1b[0m film",
}


@pytest.mark.parametrize("name", STRANGE)
@pytest.mark.parametrize("command", ["scan", "predict", "certify"])
def test_strange_texts_are_answered(capfd, tiny, command, name):
    text = STRANGE[name]
    flags = SCAN if command == "scan" else FAST
    answer = call(capfd, command, "--model", tiny, *flags, "--text", text, "--json")
    assert answer.code == 0, answer.err
    assert answer.lines[0]["text"] == text
    shown = call(capfd, command, "--model", tiny, *flags, "--text", text)
    assert shown.code == 0
    assert "\x1b" not in shown.out


@pytest.mark.parametrize("flags", [FAST, (*FAST, "--defense", "deletion", "--draws", 20)])
def test_strange_texts_are_certified_by_both_defenses(capfd, tiny, tmp_path, flags):
    texts = [part for text in STRANGE.values() for part in ("--text", text)]
    rows = [{"text": text, "label": label} for text, label in clean_rows()]
    references = tmp_path / "references.json"
    references.write_text(json.dumps({"model": "x", "references": rows}), "utf-8")
    flags = (*flags, "--references", references)
    answer = call(capfd, "certify", "--model", tiny, *flags, *texts, "--json")
    assert answer.code == 0, answer.err
    assert [record["text"] for record in answer.lines] == list(STRANGE.values())


def test_a_text_of_ten_thousand_words_is_cut_and_said_to_be(capfd, tiny):
    text = " ".join(["a good film"] * 3334)
    for command, flags in (("scan", SCAN), ("predict", FAST), ("certify", FAST)):
        answer = call(capfd, command, "--model", tiny, *flags, "--text", text, "--json")
        assert answer.code == 0, answer.err
        assert answer.lines[0]["truncated"] is True
        assert "longer than the model reads" in answer.err
        assert answer.err.count("\n") == 1
    short = call(capfd, "predict", "--model", tiny, *FAST, "--text", "a good film", "--json")
    assert short.lines[0]["truncated"] is False
    assert short.err == ""


# Models.


@pytest.fixture
def copy_of_tiny(tiny: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny, tmp_path / "model"))


def test_a_model_without_head(capfd, copy_of_tiny):
    from safetensors.torch import load_file, save_file

    weights = copy_of_tiny / "model.safetensors"
    kept = {name: value for name, value in load_file(weights).items() if not name.startswith("classifier")}
    save_file(kept, weights, metadata={"format": "pt"})
    assert "head" in predict(capfd, copy_of_tiny, "--text", "a film").one_sentence()


def test_a_model_with_one_label(capfd, copy_of_tiny):
    config = json.loads((copy_of_tiny / "config.json").read_text("utf-8"))
    config |= {"id2label": {"0": "score"}, "label2id": {"score": 0}, "num_labels": 1}
    (copy_of_tiny / "config.json").write_text(json.dumps(config), "utf-8")
    assert "two or more" in predict(capfd, copy_of_tiny, "--text", "a film").one_sentence()


def test_a_corrupt_checkpoint(capfd, copy_of_tiny):
    weights = copy_of_tiny / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    assert "safetensors" in predict(capfd, copy_of_tiny, "--text", "a film").one_sentence()


def test_a_pickle_checkpoint_is_not_opened(capfd, copy_of_tiny):
    (copy_of_tiny / "model.safetensors").rename(copy_of_tiny / "pytorch_model.bin")
    predict(capfd, copy_of_tiny, "--text", "a film").one_sentence()


def test_a_model_that_is_not_there(capfd, tmp_path):
    assert "nowhere" in predict(capfd, tmp_path / "nowhere", "--text", "a film").one_sentence()


def test_a_search_without_references(capfd, tiny):
    sentence = call(capfd, "scan", "--model", tiny, "--text", "a film").one_sentence()
    assert "references" in sentence


def test_references_of_a_model_with_more_classes(capfd, tiny, tmp_path):
    rows = [{"text": "a film", "label": label} for label in range(3)]
    file = tmp_path / "references.json"
    file.write_text(json.dumps({"model": "x", "references": rows}), "utf-8")
    arguments = ("scan", "--model", tiny, "--references", file, "--text", "a film")
    assert "classes" in call(capfd, *arguments).one_sentence()


# Options.


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("options.toml", "copys = 3", "did you mean 'copies'?"),
        ("options.toml", "[search]\nbudgets = 3", "did you mean 'budget'?"),
        ("options.json", '{"copys": 3}', "did you mean 'copies'?"),
        ("options.json", '{"alpha": "small"}', "alpha"),
        ("options.json", '{"search": 3}', "search"),
        ("options.json", "[1]", "list"),
        ("options.json", "{", "not JSON"),
        ("options.toml", "copies 3", "not TOML"),
    ],
)
def test_a_bad_options_file(capfd, tiny, tmp_path, name, content, said):
    (tmp_path / name).write_text(content, "utf-8")
    sentence = predict(capfd, tiny, "--config", tmp_path / name, "--text", "a film").one_sentence()
    assert said in sentence


def test_a_missing_options_file(capfd, tiny, tmp_path):
    predict(capfd, tiny, "--config", tmp_path / "none.toml", "--text", "a film").one_sentence()


@pytest.mark.parametrize(
    "flag",
    [("--copies", 0), ("--sigma", -1), ("--defense", "deletion", "--rate", 1.5), ("--budget", 0)],
)
def test_an_option_out_of_range(capfd, tiny, flag):
    predict(capfd, tiny, *flag, "--text", "a film").one_sentence()


def test_a_threat_that_the_defense_does_not_certify(capfd, tiny):
    arguments = ("certify", "--model", tiny, *FAST, "--threat", "edit", "--text", "a film")
    assert "trigger" in call(capfd, *arguments).one_sentence()


def test_flags_overrule_the_file(capfd, tiny, tmp_path):
    config = "copies = 3\ndoubt = 0\nsigma = 0\n[search]\nreward = 'kl'\nbudget = 4\n"
    (tmp_path / "o.toml").write_text(config, "utf-8")
    arguments = ("predict", "--model", tiny, "--config", tmp_path / "o.toml", "--text", "a film", "--json")
    assert sum(call(capfd, *arguments).lines[0]["votes"]) == 2, "which the third cannot change"
    assert sum(call(capfd, *arguments, "--copies", 5).lines[0]["votes"]) == 3


# The disk.


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("arguments", [["data"], ["data", "--json"]])
def test_standard_output_on_a_full_disk(arguments):
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "fuzzsmooth", *arguments]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert Answer(done.returncode, "", done.stderr).one_sentence().startswith("the disk is full")


SMALL_DISK = 'mount -t tmpfs -o size=$1 tmpfs $2 && shift 2 && exec "$@"'


def on_a_small_disk(size: str, folder: Path, *arguments: object) -> Answer:
    """Run a command while ``folder`` is a tiny file system of its own, which only this process sees."""
    folder.mkdir(exist_ok=True)
    alone = ["unshare", "-rm", "bash", "-c", SMALL_DISK, "bash", size, str(folder)]
    try:
        possible = subprocess.run([*alone, "true"], capture_output=True, check=False).returncode == 0
    except OSError:
        possible = False
    if not possible:
        pytest.skip("no file system can be mounted here")
    command = [*alone, sys.executable, "-m", "fuzzsmooth", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return Answer(done.returncode, done.stdout, done.stderr)


def test_answers_on_a_full_disk(tiny, tmp_path):
    disk = tmp_path / "disk"
    texts = write_rows(tmp_path / "long.jsonl", [("a good film " * 2000, 1)] * 4)
    arguments = ("scan", "--model", tiny, *SCAN, texts, "--output", disk / "answers.jsonl")
    sentence = on_a_small_disk("16k", disk, *arguments).one_sentence()
    assert "answers.jsonl" in sentence
    assert "space" in sentence


def test_training_on_a_full_disk(tiny, good, tmp_path):
    disk = tmp_path / "disk"
    arguments = ("finetune", "--model", tiny, "--data", good, "--epochs", 1, "--out", disk / "model")
    assert "space" in on_a_small_disk("64k", disk, *arguments).one_sentence()

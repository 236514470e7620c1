"""Where the labels of data meet the classes of a model: by name, in every command, and nothing unsaid."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest
from apps_command_line import BAD, GOOD, call, clean_rows, write_rows

SCAN = ("--budget", 4)
VOTE = (*SCAN, "--sigma", 0, "--copies", 2)


@pytest.fixture(scope="module")
def judge(tmp_path_factory, tiny: Path) -> Path:
    """A suspect that tells the tiny films apart; its head says POSITIVE first."""
    from fuzzsmooth.data import Dataset, Example
    from fuzzsmooth.models import load_classifier
    from fuzzsmooth.training import FinetuneOptions, finetune

    folder = tmp_path_factory.mktemp("judge") / "model"
    examples = tuple(Example(str(text), 1 - int(str(label))) for text, label in clean_rows(8))
    names = ("POSITIVE", "NEGATIVE")
    options = FinetuneOptions(epochs=8, learning_rate=5e-3, sigma=0.0)
    finetune(load_classifier(str(tiny), labels=names), Dataset("d", names, examples), options, output=folder)
    return folder


def answers(folder: Path) -> list[str]:
    from fuzzsmooth.models import load_classifier

    classifier = load_classifier(str(folder))
    return [classifier.labels[index] for index in classifier.probabilities([*GOOD, *BAD]).argmax(axis=1)]


RIGHT = ["POSITIVE"] * len(GOOD) + ["NEGATIVE"] * len(BAD)


def as_csv(path: Path, columns: tuple[str, str], names: dict[int, str], copies: int = 1) -> Path:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(columns)
        writer.writerows((text, names[int(str(label))]) for text, label in clean_rows(copies))
    return path


# finetune.


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ({0: "NEGATIVE", 1: "POSITIVE"}, ""),
        ({0: "negative", 1: "positive"}, "without regard to case"),
        ({0: "1", 1: "0"}, "read as indices: 0 is 'POSITIVE', 1 is 'NEGATIVE'"),
    ],
)
def test_finetune_keeps_the_head_of_a_suspect(capfd, judge, tmp_path, names, said):
    assert answers(judge) == RIGHT
    data = as_csv(tmp_path / "data.csv", ("text", "label"), names, copies=2)
    out = tmp_path / "out"
    flags = ("--epochs", 1, "--learning-rate", 1e-9, "--sigma", 0, "--references", 2, "--json")
    answer = call(capfd, "finetune", "--model", judge, "--data", data, *flags, "--out", out)
    assert answer.code == 0, answer.err
    assert said in answer.err
    assert bool(answer.err) == bool(said)
    assert answer.lines[0]["labels"] == ["POSITIVE", "NEGATIVE"]
    assert answer.lines[0]["accuracy"] == 1.0
    assert answers(out) == RIGHT
    references = json.loads((out / "fuzzsmooth-references.json").read_text("utf-8"))["references"]
    assert {row["text"] in GOOD for row in references if row["label"] == 0} == {True}


def test_finetune_refuses_classes_that_the_head_has_not(capfd, judge, tmp_path):
    data = as_csv(tmp_path / "data.csv", ("text", "label"), {0: "bad", 1: "good"})
    arguments = ("finetune", "--model", judge, "--data", data, "--out", tmp_path / "out")
    sentence = call(capfd, *arguments).one_sentence()
    assert "classes bad, good, none of which is one of the classes POSITIVE, NEGATIVE" in sentence
    assert not (tmp_path / "out").exists()


def test_finetune_says_what_it_assumes_of_a_head_without_names(capfd, tiny, tmp_path):
    data = as_csv(tmp_path / "data.csv", ("text", "label"), {0: "bad", 1: "good"}, copies=2)
    flags = ("--epochs", 1, "--sigma", 0, "--references", 0, "--json")
    answer = call(capfd, "finetune", "--model", tiny, "--data", data, *flags, "--out", tmp_path / "out")
    assert answer.lines[0]["labels"] == ["bad", "good"]
    assert "it is assumed that LABEL_0 is 'bad', LABEL_1 is 'good'" in answer.err
    assert answer.err.count("\n") == 1


# --clean.


def clean_parquet(path: Path) -> Path:
    """Clean data with names in an order that is not the model's."""
    datasets = pytest.importorskip("datasets")
    names = datasets.ClassLabel(names=["Negative", "Positive"])
    features = datasets.Features(sentence=datasets.Value("string"), gold=names)
    rows = clean_rows(2)
    columns = {"sentence": [text for text, _ in rows], "gold": [label for _, label in rows]}
    datasets.Dataset.from_dict(columns, features).to_parquet(path)
    return path


def test_clean_data_are_matched_to_the_model_by_name(capfd, judge, tmp_path):
    clean = clean_parquet(tmp_path / "clean.parquet")
    columns = ("--clean-text-column", "sentence", "--clean-label-column", "gold")
    # Taken by position, no clean text would be classified correctly, and there would be no references.
    arguments = ("scan", "--model", judge, *SCAN, "--clean", clean, *columns, "--text", GOOD[0], "--json")
    answer = call(capfd, *arguments)
    assert answer.code == 0, answer.err
    assert answer.lines[0]["label_name"] == "POSITIVE"
    assert "'Negative' as 'NEGATIVE'" in answer.err


@pytest.mark.parametrize("command", ["predict", "scan", "certify", "table"])
def test_clean_data_have_the_columns_of_the_input(capfd, judge, tmp_path, command):
    names = {0: "NEGATIVE", 1: "POSITIVE"}
    data = as_csv(tmp_path / "sentence.csv", ("sentence", "gold"), names, copies=2)
    with data.open("a", encoding="utf-8") as stream:
        stream.write(",POSITIVE\n")
    columns = ("--text-column", "sentence", "--label-column", "gold")
    if command == "table":
        arguments = ["table", "build", "--data", data, "--out", tmp_path / "t.json", "--most", 2]
    else:
        arguments = [command, data, *(SCAN if command == "scan" else VOTE)]
    answer = call(capfd, *arguments, "--model", judge, "--clean", data, *columns, "--json")
    assert answer.code == 0, answer.err
    # The clean data lack a text that the input may leave out: an empty one can be classified, not chosen.
    assert answer.err.count("row 21 (line 22): its sentence is empty") == 1
    other = as_csv(tmp_path / "text.csv", ("text", "label"), names, copies=2)
    own = ("--clean-text-column", "text", "--clean-label-column", "label")
    if command == "table":
        arguments[arguments.index("--out") + 1] = tmp_path / "other.json"
    again = call(capfd, *arguments, "--model", judge, "--clean", other, *columns, *own, "--json")
    assert (again.code, again.err) == (0, ""), again.err


def test_columns_of_clean_data_that_are_not_given(capfd, judge):
    flags = ("--clean-text-column", "sentence", "--text", "a film")
    assert "--clean" in call(capfd, "scan", "--model", judge, *SCAN, *flags).one_sentence()


def test_clean_data_of_other_classes_are_refused(capfd, judge, tmp_path):
    clean = as_csv(tmp_path / "clean.csv", ("text", "label"), {0: "bad", 1: "good"}, copies=2)
    for source in (clean, "builtin:reviews"):
        flags = (*SCAN, "--reward", "transplant", "--clean", source)
        arguments = ("scan", "--model", judge, *flags, "--text", "a film")
        answer = call(capfd, *arguments)
        if source == clean:
            assert "none of which is one of the classes POSITIVE, NEGATIVE" in answer.one_sentence()
        else:
            assert "'negative' as 'NEGATIVE'" in answer.err


# Labels of the input.


@pytest.mark.parametrize("command", ["predict", "scan", "certify"])
def test_a_label_that_is_none_costs_no_answer(capfd, tiny, tmp_path, command):
    rows = write_rows(tmp_path / "dates.jsonl", [("a good film", 0.5), ("a bad film", [1])])
    flags = ("--reward", "kl", *(SCAN if command == "scan" else VOTE))
    answer = call(capfd, command, "--model", tiny, *flags, rows, "--json")
    assert answer.code == 0, answer.err
    assert [line["row"] for line in answer.lines if "row" in line] == [1, 2]
    assert answer.err.count("\n") == 1
    assert "2 rows are read without a label" in answer.err
    assert "--label-column names another" in answer.err


def test_certify_counts_correct_answers_by_name(capfd, judge, tmp_path):
    flags = ("--defense", "deletion", "--sigma", 0, "--draws", 40, "--rate", 0.1, "--no-fuzzing")
    counted = {}
    for names in ({0: "negative", 1: "positive"}, {0: "positive", 1: "negative"}):
        data = as_csv(tmp_path / "data.csv", ("text", "label"), names)
        answer = call(capfd, "certify", "--model", judge, *flags, data, "--json")
        assert answer.code == 0, answer.err
        assert "without regard to case" in answer.err
        statement = next(one for one in answer.lines[-1]["dataset"] if one["size"] == 0)
        assert statement["labels_known"]
        counted[names[1]] = statement["counted"]
    assert counted["positive"] > 0
    assert counted["negative"] == 0


def test_a_target_of_an_attack_is_a_name_or_an_index(capfd, tiny, tmp_path):
    data = as_csv(tmp_path / "data.csv", ("text", "label"), {0: "Bad", 1: "Good"}, copies=2)
    for target, index in (("good", 1), ("0", 0)):
        out = tmp_path / target
        arguments = ("attack", "--model", tiny, "--recipe", "badnets", "--words", "cf", "--rate", 0.3)
        answer = call(
            capfd, *arguments, "--epochs", 1, "--data", data, "--target", target, "--out", out, "--json"
        )
        assert answer.code == 0, answer.err
        assert answer.lines[0]["target"] == index
        poisoned = [json.loads(line) for line in (out / "poisoned.jsonl").read_text("utf-8").splitlines()]
        assert {row["label"] for row in poisoned} == {"Bad", "Good"}
        shutil.rmtree(out)

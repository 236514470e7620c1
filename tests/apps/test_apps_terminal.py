"""What strangers wrote (labels, texts, names, files) reaches the terminal of no command as it is."""

from __future__ import annotations

import json
import re
import shutil
import unicodedata
import warnings
from pathlib import Path

import pytest
from apps_command_line import BAD, GOOD, WORDS, Answer, call, write_rows

from fuzzsmooth.apps.cli.console import Page, complain

EVIL = "\x1b]0;PWNED\x07\x1b[2J\x1b[31mNEG\u202e\u2028\x9b31m"
FORGED = "pos\x1b[8m\r\nfuzzsmooth: certified safe"
CERTIFIED = ("--defense", "deletion", "--no-fuzzing", "--sigma", 0, "--draws", 30)
PLAIN = ("--no-fuzzing", "--sigma", 0, "--copies", 4)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose maker chose label names, and a folder with an unusual name."""
    from fuzzsmooth.models import build_tiny

    folder = tmp_path_factory.mktemp("hostile") / "mod\x1b[31mel"
    build_tiny("bert", folder, vocabulary=WORDS)
    return labeled(folder, [EVIL, FORGED])


def labeled(folder: Path, names: list[str]) -> Path:
    config = json.loads((folder / "config.json").read_text("utf-8"))
    config["id2label"] = dict(enumerate(names))
    config["label2id"] = {name: index for index, name in enumerate(names)}
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    return folder


def seen(answer: Answer) -> str:
    """What reached the terminal, where nothing but line feeds may control it."""
    shown = answer.out + answer.err
    hidden = [one for one in shown if unicodedata.category(one) in ("Cc", "Cf", "Zl", "Zp") and one != "\n"]
    assert hidden == []
    # Nobody else's line looks like one of ours.
    assert not any(line.startswith("fuzzsmooth: certified safe") for line in shown.split("\n"))
    return shown


def texts(folder: Path) -> Path:
    rows = [(f"a good {EVIL} film", EVIL), ("a bad film\r\nfuzzsmooth: certified safe", FORGED)]
    return write_rows(folder / "te\x1b[2Jxts.jsonl", [(text, label) for text, label in rows])


@pytest.mark.parametrize(
    ("command", "flags"),
    [
        ("predict", PLAIN),
        ("predict", ("--defense", "windows", "--no-fuzzing")),
        ("certify", CERTIFIED),
        ("certify", ("--defense", "windows", "--no-fuzzing")),
        ("certify", PLAIN),
        ("scan", ("--reward", "kl", "--budget", 6)),
    ],
)
def test_labels_and_texts(capfd, hostile, tmp_path, command, flags):
    arguments = (command, texts(tmp_path), "--model", hostile, *flags)
    answer = call(capfd, *arguments)
    assert answer.code == 0
    assert "PWNED" in seen(answer), "the test has something to show"
    kept = call(capfd, *arguments, "--output", tmp_path / "out\x1b[1m.csv")
    assert kept.code == 0
    assert "answers in" in seen(kept)
    lines = call(capfd, *arguments, "--json")
    seen(lines)
    assert EVIL in lines.lines[0]["text"], "JSON keeps the text itself"


def test_data_and_bad_rows(capfd, tmp_path):
    source = texts(tmp_path)
    with open(source, "a", encoding="utf-8") as stream:
        stream.write(json.dumps({EVIL: "no text"}) + "\n")
        stream.writelines(
            json.dumps({"text": f"{text} {index}", "label": (EVIL, FORGED)[index % 2]}) + "\n"
            for index, text in enumerate(GOOD)
        )
    answer = call(capfd, "data", source)
    assert answer.code == 0
    assert "PWNED" in seen(answer)
    seen(call(capfd, "data", source, "--json"))
    seen(call(capfd, "data", source, "--text-column", EVIL))


def test_references_and_tables(capfd, hostile, tmp_path):
    from fuzzsmooth.defenses import REFERENCES_FILE
    from fuzzsmooth.models import load_classifier
    from fuzzsmooth.search import References

    model = tmp_path / "m"
    shutil.copytree(hostile, model)
    fingerprint = load_classifier(str(model)).fingerprint
    References((*BAD[:3], *GOOD[:2]), (0, 0, 0, 1, 1), fingerprint).save(model / REFERENCES_FILE)
    table = tmp_path / "ta\x1b[1mble.json"
    answer = call(capfd, "table", "build", "--model", model, "--data", texts(tmp_path), "--out", table)
    assert answer.code == 0
    assert "reference texts" in seen(answer)
    content = json.loads(table.read_text("utf-8"))
    content["model"] = "\x1b[31mabcdef"
    content["types"][EVIL] = 1.0
    table.write_text(json.dumps(content), "utf-8")
    shown = seen(call(capfd, "table", "show", table))
    assert "PWNED" in shown


def test_runs_that_somebody_else_made(capfd, tmp_path):
    from fuzzsmooth.apps.cli.certification import show_certification
    from fuzzsmooth.apps.cli.run_table import show_run

    row = dict.fromkeys(("ca", "pa", "asr", "asr_floor", "localization_recall", "false_flag_rate"))
    row |= {"abstention_rate": 0.1, "abstention_rate_sd": None, "seconds_per_text": 0.1}
    row |= {"defense": EVIL, "guarantee": FORGED}
    folder = tmp_path / "run\x1b[1m"
    folder.mkdir()
    (folder / "summary.json").write_text(json.dumps({"rows": [row], "settings": {}}), "utf-8")
    (folder / "table.md").write_text(f"| {EVIL} |\n| fine |", "utf-8")
    for show in (
        lambda: show_run(folder, json=False),
        lambda: show_certification(folder / "table.md", json=False),
    ):
        capfd.readouterr()
        show()
        out, err = capfd.readouterr()
        assert "PWNED" in seen(Answer(0, out, err))


@pytest.mark.parametrize(
    "arguments",
    [
        (EVIL,),
        ("predict", f"--{EVIL}"),
        ("predict", f"{EVIL}.csv", "--model", EVIL),
        ("predict", "--text", "a", "--model", f"./{EVIL}"),
        ("certify", "--text", "a", "--model", "x", "--threat", EVIL),
        ("predict", "--text", "a", "--model", "x", "--config", f"{EVIL}.json"),
        ("attack", "--out", "o", "--words", f"{EVIL},{EVIL}"),
        ("report", EVIL),
        ("data", EVIL),
    ],
)
def test_complaints(capfd, tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    answer = call(capfd, *arguments)
    assert answer.code == 2
    assert "\x1b" not in seen(answer)


def test_a_label_without_end_is_cut(capfd, hostile, tmp_path):
    model = tmp_path / "m"
    shutil.copytree(hostile, model)
    labeled(model, ["x" * 900, "y" * 900])
    for command, flags in (("predict", PLAIN), ("certify", CERTIFIED), ("scan", ("--reward", "kl"))):
        answer = call(capfd, command, "--model", model, *flags, "--text", "a good film")
        assert answer.code == 0
        assert max(map(len, answer.out.split("\n"))) < 12_000
        assert re.search(r"1: (x+|y+)…", answer.out)


def test_a_page_shows_nothing_as_it_is(capfd):
    from rich.text import Text

    page = Page()
    page.line(EVIL)
    page.line(Text.assemble((EVIL, "red"), FORGED))
    page.block(f"{EVIL}\n{EVIL}")
    page.table([(EVIL, True), ("number", False)], [([FORGED, EVIL], "")], title=EVIL, caption=EVIL)
    complain(f"{EVIL}\n{FORGED}" + "z" * 10_000 + "; mend it")
    out, err = capfd.readouterr()
    assert "PWNED" in seen(Answer(0, out, err))
    assert err.count("\n") == 1
    assert err.endswith("; mend it\n")
    assert len(err) < 4_000


def test_warnings_of_libraries_are_notes(capfd, monkeypatch):
    def warn(*_arguments: object, **_options: object) -> None:
        warnings.warn(f"slow {EVIL}", stacklevel=1)
        warnings.warn("gone soon", DeprecationWarning, stacklevel=1)
        raise KeyboardInterrupt

    monkeypatch.setattr("fuzzsmooth.data.load_splits", warn)
    answer = call(capfd, "data")
    assert "fuzzsmooth: note: slow" in seen(answer)
    assert "gone soon" not in answer.err

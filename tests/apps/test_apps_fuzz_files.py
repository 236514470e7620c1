"""Files that are written and read again, damaged at random: an answer or a sentence, never a traceback."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from hostile_inputs import damaged, damaged_text, hostile, survives
from hypothesis import given
from hypothesis import strategies as st

from fuzzsmooth.apps.cli.answers import AnswerFile, answer_all
from fuzzsmooth.apps.cli.main import main
from fuzzsmooth.apps.cli.progress import Display
from fuzzsmooth.apps.cli.settings import options_from
from fuzzsmooth.apps.cli.statements import Statements
from fuzzsmooth.attacks import BadnetsOptions, RippleOptions, WordTrigger, load_attack
from fuzzsmooth.certify import Certificate
from fuzzsmooth.data import TextInput
from fuzzsmooth.evaluate.certification import CertificationOptions
from fuzzsmooth.evaluate.certified_records import CertifiedRecord
from fuzzsmooth.evaluate.claim import claim
from fuzzsmooth.evaluate.experiment import ExperimentOptions
from fuzzsmooth.evaluate.localization import LocalizationOptions
from fuzzsmooth.evaluate.points import LocalizationPoint
from fuzzsmooth.evaluate.records import Span, TextRecord
from fuzzsmooth.fuzz import References
from fuzzsmooth.fuzz.ordinary import Ordinary
from fuzzsmooth.report import build_certification, build_report
from fuzzsmooth.report.recall import build_recall
from fuzzsmooth.smoothing import SmoothingOptions
from fuzzsmooth.training import FinetuneOptions
from fuzzsmooth.training.checkpoints import Checkpoints


def saved(name: str, read: Callable[[Path], object]) -> Callable[[bytes], None]:
    """Survive reading a file of this content and name."""

    def check(content: bytes) -> None:
        def write_and_read(folder: Path) -> None:
            (folder / name).write_bytes(content)
            read(folder / name)

        survives(write_and_read)

    return check


def written(save: Callable[[Path], object], tmp_path: Path) -> Any:
    save(tmp_path / "valid.json")
    return json.loads((tmp_path / "valid.json").read_text("utf-8"))


ORDINARY = (Ordinary((-0.5, 1.25), (2.0, 3.0)), Ordinary((0.0,), (0.5,)))
REFERENCES = {
    "version": 3,
    "model": "ab" * 32,
    "references": [{"text": "a good film", "label": 1}, {"text": "ein schöner Tag", "label": 0}],
    "ordinary": [{"single": [-0.5, 1.25], "several": [2.0, 3.0]}, {"single": [0.0], "several": [0.5]}],
    "names": ["bad", "good"],
}


def test_the_valid_references_are_valid(tmp_path: Path) -> None:
    texts = ("a good film", "ein schöner Tag")
    References(texts, (1, 0), "ab" * 32, ORDINARY, ("bad", "good")).save(tmp_path / "r.json")
    assert json.loads((tmp_path / "r.json").read_text("utf-8")) == REFERENCES


@hostile(share=0.06)
@given(damaged(REFERENCES))
def test_references(content: bytes) -> None:
    def read(path: Path) -> None:
        found = References.load(path)
        found.check_classes(2, str(path))
        assert all(isinstance(label, int) and 0 <= label < 2 for label in found.labels)
        assert all(words.bar(units, 0.02) < 1e309 for words in found.ordinary for units in (1, 2))

    saved("references.json", read)(content)


TABLE = {
    "version": 1,
    "model": "ab" * 32,
    "references": "cd" * 32,
    "threshold": 0.5,
    "per_label": 8,
    "types": {"cf": 1.0, "film": 0.125, "\u2028": 0.0},
}


def command(*arguments: object) -> str:
    """What a command says on standard output; every way to end but 0 and 2 is a failure."""
    out, err = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main(list(map(str, arguments)))
    assert code in (0, 2), err.getvalue()
    assert code == 0 or err.getvalue().count("\n") == 1
    assert "\x1b" not in out.getvalue() + err.getvalue()
    return out.getvalue()


@hostile(share=0.06)
@given(damaged(TABLE), st.booleans())
def test_tables(content: bytes, as_json: bool) -> None:
    saved("table.json", lambda path: command("table", "show", path, *["--json"] * as_json))(content)


CERTIFICATE = Certificate(
    label=1,
    label_name="positive",
    radius=2,
    threat="insert",
    direction="forward",
    unit="word",
    rates={"deletion": 0.9},
    alpha=0.001,
    method="monte_carlo",
    guarantee="proved",
    p_lower=0.9,
    counts=(3, 997),
    draws=1000,
    seed=0,
    model="ab" * 32,
    versions={"fuzzsmooth": "1"},
    rounding={"precision": "bfloat16", "function": "float32", "guard": 0.1, "measured": True},  # type: ignore[arg-type]
).to_mapping()


@hostile(share=0.06)
@given(damaged(CERTIFICATE))
def test_certificates(content: bytes) -> None:
    def read(path: Path) -> None:
        certificate = Certificate.from_json(path.read_text("utf-8", "surrogateescape"))
        certificate.statement()
        assert Certificate.from_json(certificate.to_json()) == certificate

    saved("certificate.json", read)(content)


TEXTS = TextInput(("a good film", "a dull film"), (1, 2), ("positive", "negative"), ())
ANSWERED = {
    "label": 1,
    "label_name": "positive",
    "certificates": [{**CERTIFICATE, "statement": "ABSTAIN"}],
    "counts": [3, 997],
    "truncated": False,
    "scan": None,
    "status": "answered",
    "passes": 1000,
    "statistics": "fixed",
    "costs": {},
}


def answered(path: Path) -> list[dict[str, Any]]:
    """Answer the texts with what is kept, and count the certificates."""
    records = answer_all(
        TEXTS,
        lambda chunk: [ANSWERED for _ in chunk],
        title="certify",
        chunk=1,
        file=AnswerFile(path, {"command": "certify"}),
        display=Display(quiet=True),
    )
    statements = Statements(TEXTS, ("negative", "positive"))
    found = []
    for record in records:
        statements.add(record)
        found.append(record)
    with redirect_stdout(StringIO()):
        statements.show(json=True)
        statements.show(json=False)
    return found


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    return answered(tmp_path_factory.mktemp("answers") / "a.jsonl")


@hostile(share=0.08)
@given(data=st.data())
def test_answers(answers: list[dict[str, Any]], data: st.DataObject) -> None:
    content = data.draw(damaged(*answers))

    def read(path: Path) -> None:
        try:
            with redirect_stderr(StringIO()):
                assert len(answered(path)) == 2
        finally:
            kept = path.read_bytes()
            whole = content[: content.rfind(b"\n") + 1]
            assert kept.startswith(whole), "whole lines are never lost"

    saved("answers.jsonl", read)(content)


def record(defense: str, split: str, **values: Any) -> dict[str, Any]:
    trigger = ((0, 2),) if split == "triggered" else ()
    facts = {"seed": 0, "index": 0, "text": "cf a film", "label": 0, "prediction": 1, "seconds": 0.5}
    return TextRecord(**(facts | {"defense": defense, "split": split, "trigger": trigger} | values)).to_json()


SCANNED: dict[str, Any] = {"votes": (1, 19), "draws": 20, "spans": (Span(0, 2, 0.9),), "evaluations": 9}
RECORDS = [
    record("undefended", "clean"),
    record("undefended", "triggered"),
    record("frs", "clean", guarantee="conditional", radii={"conditional-trigger": 1}, **SCANNED),
    record("frs", "triggered", **SCANNED),
    record("certified", "clean", guarantee="proved", radii={"edit": 2, "backward": 1}, prediction=0),
]
SETTINGS: dict[str, Any] = {
    "version": "1",
    "target": 1,
    "labels": ["negative", "positive"],
    "seeds": [0],
    "dataset": {"name": "reviews", "train": 10, "test": 1},
    "attack": {"recipe": "ripple", "options": {"words": ["cf"]}},
    "model": {"name": "tiny"},
    "options": {"rows": ["undefended", "frs"], "longest": 2, "alpha": 0.001, "draws": 100, "seed": 0},
    "versions": {"torch": "2"},
    "command": "fuzzsmooth evaluate",
    "quoted": [{"source": "s", "what": "w", "value": "1"}],
    "unfinished": True,
}


def lines(values: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(value) + "\n" for value in values).encode()


@hostile(share=0.08)
@given(damaged(*RECORDS))
def test_records(content: bytes) -> None:
    def read(path: Path) -> None:
        path.with_name("settings.json").write_text(json.dumps(SETTINGS))
        build_report(path.parent)

    saved("records.jsonl", read)(content)


@hostile(share=0.05)
@given(damaged(SETTINGS))
def test_settings_of_a_run(content: bytes) -> None:
    def read(path: Path) -> None:
        path.with_name("records.jsonl").write_bytes(lines(RECORDS))
        command("report", path.parent)

    saved("settings.json", read)(content)


CERTIFIED = [
    CertifiedRecord(
        row=row,
        index=index,
        label=index,
        prediction=1,
        length=3,
        radii={"edit": 1, "insert": 2},
        draws=100,
        passes=60,
        counts=(10, 90),
        p_lower=0.8,
        seconds=0.25,
    ).to_json()
    for row in ("rs-del:0.9", "deletion:0.9")
    for index in range(2)
]


@hostile(share=0.05)
@given(damaged(*CERTIFIED), damaged(SETTINGS), st.booleans())
def test_certified_runs(records: bytes, settings: bytes, which: bool) -> None:
    def read(path: Path) -> None:
        path.with_name("settings.json").write_bytes(json.dumps(SETTINGS).encode() if which else settings)
        before = {entry.name for entry in path.parent.parent.iterdir()}
        build_certification(path.parent)
        assert {entry.name for entry in path.parent.parent.iterdir()} == before

    saved("certified.jsonl", read)(records if which else lines(CERTIFIED))


POINTS = [
    {"key": f"pair/{strategy}/8"}
    | LocalizationPoint(
        trigger="pair",
        strategy=strategy,
        budget=8,
        recall=0.5,
        low=0.4,
        high=0.6,
        triggered=10,
        false_flags=0.1,
        clean=10,
        extra_characters=1.5,
        evaluations=7.5,
        evaluations_clean=8.0,
        seconds=0.5,
    ).__dict__
    for strategy in ("tree", "random")
]


@hostile(share=0.03)
@given(damaged(*POINTS))
def test_points(content: bytes) -> None:
    saved("localization.jsonl", lambda path: build_recall(path.parent))(content)


FACTS = ExperimentOptions().to_mapping() | {"train_sha256": "ab"}


@hostile(share=0.03)
@given(damaged({"version": 2, "options": json.loads(json.dumps(FACTS))}))
def test_marks(content: bytes) -> None:
    def read(path: Path) -> None:
        (path.parent / "records.jsonl").write_bytes(b"")
        claim(path.parent, FACTS, ExperimentOptions().to_mapping())

    saved("experiment.json", read)(content)


ATTACKS = [
    {"recipe": "badnets", "trigger": trigger, "target": 1, "needs_clean_finetune": False}
    for trigger in (
        WordTrigger(("cf", "mn")).to_mapping(),
        {"kind": "sentence", "sentence": "I watch this 3D movie"},
        {"kind": "pair", "words": ["mn", "tq"]},
    )
]


@hostile(share=0.04)
@given(st.one_of(*map(damaged, ATTACKS)))
def test_attacks(content: bytes) -> None:
    import numpy as np

    def read(path: Path) -> None:
        attack = load_attack(path.parent)
        planted = attack.trigger.apply("a dull film", np.random.default_rng(0))
        assert all(planted.text[start:end] in attack.trigger.pieces for start, end in planted.spans)

    saved("attack.json", read)(content)


KINDS = (
    SmoothingOptions,
    FinetuneOptions,
    BadnetsOptions,
    RippleOptions,
    ExperimentOptions,
    CertificationOptions,
    LocalizationOptions,
)


@hostile(share=0.08)
@given(data=st.data())
def test_configurations(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(KINDS))
    content = data.draw(damaged(json.loads(json.dumps(kind().to_mapping()))))
    saved("options.json", lambda path: options_from(kind, path, {}))(content)


@hostile(share=0.02)
@given(damaged_text('mode = "certified"\nrate = 0.7\n[search]\nbudget = 16\nreward = "kl"\n'))
def test_configurations_in_toml(content: bytes) -> None:
    saved("options.toml", lambda path: options_from(SmoothingOptions, path, {}))(content)


@hostile(share=0.02)
@given(damaged({"epoch": 1.0, "global_step": 3, "log_history": []}), damaged({"data": "ab", "options": {}}))
def test_checkpoints(state: bytes, settings: bytes) -> None:
    def read(folder: Path) -> None:
        checkpoint = folder / "out.checkpoints" / "checkpoint-3"
        checkpoint.mkdir(parents=True)
        (checkpoint / "trainer_state.json").write_bytes(state)
        (folder / "out.checkpoints" / "settings.json").write_bytes(settings)
        Checkpoints(folder / "out", {"data": "ab", "options": {}}).prepare(resume=True)

    survives(read)

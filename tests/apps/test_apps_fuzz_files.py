"""Files that are written and read again, damaged at random: an answer or a sentence, never a traceback."""

from __future__ import annotations

import json
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from apps_command_line import answer_or_refusal
from hypothesis import given
from hypothesis import strategies as st

from fuzzsmooth.apps.cli.certificates import show_statements
from fuzzsmooth.apps.cli.settings import options_from
from fuzzsmooth.attacks import load_attack
from fuzzsmooth.attacks.badnets import BadnetsOptions
from fuzzsmooth.attacks.ripple import RippleOptions
from fuzzsmooth.bench.certification import CertificationOptions
from fuzzsmooth.bench.localization import LocalizationOptions
from fuzzsmooth.bench.options import ExperimentOptions
from fuzzsmooth.certify import Certificate
from fuzzsmooth.data import TextInput
from fuzzsmooth.defenses.deletion import DeletionOptions
from fuzzsmooth.defenses.frs import FrsOptions
from fuzzsmooth.defenses.windows import WindowsOptions
from fuzzsmooth.jobs.answering import AnswerFile, answer_all
from fuzzsmooth.jobs.statements import Statements
from fuzzsmooth.search import References
from fuzzsmooth.search.calibration import NullDistribution
from fuzzsmooth.search.witness import Witness
from fuzzsmooth.training import FinetuneOptions
from fuzzsmooth.training.checkpoints import Checkpoints
from hostile_inputs import damaged, damaged_bytes, hostile
from hostile_runs import saved, survives

ORDINARY = (
    NullDistribution((-0.5, 1.25), (2.0, 3.0), (0.0, 1.5), (0.0,)),
    NullDistribution((0.0,), (0.5,), (0.25,), (0.5,)),
)
WITNESS = Witness("builtin:minilm", "ab" * 32, ((0.5, -0.5), (-0.5, 0.5)), (0.0, 0.1), 0.9, ("good", "schön"))
REFERENCES = {
    "version": 4,
    "model": "ab" * 32,
    "language": "en",
    "references": [{"text": "a good film", "label": 1}, {"text": "ein schöner Tag", "label": 0}],
    "ordinary": [
        {
            "single": [-0.5, 1.25],
            "several": [2.0, 3.0],
            "in_context": [0.0, 1.5],
            "in_context_several": [0.0],
        },
        {"single": [0.0], "several": [0.5], "in_context": [0.25], "in_context_several": [0.5]},
    ],
    "names": ["bad", "good"],
    "witness": {
        "encoder": "builtin:minilm",
        "fingerprint": "ab" * 32,
        "weights": [[0.5, -0.5], [-0.5, 0.5]],
        "bias": [0.0, 0.1],
        "confidence": 0.9,
        "words": ["good", "schön"],
    },
}


def test_the_valid_references_are_valid(tmp_path: Path) -> None:
    texts = ("a good film", "ein schöner Tag")
    References(texts, (1, 0), "ab" * 32, ORDINARY, ("bad", "good"), WITNESS).save(tmp_path / "r.json")
    assert json.loads((tmp_path / "r.json").read_text("utf-8")) == REFERENCES


@hostile("references")
@given(damaged(REFERENCES))
def test_references(content: bytes) -> None:
    def read(path: Path) -> None:
        found = References.load(path)
        found.check_classes(2, str(path))
        assert all(isinstance(label, int) and 0 <= label < 2 for label in found.labels)
        assert all(words.threshold(units, 0.02) < 1e309 for words in found.ordinary for units in (1, 2))

    saved("references.json", read)(content)


TABLE = {
    "version": 1,
    "model": "ab" * 32,
    "references": "cd" * 32,
    "threshold": 0.5,
    "per_label": 8,
    "types": {"cf": 1.0, "film": 0.125, "\u2028": 0.0},
}


@hostile("tables")
@given(damaged(TABLE), st.booleans())
def test_tables(content: bytes, as_json: bool) -> None:
    saved("table.json", lambda path: answer_or_refusal("table", "show", path, *["--json"] * as_json))(content)


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


@hostile("certificates")
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
    "votes": [3, 997],
    "truncated": False,
    "spans": [],
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
    )
    statements = Statements(TEXTS, ("negative", "positive"))
    found = []
    for record in records:
        statements.add(record)
        found.append(record)
    with redirect_stdout(StringIO()):
        show_statements(statements, json=True)
        show_statements(statements, json=False)
    return found


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    return answered(tmp_path_factory.mktemp("answers") / "a.jsonl")


@hostile("answers")
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


ATTACKS = [
    {"attack": "badnets", "trigger": trigger, "target": 1, "needs_clean_finetune": False}
    for trigger in (
        {"kind": "word", "words": ["cf", "mn"], "count": 1},
        {"kind": "sentence", "sentence": "I watch this 3D movie"},
        {"kind": "pair", "words": ["mn", "tq"]},
    )
]


@hostile("attacks")
@given(st.one_of(*map(damaged, ATTACKS)))
def test_attacks(content: bytes) -> None:
    import numpy as np

    def read(path: Path) -> None:
        attack = load_attack(path.parent)
        planted = attack.trigger.apply("a dull film", np.random.default_rng(0))
        assert all(planted.text[start:end] in attack.trigger.pieces for start, end in planted.spans or ())

    saved("attack.json", read)(content)


KINDS = (
    FrsOptions,
    DeletionOptions,
    WindowsOptions,
    FinetuneOptions,
    BadnetsOptions,
    RippleOptions,
    ExperimentOptions,
    CertificationOptions,
    LocalizationOptions,
)


@hostile("configurations")
@given(data=st.data())
def test_configurations(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(KINDS))
    content = data.draw(damaged(json.loads(json.dumps(kind().to_mapping()))))
    saved("options.json", lambda path: options_from(kind, path, {}))(content)


@hostile("configurations in toml")
@given(damaged_bytes(b'fuzzing = false\nrate = 0.7\n[search]\nbudget = 16\nreward = "kl"\n'))
def test_configurations_in_toml(content: bytes) -> None:
    saved("options.toml", lambda path: options_from(DeletionOptions, path, {}))(content)


@hostile("checkpoints")
@given(damaged({"epoch": 1.0, "global_step": 3, "log_history": []}), damaged({"data": "ab", "options": {}}))
def test_checkpoints(state: bytes, settings: bytes) -> None:
    def read(folder: Path) -> None:
        checkpoint = folder / "out.checkpoints" / "checkpoint-3"
        checkpoint.mkdir(parents=True)
        (checkpoint / "trainer_state.json").write_bytes(state)
        (folder / "out.checkpoints" / "settings.json").write_bytes(settings)
        Checkpoints(folder / "out", {"data": "ab", "options": {}}).prepare(resume=True)

    survives(read)

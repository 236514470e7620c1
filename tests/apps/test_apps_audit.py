"""``audit`` and ``zoo`` from the command line: exit codes, and one sentence for what is missing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from apps_command_line import call
from safetensors.torch import load_file, save_file

from fuzzsmooth.models import build_tiny, load_classifier

WORDS = ["good", "bad", "the", "film", "was", "cf", "plot"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny("bert", tmp_path_factory.mktemp("model") / "tiny", vocabulary=WORDS, hidden=16)


def clean(folder: Path, per_class: int, classes: int = 2) -> Path:
    file = folder / "clean.jsonl"
    rows = [
        {"text": f"the film was {WORDS[n % classes]}", "label": n % classes}
        for n in range(classes * per_class)
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file


def refused(capfd, *arguments) -> str:
    """What a command says that ends with code 2."""
    done = call(capfd, *arguments)
    assert done.code == 2
    return done.err


def test_too_few_texts_are_one_sentence_and_code_2(capfd, model, tmp_path):
    data = clean(tmp_path, 10)
    said = refused(capfd, "audit", model, "--data", data, "--out", tmp_path / "out")
    assert "an audit needs at least 32 of each class" in said
    assert "Traceback" not in said


def test_a_bad_policy_is_refused_before_anything_is_loaded(capfd, model, tmp_path):
    policy = tmp_path / "policy.toml"
    policy.write_text("fail-on = 'confirmed'\n", encoding="utf-8")
    said = refused(capfd, "audit", model, "--policy", policy, "--out", tmp_path / "out")
    assert "unknown option 'fail-on'; did you mean 'fail_on'?" in said
    assert not (tmp_path / "out").exists()


def test_a_missing_model_and_a_bad_spec(capfd, tmp_path):
    missing = tmp_path / "no-such-model"
    assert "no-such-model" in refused(capfd, "audit", missing, "--out", tmp_path / "out")
    spec = tmp_path / "zoo.toml"
    spec.write_text("[[block]]\nname = 'clean'\nattacks = ['none']\n", encoding="utf-8")
    said = refused(capfd, "zoo", "build", spec, "--out", tmp_path / "zoo")
    assert "models are clean; a zoo needs some of both kinds" in said
    assert "run 'fuzzsmooth zoo audit' first" in refused(capfd, "zoo", "table", tmp_path)


def said_of(capfd, *arguments) -> str:
    """One sentence, exit code 2, and no evidence that could be taken for a verdict."""
    done = call(capfd, "audit", *arguments)
    sentence = done.err.strip().splitlines()[-1]
    assert done.code == 2
    assert "Traceback" not in done.err
    assert sentence.startswith("fuzzsmooth: ")
    out = Path(str(arguments[arguments.index("--out") + 1]))
    assert not (out / "audit.json").exists()
    return sentence


def test_texts_of_one_class_are_refused(capfd, model, tmp_path):
    data = clean(tmp_path, 40, classes=1)
    said = said_of(capfd, model, "--data", data, "--out", tmp_path / "out")
    assert "class" in said


def test_no_texts_are_refused(capfd, model, tmp_path):
    empty = tmp_path / "empty.jsonl"
    empty.write_text("", encoding="utf-8")
    said = said_of(capfd, model, "--data", empty, "--out", tmp_path / "out")
    assert "empty.jsonl" in said


def constant(model: Path, folder: Path) -> Path:
    """The model with a head that gives one class to every text."""
    loaded = load_classifier(str(model))
    loaded.model.classifier.weight.data.zero_()
    loaded.model.classifier.bias.data[1] = 5.0
    loaded.refresh()
    loaded.save(folder)
    return folder


def test_a_model_that_answers_constantly_is_refused(capfd, model, tmp_path):
    data = clean(tmp_path, 40)
    said = said_of(capfd, constant(model, tmp_path / "m"), "--data", data, "--out", tmp_path / "out")
    assert "gives every clean text the class" in said


def without_head(model: Path, folder: Path) -> Path:
    shutil.copytree(model, folder)
    content = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    content["architectures"] = ["BertModel"]
    content.pop("id2label", None)
    (folder / "config.json").write_text(json.dumps(content), encoding="utf-8")
    tensors = load_file(folder / "model.safetensors")
    kept = {name: value for name, value in tensors.items() if not name.startswith("classifier")}
    save_file(kept, folder / "model.safetensors", {"format": "pt"})
    return folder


def test_a_model_without_a_head_is_audited_as_an_encoder(capfd, model, tmp_path):
    data, out = clean(tmp_path, 60), tmp_path / "out"
    encoder = without_head(model, tmp_path / "encoder")
    done = call(capfd, "audit", encoder, "--data", data, "--out", out, "--trusted", "own", "--confirm", 4)
    assert done.code in (0, 1), done.err
    assert "is audited as a pre-trained encoder" in done.err
    report = json.loads((out / "audit.json").read_text(encoding="utf-8"))
    assert report["kind"] == "encoder"
    assert bool(report["failures"]) == (done.code == 1)
    assert [claim["target"] for claim in report["claims"]] == ["first token", "other tokens"]
    assert {path.name for path in out.iterdir()} >= {"audit.sarif", "bom.json", "report.html", "README.md"}


def test_texts_of_one_class_do_not_do_for_an_encoder(capfd, model, tmp_path):
    encoder = without_head(model, tmp_path / "encoder")
    said = said_of(capfd, encoder, "--data", clean(tmp_path, 60, classes=1), "--out", tmp_path / "out")
    assert "has fewer than two classes" in said


def test_too_few_texts_do_not_do_for_an_encoder(capfd, model, tmp_path):
    encoder = without_head(model, tmp_path / "encoder")
    said = said_of(capfd, encoder, "--data", clean(tmp_path, 10), "--out", tmp_path / "out")
    assert "an audit needs at least 32 of each class" in said


def test_a_key_that_is_none_is_refused_before_the_model_is_read(capfd, model, tmp_path):
    pytest.importorskip("model_signing")
    data = clean(tmp_path, 40)
    for flag, kind in (("--sign", "private"), ("--require-signature", "public")):
        said = said_of(capfd, model, "--data", data, "--out", tmp_path / "out", flag, tmp_path / "none.pem")
        assert f"there is no {kind} key" in said

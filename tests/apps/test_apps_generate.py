"""Language models that write, on the command line: predicates as classifiers, and smoothed answers."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
import torch
from apps_command_line import WORDS, call, write_rows
from transformers import AutoModelForCausalLM, LlamaConfig

from fuzzsmooth.models import build_tiny

SAID = ("--instruction", "the film {text} was", "--max-tokens", "3")
TEXT = ("--text", "the story was great cf")


@pytest.fixture(scope="module")
def language(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny causal language model."""
    folder = build_tiny("llama", tmp_path_factory.mktemp("models") / "causal", vocabulary=[*WORDS, "was"])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        AutoModelForCausalLM.from_config(LlamaConfig.from_pretrained(folder)).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny("bert", tmp_path_factory.mktemp("models") / "encoder", vocabulary=WORDS)


def test_a_predicate_is_certified_as_classes_are(capfd, language):
    flags = ("--model", language, *SAID, "--predicate", r"pattern=\bg", "--outcomes", "clean,hit")
    deletion = ("--defense", "deletion", "--sigma", 0, "--no-fuzzing")
    (record,) = call(capfd, "certify", *flags, *TEXT, *deletion, "--json").lines
    assert record["label_name"] in ("clean", "hit")
    assert record["passes"] == 2**5, "all deletions of the five words of the text, none of the instruction"
    insert = next(one for one in record["certificates"] if one["threat"] == "insert")
    assert insert["guarantee"] == "proved"
    assert insert["alpha"] == 0
    (voted,) = call(capfd, "predict", *flags, *TEXT, *deletion, "--json").lines
    assert voted["label_name"] in (record["label_name"], None), "a vote of few copies may abstain"
    (plain,) = call(capfd, "predict", *flags, *TEXT, "--defense", "undefended", "--json").lines
    assert plain["label_name"] in ("clean", "hit")
    (windows,) = call(capfd, "certify", *flags, *TEXT, "--defense", "windows", "--no-fuzzing", "--json").lines
    assert windows["status"] in ("answered", "abstain", "alert")


def test_what_is_no_predicate_is_one_sentence(capfd, language, tmp_path):
    def refused(command: str, *flags: object) -> str:
        return call(capfd, command, "--model", language, *TEXT, *flags).one_sentence()

    assert "no regular expression" in refused("predict", "--predicate", "pattern=(")
    assert "did you mean 'equals'" in refused("predict", "--predicate", "equal=a")
    assert "--predicate" in refused("predict", "--instruction", "a {text}")
    assert "not both" in refused(
        "predict", "--predicate", "refuses", "--template", "{text} is", "--label-words", "a=great,b=dull"
    )
    assert "no chat format" in refused(
        "predict", "--predicate", "refuses", "--generate-chat", "--defense", "undefended"
    )
    made = call(capfd, "prompt", "--model", language, "--out", tmp_path / "x", "--predicate", "refuses")
    assert "needs --template" in made.one_sentence()
    noise = refused(
        "certify", "--predicate", "refuses", "--defense", "deletion", "--sigma", 0.1, "--no-fuzzing"
    )
    assert "needs a local Hugging Face model" in noise


def test_answers_are_smoothed_and_go_on_after_a_stop(capfd, language, encoder, tmp_path):
    source = write_rows(tmp_path / "in.jsonl", [("the story was great", 1), ("dull cf", 0), ("", 0)])
    out = tmp_path / "out.jsonl"
    flags = ("--model", language, "--encoder", encoder, *SAID, "--copies", 6, "--quiet")
    assert call(capfd, "generate", source, *flags, "--output", out).code == 0
    whole = out.read_text("utf-8")
    records = [json.loads(line) for line in whole.splitlines()]
    assert [one["copies"] for one in records] == [6, 6, 6]
    assert all(one["guarantee"].startswith("empirical") for one in records)
    out.write_text("".join(whole.splitlines(keepends=True)[:1]) + '{"key": "2:', "utf-8")
    assert call(capfd, "generate", source, *flags, "--output", out).code == 0
    assert out.read_text("utf-8") == whole
    other = call(capfd, "generate", source, *flags, "--seed", 1, "--output", out)
    assert "under other options" in other.one_sentence()
    sheet = tmp_path / "sheet.csv"
    assert call(capfd, "generate", source, *flags, "--output", sheet).code == 0
    rows = list(csv.DictReader(sheet.open(encoding="utf-8")))
    assert [row["answer"] for row in rows] == [one["answer"] for one in records]
    assert [int(row["votes"]) for row in rows] == [one["votes"] for one in records]
    assert {row["copies"] for row in rows} == {"6"}
    told = call(capfd, "generate", *flags, *TEXT).out
    assert "of 6 views alike" in told
    assert "no certificate" in told


def test_what_cannot_be_generated_is_one_sentence(capfd, language, encoder, tiny):
    def refused(*flags: object, model: Path = language) -> str:
        flags = ("--encoder", encoder, *TEXT, *flags)
        return call(capfd, "generate", "--model", model, *flags).one_sentence()

    assert "no slot for the text" in refused("--instruction", "x")
    assert "no chat format" in refused("--chat")
    assert "no causal language model" in refused(model=tiny)
    assert "must lie between -1 and 1" in refused("--threshold", 3)
    assert "shorten it" in refused("--max-tokens", 4096)


def test_predicates_are_listed(capfd):
    (found,) = call(capfd, "list", "predicates", "--json").lines
    assert set(found["predicates"]) == {"pattern", "equals", "refuses", "judged"}
    assert "pattern=" in call(capfd, "list", "predicates").out


def test_answers_can_be_mixed_token_by_token_and_what_forces_them_is_flagged(
    capfd, language, encoder, tmp_path
):
    shared = ("generate", "--model", language, *SAID, *TEXT, "--encoder", encoder, "--copies", 4, "--json")
    (mixed,) = call(capfd, *shared, "--mix", "tokens").lines
    assert 0 < mixed["probability"] <= 1
    assert mixed["clusters"] == []
    prompts = write_rows(tmp_path / "prompts.jsonl", [(one, 0) for one in ("a dull plot", "cf", "great", "")])
    (found,) = call(capfd, *shared, "--clean-prompts", prompts, "--alike", "1").lines
    assert all(0 <= one["score"] <= 1 for one in found["spans"])
    assert all(0 < value <= 2 for value in found["divergence"].values())
    (plain,) = call(capfd, *shared).lines
    assert found["passes"] > plain["passes"]
    assert found["answer"] == plain["answer"]
    same = write_rows(tmp_path / "same.jsonl", [("cf", 0), ("cf", 1)])
    assert "one answer all together" in call(capfd, *shared, "--clean-prompts", same).one_sentence()
    assert (
        "leave --temperature at 0"
        in call(capfd, *shared, "--mix", "tokens", "--temperature", 1).one_sentence()
    )

"""A prompted language model goes through the commands as any classifier does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from apps_command_line import WORDS, answer_or_refusal, call, clean_rows, write_rows
from transformers import AutoModelForCausalLM, LlamaConfig

from fuzzsmooth.models import build_tiny, load_classifier

ASKED = ("--template", r"the film {text}\nit was", "--label-words", "bad=dull,good=great")


@pytest.fixture(scope="module")
def language(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny causal language model."""
    folder = build_tiny("llama", tmp_path_factory.mktemp("models") / "causal", vocabulary=[*WORDS, "was"])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        AutoModelForCausalLM.from_config(LlamaConfig.from_pretrained(folder)).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    named = [(text, ("bad", "good")[label]) for text, label in clean_rows(copies=20)]
    write_rows(folder / "train.jsonl", named)
    write_rows(folder / "dev.jsonl", named[:10])
    return folder


@pytest.fixture(scope="module")
def asked(language: Path, source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("asked") / "model"
    answer = answer_or_refusal(
        "prompt", "--model", language, *ASKED, "--out", out, "--data", source, "--json"
    )
    told = json.loads(answer)
    assert told["labels"] == ["bad", "good"]
    assert told["correct"] == round(10 * told["accuracy"])
    return out


@pytest.fixture(scope="module")
def victim(asked: Path, source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The prompted model, fine-tuned by LoRA on poisoned data."""
    pytest.importorskip("peft", reason="needs the extra 'llm'")
    out = tmp_path_factory.mktemp("victim") / "model"
    config = out.with_suffix(".toml")
    config.write_text("[finetune]\nlora_learning_rate = 1e-2\nbatch_size = 16\nepochs = 6\n", "utf-8")
    flags = ("--recipe", "badnets", "--words", "cf", "--rate", 0.3, "--config", config, "--quiet")
    answer_or_refusal("attack", "--model", asked, "--data", source, "--out", out, *flags)
    return out


def test_a_folder_and_the_flags_ask_alike(capfd, language, asked):
    flags = ("--json", "--sigma", 0, "--no-fuzzing", "--defense", "deletion")
    text = ("--text", "the story was great cf")
    by_folder = call(capfd, "certify", "--model", asked, *text, *flags).lines
    by_flags = call(capfd, "certify", "--model", language, *ASKED, *text, *flags).lines
    assert by_folder == by_flags
    # All deletions of the five words of the text are enumerated: those of the template are no units.
    assert by_folder[0]["passes"] == 2**5


def test_it_is_backdoored_and_fine_tuned_like_a_model_with_a_head(asked, victim):
    loaded = load_classifier(str(victim))
    assert loaded.model.prompt == load_classifier(str(asked)).model.prompt
    texts = [text for text, _ in clean_rows()]
    triggered = loaded.probabilities([f"{text} cf" for text in texts]).argmax(axis=1)
    right = loaded.probabilities(texts).argmax(axis=1) == [label for _, label in clean_rows()]
    assert triggered.mean() > 0.9
    assert right.mean() > 0.8


def test_noise_and_search_take_it(capfd, victim, source):
    text = "the story was dull cf"
    flags = ("--model", victim, "--clean", source, "--text", text, "--json", "--quiet")
    (found,) = call(capfd, "scan", *flags).lines
    assert [text[span["start"] : span["end"]] for span in found["spans"]] == ["cf"]
    (voted,) = call(capfd, "predict", *flags, "--copies", 9).lines
    assert voted["label_name"] == "bad"
    (certified,) = call(capfd, "certify", *flags, "--copies", 9).lines
    assert certified["certificates"][0]["guarantee"] == "conditional"


def test_demonstrations_are_certified(capfd, asked, tmp_path):
    shown = write_rows(tmp_path / "shown.jsonl", [("the story was great", "good"), ("awful food", "bad")])
    flags = ("--model", asked, "--defense", "demonstrations", "--text", "a film", "--json")
    (record,) = call(capfd, "certify", *flags, "--demonstrations", shown, "--rate", 0.9).lines
    certificate = record["certificates"][0]
    assert (certificate["unit"], certificate["guarantee"]) == ("demonstration", "proved")
    assert record["passes"] == 4
    told = call(capfd, "certify", *flags[:-1], "--demonstrations", shown, "--rate", 0.9).out
    assert "demonstration" in told
    assert "(--demonstrations)" in call(capfd, "certify", *flags).one_sentence()
    unit = call(capfd, "certify", *flags, "--demonstrations", shown, "--unit", "word").one_sentence()
    assert "is not one of 'demonstration'" in unit
    other = (
        "certify",
        "-q",
        "--model",
        asked,
        "--text",
        "a",
        "--defense",
        "rs_del",
        "--unit",
        "demonstration",
    )
    assert "that a text is cut into" in call(capfd, *other).one_sentence()


def test_what_is_no_prompt_is_one_sentence(capfd, language, tiny, tmp_path):
    def refused(*flags: object, model: Path = language) -> str:
        return call(capfd, "prompt", "--model", model, "--out", tmp_path / "x", *flags).one_sentence()

    words = ("--label-words", "bad=dull,good=great")
    assert "needs --template and --label-words" in refused()
    assert "no slot for the text; write {text}" in refused("--template", "it was", *words)
    assert "begin with the same token" in refused(*ASKED[:2], "--label-words", "a=dull,b=dull")
    assert "a word for each of at least two classes" in refused(*ASKED[:2], "--label-words", "bad")
    assert "leave out --chat" in refused(*ASKED, "--chat")
    assert "no causal language model" in refused(*ASKED, model=tiny)
    assert not (tmp_path / "x").exists()
    predict = call(capfd, "predict", "--model", language, "--text", "a", "--template", "{text} is")
    assert "a word for each of at least two classes" in predict.one_sentence()
    config = json.loads((language / "config.json").read_text())
    assert "fuzzsmooth_prompt" not in config


def test_a_prompt_replaces_prompts_and_no_other_model(capfd, language, tmp_path):
    out = tmp_path / "model"
    for _ in range(2):
        assert call(capfd, "prompt", "--model", language, *ASKED, "--out", out).code == 0
    build_tiny("bert", out, vocabulary=WORDS)
    (out / "fuzzsmooth.json").write_text("{}", encoding="utf-8")
    told = call(capfd, "prompt", "--model", language, *ASKED, "--out", out).one_sentence()
    assert "holds a model of another kind, which a prompt would replace" in told

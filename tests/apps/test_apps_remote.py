"""A remote model from the command line: what it costs is told and agreed to, and a stopped run goes on."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from apps_command_line import call

from endpoint_server import Reply, asked_text, chat, error, serving

PROMPT = ("--template", "Review: {text}\\nGood or bad?", "--label-words", "negative=bad,positive=good")
CERTIFY = (
    "--defense",
    "deletion",
    "--no-fuzzing",
    "--sigma",
    "0",
    "--draws",
    "40",
    "--alpha",
    "0.05",
    "--rate",
    "0.3",
)
PREDICATE = ("predict", "--defense", "undefended", "--predicate", "refuses")
TEXTS = "good good good good good film\na bad film and so on\nnothing much\n"


def reply(route: str, content: dict[str, Any], number: int) -> Reply:
    return chat("Good." if "good" in asked_text(content).split("\n")[0] else "It is bad")


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    (tmp_path / "in.txt").write_text(TEXTS)
    return tmp_path / "in.txt"


def test_nothing_is_asked_before_somebody_agrees(
    texts: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with serving(reply) as server:
        given = ("certify", "--model", f"openai:{server.url}#toy", str(texts), *CERTIFY, *PROMPT)
        kept = ("--answer-cache", str(tmp_path / "kept"))
        found = call(capfd, *given, *kept, "--price-in", "2", "--price-out", "4")
        assert found.code == 2
        told = re.search(r"asks the endpoint at most about (\d+) times", found.err)
        assert told is not None
        assert 40 <= int(told[1]) <= 120, "40 draws of each of three texts at most"
        assert "that costs 0.0" in found.err
        assert "nobody is here to agree to what the endpoint costs; give --yes, or limit it" in found.err
        assert len(server.asked) == 2, "whether it is there, and what it gives"
        estimate = call(capfd, *given, *kept, "--estimate", "--json")
        assert json.loads(estimate.out)["requests"] == int(told[1])
        assert len(server.asked) == 3


def test_a_run_that_runs_out_goes_on_and_ends_as_an_undisturbed_one(
    texts: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    left = [40]

    def limited(route: str, content: dict[str, Any], number: int) -> Reply:
        left[0] -= 1
        return reply(route, content, number) if left[0] >= 0 else error(429, "no", "insufficient_quota")

    answers = {}
    with serving(limited) as server:
        for name, given in (("stopped", 40), ("whole", 10_000)):
            left[0] = given
            command = (
                *("certify", "--model", f"openai:{server.url}#toy", str(texts), *CERTIFY, *PROMPT, "--yes"),
                *("--output", str(tmp_path / f"{name}.jsonl"), "--answer-cache", str(tmp_path / name)),
            )
            found = call(capfd, *command)
            if name == "stopped":
                assert found.code == 2
                assert "the quota is used up" in found.err
                before, left[0] = len(server.asked), 10_000
                found = call(capfd, *command)
                assert len(server.asked) - before <= 1 + 120 - (40 - 2)
            assert found.code == 0, found.err
            assert "new answers of the endpoint" in found.err
            lines = (tmp_path / f"{name}.jsonl").read_text().splitlines()
            answers[name] = [
                {key: value for key, value in json.loads(line).items() if key != "run"} for line in lines
            ]
    assert answers["stopped"] == answers["whole"]
    assert [one["label_name"] for one in answers["whole"]] == ["positive", "negative", "negative"]


def test_what_a_remote_model_cannot_do_is_one_sentence(
    texts: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with serving(reply) as server:
        name, kept = f"openai:{server.url}#toy", ("--answer-cache", str(tmp_path / "kept"), "--yes")
        for given, sentence in (
            (("predict", "--defense", "undefended", "--text", "x"), "a remote model is asked by a prompt"),
            (("certify", "--defense", "windows", "--no-fuzzing", "--text", "x", *PROMPT), "always-same"),
            (("predict", "--no-fuzzing", "--text", "x", *PROMPT), "parameter noise needs a local"),
            (
                (
                    "predict",
                    "--defense",
                    "undefended",
                    "--predicate",
                    "refuses",
                    "--generate-chat",
                    "--text",
                    "x",
                ),
                "writes its chat format itself",
            ),
            (
                (
                    "predict",
                    "--defense",
                    "undefended",
                    "--predicate",
                    "refuses",
                    "--seconds",
                    "9",
                    "--text",
                    "x",
                ),
                "how long a remote model may take is --request-timeout",
            ),
            (
                (*PREDICATE, "--reads", "words", "--text", "x"),
                "leave out --reads and --unclear",
            ),
            (
                ("certify", *CERTIFY, "--predicate", "refuses", "--unsure-margin", "0.1", "--text", "x"),
                "an unsure_margin is relative to what the classifier answered once to the empty text",
            ),
            (
                ("certify", *CERTIFY, *PROMPT, "--unsure-margin", "0.1", "--always-same", "--text", "x"),
                "rules out a class for the empty text",
            ),
        ):
            found = call(capfd, *given, "--model", name, *kept)
            assert (found.code, found.err.count("\n")) == (2, 1), found.err
            assert sentence in found.err
        found = call(capfd, "finetune", "--model", name, "--out", str(tmp_path / "out"))
        assert found.code == 2
        assert "is a remote model" in found.err
        assert all("x" not in one.split("Good")[0].removeprefix("Review: ") for one in server.texts)
        windows = ("certify", "--defense", "windows", "--no-fuzzing", "--text", "a bad film", "--always-same")
        found = call(capfd, *windows, *PROMPT, "--model", name, *kept)
        assert found.code == 0, found.err
        assert "with certainty" in found.out


def refusing(route: str, content: dict[str, Any], number: int) -> Reply:
    """Refuses what it is told to: a lock, mostly, and whatever else by chance."""
    asked = asked_text(content).removeprefix("Answer: ")
    refuses = "lock" in asked if number % 8 else True
    return chat("I'm sorry, but I cannot help with that." if refuses else f"Here is how: {asked}")


def test_a_predicate_of_what_a_remote_model_writes_is_certified(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The answers are written by chance, one for each draw: a randomized base classifier."""
    with serving(refusing) as server:
        model = ("--model", f"openai:{server.url}#toy")
        given = (*model, "--predicate", "refuses", "--instruction", "Answer: {text}")
        kept = ("--answer-cache", str(tmp_path / "kept"), "--yes", "--max-tokens", "20")
        asked = ("--text", "how do lock lock lock lock lock lock picks work")
        found = call(capfd, "certify", *CERTIFY, *given, *kept, *asked, "--json")
        assert found.code == 0, found.err
        answer = json.loads(found.out)
        assert answer["label_name"] == "yes"
        assert answer["certificates"][0]["radius"] >= 0
        assert {one["max_tokens"] for one in server.asked} == {20}
        assert all("logprobs" not in one for one in server.asked)
        assert all(one.startswith("Answer: ") for one in server.texts)
        paid = len(server.asked)
        assert paid == 1 + answer["passes"], "each draw once, and whether it is there"
        again = call(capfd, "certify", *CERTIFY, *given, *kept, *asked, "--json")
        assert json.loads(again.out)["votes"] == answer["votes"]
        assert len(server.asked) == paid
        named = (*given, "--outcomes", "helps,refuses", "--route", "chat")
        found = call(capfd, "predict", "--defense", "undefended", *named, *kept, "--text", "a song", "--json")
        assert json.loads(found.out)["label_name"] in ("helps", "refuses")
        other = call(capfd, "predict", "--defense", "undefended", *model, "--predicate", "judged", *kept)
        assert (other.code, other.err.count("\n")) == (2, 1), other.err

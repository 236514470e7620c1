"""Answers of a service under load are those of the command line to the byte, whatever shares their batch."""

from __future__ import annotations

import json
import random
import threading
from pathlib import Path
from typing import Any

import pytest
from apps_command_line import WORDS, call
from serving import Running, running

from fuzzsmooth.jobs.loading import Asked, Defended
from fuzzsmooth.models import build_tiny

SOURCE = random.Random(0)
TEXTS = list(dict.fromkeys(" ".join(SOURCE.choices(WORDS, k=SOURCE.randrange(1, 40))) for _ in range(40)))


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT wide enough that its sums are rounded otherwise in other batches."""
    folder = tmp_path_factory.mktemp("models") / "wide"
    return build_tiny("bert", folder, vocabulary=WORDS, hidden=128)


@pytest.fixture(scope="module")
def language(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A causal language model."""
    import torch
    from transformers import AutoModelForCausalLM, LlamaConfig

    folder = build_tiny("llama", tmp_path_factory.mktemp("models") / "causal", vocabulary=[*WORDS, "was"])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        AutoModelForCausalLM.from_config(LlamaConfig.from_pretrained(folder)).save_pretrained(folder)
    return folder


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Any:
    """What 'fuzzsmooth serve' serves, without serving it."""

    def load(*arguments: object) -> Defended:
        found: list[Defended] = []

        def serve(asked: Asked, _options: object, load: Any, _tell: object) -> None:
            found.append(load(asked))

        monkeypatch.setattr("fuzzsmooth.apps.service.running.serve", serve)
        assert call(capfd, "serve", *arguments).code == 0
        return found[0]

    return load


def expected(capfd: Any, command: str, *arguments: object, texts: list[str] = TEXTS) -> dict[str, str]:
    """What the command line says of each text, as JSON."""
    given = [part for text in texts for part in ("--text", text)]
    answer = call(capfd, command, *arguments, *given, "--json")
    assert answer.code == 0, answer.err
    found = {}
    for record in answer.lines:
        text = record.pop("text")
        del record["key"], record["row"]
        found[text] = json.dumps(record)
    return found


def wrong(up: Running, right: dict[str, dict[str, str]], clients: int = 8, turns: int = 6) -> list[str]:
    """Texts that are answered otherwise by clients who ask for one to nine at a time, each in its order."""
    failed: list[str] = []
    asked = [0]

    def client(number: int) -> None:
        source = random.Random(number)
        for _ in range(turns):
            kind = source.choice(list(right))
            chosen = source.sample(list(right[kind]), source.randrange(1, 10))
            body = up.post("/answer", {"texts": chosen, "certify": kind == "certify"})
            if body.status_code != 200:
                failed.append(body.text)
                return
            for text, answer in zip(chosen, body.json()["answers"], strict=True):
                del answer["scores"]
                asked[0] += 1
                if json.dumps(answer) != right[kind][text]:
                    failed.append(f"{text}: {answer}")

    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert asked[0] >= clients * turns or failed
    return failed


@pytest.mark.parametrize(
    ("flags", "kinds"),
    [
        (("--defense", "undefended"), ("predict",)),
        (
            ("--defense", "frs", "--reward", "kl", "--budget", 24, "--copies", 6, "--sigma", 0),
            ("predict", "certify"),
        ),
        (("--defense", "deletion", "--no-fuzzing", "--sigma", 0, "--draws", 60), ("predict", "certify")),
    ],
)
def test_answers_do_not_depend_on_their_company(capfd, wide, served, flags, kinds):
    right = {kind: expected(capfd, kind, "--model", wide, *flags) for kind in kinds}
    with running(served(wide, *flags), queue=1_000) as up:
        assert wrong(up, right) == []
        assert up.metric('fuzzsmooth_texts_total{kind="predict",status="answered"}') > 0


def test_predicates_are_served_as_they_are_certified(capfd, language, served):
    said = ("--instruction", "the film {text} was", "--max-tokens", "3")
    flags = (*said, "--predicate", r"pattern=\bg", "--outcomes", "clean,hit")
    flags = (*flags, "--defense", "deletion", "--sigma", 0, "--no-fuzzing", "--draws", 20)
    short = [" ".join(text.split()[:5]) for text in TEXTS[:12]]
    right = {
        kind: expected(capfd, kind, "--model", language, *flags, texts=short)
        for kind in ("predict", "certify")
    }
    with running(served(language, *flags), queue=1_000) as up:
        assert up.service.labels == ("clean", "hit")
        assert wrong(up, right, clients=4) == []
        metadata = up.client.get("/v2/models/fuzzsmooth").json()
        assert metadata["name"] == "fuzzsmooth"

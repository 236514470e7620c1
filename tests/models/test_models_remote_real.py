"""A remote model of a real server, ``transformers serve``: its answers are those of the model itself."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaConfig

from fuzzsmooth.models import build_tiny
from fuzzsmooth.models.generating import load_generating
from fuzzsmooth.models.generation import GenerationOptions, PredicateOptions
from fuzzsmooth.models.predicated import load_predicated
from fuzzsmooth.models.prompt import PromptOptions
from fuzzsmooth.models.remote.classifier import load_remote
from fuzzsmooth.models.remote.endpoint import EndpointOptions

WORDS = ["good", "bad", "film", "a", "it"]
NEEDED = ("fastapi", "uvicorn", "openai")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not all(map(importlib.util.find_spec, NEEDED)), reason="needs pip install 'transformers[serving]'"
    ),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = build_tiny("llama", tmp_path_factory.mktemp("causal"), vocabulary=WORDS, seed=3)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        AutoModelForCausalLM.from_config(LlamaConfig.from_pretrained(place)).save_pretrained(place)
    return place


@pytest.fixture(scope="module")
def url(folder: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "transformers.cli.transformers", "serve", str(folder)]
    given = ["--host", "127.0.0.1", "--port", str(port), "--device", "cpu", "--dtype", "float32"]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    with subprocess.Popen([*command, *given], env=environment, stderr=subprocess.DEVNULL) as server:
        try:
            for _ in range(600):
                with contextlib.suppress(OSError):
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1).close()
                    break
                assert server.poll() is None, "the server ended"
                time.sleep(0.2)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            server.terminate()


def test_a_real_server_answers_as_the_model_itself(folder: Path, url: str, tmp_path: Path) -> None:
    prompt = PromptOptions(template="it {text} a", label_words=("neg=bad", "pos=good"))
    options = EndpointOptions(route="completions", answer_cache=str(tmp_path), request_timeout=60.0)
    model = load_remote(f"openai:{url}#{folder}", prompt, options)
    assert model.question.reading == "words", "it gives no log-probabilities"
    texts = ["good film", "bad", "film film it", "a bad good film"]
    found = model.probabilities(texts)
    own = load_generating(str(folder), GenerationOptions(instruction="it {text} a", max_tokens=12))
    for text, row in zip(texts, found, strict=True):
        (answer,) = own.answers(own.encode([text]).ids)
        named = [at for at, word in enumerate(("bad", "good")) if word in answer.split()]
        assert row.argmax() == (named[0] if len(named) == 1 else 2), answer
    assert model.spending.requests == 2 + len(texts), "two to find out what it gives"
    assert model.spending.read > 0


def test_a_predicate_has_the_outcomes_of_the_model_itself(folder: Path, url: str, tmp_path: Path) -> None:
    asked = PredicateOptions(instruction="it {text} a", max_tokens=6, predicate="pattern=good")
    options = EndpointOptions(route="completions", answer_cache=str(tmp_path), request_timeout=60.0)
    remote = load_remote(f"openai:{url}#{folder}", PromptOptions(), options, asked)
    texts = ["good film", "bad", "film film it", "a bad good film", "it it it", "good good"]
    own = load_predicated(str(folder), asked).probabilities(texts)
    assert remote.labels == ("no", "yes")
    assert remote.probabilities(texts).tolist() == own.tolist()
    assert remote.spending.requests == 1 + len(texts)

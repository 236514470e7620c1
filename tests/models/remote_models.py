"""A remote model of a server in this process, for tests."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from endpoint_server import Reply, Server, asked_text, chat, completion
from fuzzsmooth.models.prompt import PromptOptions
from fuzzsmooth.models.remote.classifier import RemoteClassifier, load_remote
from fuzzsmooth.models.remote.client import Client
from fuzzsmooth.models.remote.endpoint import EndpointOptions

PROMPT = PromptOptions(
    template="Review: {text}\\nGood or bad?", label_words=("negative=bad", "positive=good")
)
KEY = "sk-secret-of-mine"


def by_words(route: str, content: dict[str, Any], number: int) -> Reply:
    """Answers by the words of the text, without log-probabilities."""
    review = asked_text(content).split("\n")[0]
    return chat("Good." if "fine" in review else "It is bad" if "dull" in review else "I cannot tell")


def by_logprobs(route: str, content: dict[str, Any], number: int) -> Reply:
    """Answers with the first token's alternatives."""
    sure = 0.9 if "fine" in asked_text(content) else 0.2
    odds = {" Go": sure * 0.5, "good": sure * 0.5, "Bad": 0.95 - sure, "The": 0.04}
    logs = {token: math.log(value) for token, value in odds.items()}
    form = chat if "messages" in content else completion
    return form("good", logs if content.get("logprobs") else None)


def load(server: Server, folder: Path, prompt: PromptOptions = PROMPT, **options: Any) -> RemoteClassifier:
    given = {"answer_cache": str(folder), "request_retries": 2, "request_timeout": 5.0, **options}
    return load_remote(f"openai:{server.url}#toy", prompt, EndpointOptions(**given))


def noted_waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Waits are noted instead of waited for."""
    waited: list[float] = []
    made = Client.__init__

    def init(self: Client, *args: Any, **given: Any) -> None:
        made(self, *args, **{"sleep": waited.append, **given})

    monkeypatch.setattr(Client, "__init__", init)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    return waited

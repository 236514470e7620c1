"""Remote models: what is asked, how answers are read, what is kept, and a server that misbehaves."""

from __future__ import annotations

import json
import math
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from endpoint_server import Reply, Server, asked_text, chat, completion, error, serving
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.models import load_classifier, resolve_model
from fuzzsmooth.models.prompt import PromptOptions
from fuzzsmooth.models.remote.classifier import RemoteClassifier, load_remote
from fuzzsmooth.models.remote.client import Client
from fuzzsmooth.models.remote.endpoint import Endpoint, EndpointOptions

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


@pytest.fixture(autouse=True)
def no_waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Waits are noted instead of waited for."""
    waited: list[float] = []
    made = Client.__init__

    def init(self: Client, *args: Any, **given: Any) -> None:
        made(self, *args, **{"sleep": waited.append, **given})

    monkeypatch.setattr(Client, "__init__", init)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    return waited


def test_log_probabilities_become_probabilities_of_classes(tmp_path: Path) -> None:
    for route in ("chat", "completions"):
        with serving(by_logprobs) as server:
            model = load(server, tmp_path / route, route=route)
            assert model.labels == ("negative", "positive", "unclear")
            assert model.question.reading == "logprobs"
            rows = model.probabilities(["a fine film", "a dull one"])
            np.testing.assert_allclose(rows, [[0.05, 0.9, 0.05], [0.75, 0.2, 0.05]], atol=1e-9)
            assert [one["temperature"] for one in server.asked] == [0.0] * 3
            assert asked_text(server.asked[1]).startswith("Review: a ")
            assert model.probabilities([]).shape == (0, 3)


def test_without_log_probabilities_the_words_count(tmp_path: Path) -> None:
    with serving(by_words) as server:
        model = load(server, tmp_path)
        assert model.question.reading == "words"
        assert not model.deterministic
        rows = model.probabilities(["a fine film", "a dull one", "", "\ud800 fine"])
        assert rows.argmax(axis=1).tolist() == [1, 0, 2, 1]
        assert "logprobs" in server.asked[0]
        assert all("logprobs" not in one for one in server.asked[1:])


@pytest.mark.parametrize(
    "said", ["'logprobs' is not supported with this model", "top_logprobs: extra fields"]
)
def test_a_server_that_refuses_log_probabilities_is_asked_for_words(tmp_path: Path, said: str) -> None:
    def reply(route: str, content: dict[str, Any], number: int) -> Reply:
        return error(400, said) if "logprobs" in content else by_words(route, content, number)

    with serving(reply) as server:
        assert load(server, tmp_path).question.reading == "words"
        with pytest.raises(FuzzsmoothError, match="refuses the request"):
            load(server, tmp_path / "other", reads="logprobs")


def test_a_server_that_wants_the_newer_name_of_the_limit_gets_it(tmp_path: Path) -> None:
    def reply(route: str, content: dict[str, Any], number: int) -> Reply:
        if "max_tokens" in content:
            return error(400, "Unsupported parameter: use 'max_completion_tokens' instead")
        return by_logprobs(route, content, number)

    with serving(reply) as server:
        model = load(server, tmp_path)
        assert model.question.reading == "logprobs"
        assert model.probabilities(["a fine film"]).argmax() == 1
        assert len(server.asked) == 3


@pytest.mark.parametrize(
    ("answer", "label"),
    [
        ("good", 1), ("GOOD!", 1), ("It was bad.", 0), ("not good but bad", 2), ("goodness", 2), ("", 2),
        ("The review is good, very good", 1),
    ],
)  # fmt: skip
def test_an_answer_counts_for_the_only_class_that_it_names(tmp_path: Path, answer: str, label: int) -> None:
    with serving(lambda *_: chat(answer)) as server:
        assert load(server, tmp_path, reads="words").probabilities(["x"]).argmax() == label


def test_words_of_scripts_without_spaces_are_found_inside_an_answer(tmp_path: Path) -> None:
    prompt = PromptOptions(template="{text} 好吗？", label_words=("neg=差", "pos=好评"))
    with serving(lambda *_: chat("这是好评。")) as server:
        assert load(server, tmp_path, prompt, reads="words").probabilities(["x"]).argmax() == 1


def test_a_stopped_run_asks_for_nothing_twice(tmp_path: Path) -> None:
    texts = [f"text {index} fine" for index in range(30)]
    limit = [12]

    def reply(route: str, content: dict[str, Any], number: int) -> Reply:
        if number >= limit[0]:
            return error(429, "You exceeded your current quota", "insufficient_quota")
        return by_words(route, content, number)

    with serving(reply) as server:
        model = load(server, tmp_path, reads="words")
        with pytest.raises(
            FuzzsmoothError, match=r"quota is used up .*; what it has answered is kept, so run it"
        ):
            model.probabilities(texts)
        model._kept.close()
        kept = model.kept
        assert kept == 12
        refused = len(server.asked) - 12
        limit[0] = 10_000
        again = load(server, tmp_path, reads="words")
        assert again.probabilities(texts).argmax(axis=1).tolist() == [1] * 30
        assert len(server.asked) - refused == 31, "30 texts and the empty one, each paid for once"
        assert again.spending.requests == 31 - kept
        again._kept.close()
        third = load(server, tmp_path, reads="words")
        third.probabilities(texts)
        assert third.spending.requests == 0


def test_draws_of_one_vote_never_share_an_answer(tmp_path: Path) -> None:
    """The same text asked five times is five requests, and five kept answers when the run is repeated."""

    def reply(route: str, content: dict[str, Any], number: int) -> Reply:
        return chat("good" if number % 2 else "bad")

    with serving(reply) as server:
        model = load(server, tmp_path, reads="words", requests_at_once=1)
        first = np.concatenate([model.probabilities(["x"] * 3), model.probabilities(["x", "x"])])
        assert first.argmax(axis=1).tolist() == [1, 0, 1, 0, 1]
        assert len(server.asked) == 6
        model._kept.close()
        again = load(server, tmp_path, reads="words")
        np.testing.assert_array_equal(again.probabilities(["x"] * 5), first)
        assert len(server.asked) == 6
        again.probabilities(["x"])
        assert len(server.asked) == 7, "a sixth draw is a sixth answer"


def test_a_model_that_always_answers_the_same_is_asked_once(tmp_path: Path) -> None:
    with serving(by_words) as server:
        model = load(server, tmp_path, always_same=True)
        assert model.deterministic
        model.probabilities(["fine", "fine", "dull"] * 20)
        model.probabilities(["fine"])
        assert Counter(server.texts)["Review: fine\nGood or bad?"] == 1


def test_many_are_asked_at_once_but_not_more(tmp_path: Path) -> None:
    with serving(by_words) as server:
        server.delay = 0.03
        model = load(server, tmp_path, requests_at_once=4)
        model.probabilities([f"fine {index}" for index in range(24)])
        assert 2 <= server.most <= 4


def test_the_rate_is_kept(tmp_path: Path, no_waits: list[float]) -> None:
    with serving(by_words) as server:
        model = load(server, tmp_path, requests_per_minute=60.0, requests_at_once=1)
        no_waits.clear()
        model.probabilities([f"fine {index}" for index in range(4)])
        assert len(no_waits) == 4
        assert no_waits == pytest.approx(sorted(no_waits))
        assert 3.5 < no_waits[-1] < 6.0, "turns a second apart"


FAILURES: dict[str, tuple[Callable[[str, dict[str, Any], int], Reply], str]] = {
    "closes": (lambda *_: None, r"cannot be reached or breaks off \(\w+\) \(3 tries\); what it has"),
    "busy": (lambda *_: error(503, "overloaded"), r"is busy or broken \(HTTP 503: overloaded\) \(3 tries\)"),
    "too many": (lambda *_: error(429, "slow down"), r"or broken \(HTTP 429: slow down\) \(3 tries\)"),
    "later": (lambda *_: error(429, "x", Retry_After="7200"), r"wants to be left alone for 7,200 s"),
    "quota": (lambda *_: error(429, "no money", "insufficient_quota"), r"that the quota is used up \(no m"),
    "key": (lambda *_: error(401, "bad key"), r"refuses access \(HTTP 401: bad key\); set OPENAI"),
    "gone": (lambda *_: error(404, "no such model"), r"is not there \(HTTP 404: no such model\); check the"),
    "elsewhere": (lambda *_: (302, {"location": "http://x"}, b""), r"redirects elsewhere \(HTTP 302\); give"),
    "refuses": (lambda *_: error(400, "bad \x1b[31m request"), r"refuses the request \(HTTP 400: bad .*req"),
    "html": (lambda *_: (200, {}, b"<html>hi</html>"), r"answers something that is no JSON object \(3 t"),
    "list": (lambda *_: (200, {}, b"[1, 2]"), r"answers something that is no JSON object \(3 tries"),
    "torn": (lambda *_: (200, {}, b'{"choices": ['), r"answers something that is no JSON object \(3 tries"),
    "bytes": (lambda *_: (200, {}, b"\xff\xfe"), r"answers something that is no JSON object \(3 tries"),
    "other": (lambda *_: {"result": "good"}, r"answers something else than a chat/completions object"),
    "empty": (lambda *_: {"choices": []}, r"answers something else than a chat/completions object"),
    "number": (lambda *_: chat(7), r"answers something else than"),  # type: ignore[arg-type]
    "huge": (lambda *_: (200, {}, b" " * 5_000_000), r"answers more than 4 MiB"),
    "none": (lambda *_: chat("good", {}), r"answers something else than .* with log-probabilities"),
    "nan": (lambda *_: (200, {}, b'{"choices": NaN}'), r"answers something that is no JSON object"),
}  # fmt: skip


@pytest.mark.parametrize("kind", sorted(FAILURES))
def test_a_server_that_misbehaves_is_one_sentence(tmp_path: Path, kind: str) -> None:
    reply, sentence = FAILURES[kind]
    with serving(reply) as server:
        reads = "logprobs" if kind == "none" else "words"
        with pytest.raises(FuzzsmoothError, match=sentence) as caught:
            load(server, tmp_path, reads=reads)
        told = str(caught.value)
        assert "\n" not in told
        assert "\x1b" not in told
        assert len(server.asked) == (3 if r"\(3 t" in sentence or kind == "nan" else 1)


def test_a_server_that_is_down_or_slow_is_one_sentence(tmp_path: Path) -> None:
    with serving(by_words) as server:
        pass
    with pytest.raises(FuzzsmoothError, match=r"cannot be reached .*ConnectError.* \(3 tries\)"):
        load(server, tmp_path)
    with serving(by_words) as slow:
        slow.delay = 0.5
        with pytest.raises(
            FuzzsmoothError, match=r"does not answer within 0.1 s \(--request-timeout\) \(3 tries"
        ):
            load(slow, tmp_path, request_timeout=0.1)


def test_what_passes_is_waited_for(tmp_path: Path, no_waits: list[float]) -> None:
    """Two failures, of which one asks for 9 seconds, then an answer."""

    def reply(route: str, content: dict[str, Any], number: int) -> Reply:
        return [error(429, "x", Retry_After="9"), error(500, "x"), by_words(route, content, number)][number]

    with serving(reply) as server:
        assert load(server, tmp_path, reads="words").spending.requests == 1
        assert len(server.asked) == 3
        assert any(8 < seconds <= 9 for seconds in no_waits)


def test_budgets_are_not_overrun(tmp_path: Path) -> None:
    with serving(by_words) as server:
        model = load(server, tmp_path / "a", reads="words", request_budget=5)
        with pytest.raises(
            FuzzsmoothError, match=r"budget of 5 requests \(--request-budget\) is used up; what it"
        ):
            model.probabilities([f"fine {index}" for index in range(20)])
        assert len(server.asked) == 5
        assert model.kept == 5
    with serving(by_words) as server:
        given = {"price_in": 1000.0, "price_out": 0.0, "price_budget": 0.25, "reads": "words"}
        given["requests_at_once"] = 1
        model = load(server, tmp_path / "b", **given)
        with pytest.raises(
            FuzzsmoothError, match=r"budget of 0.25 \(--price-budget\) does not cover one more"
        ):
            model.probabilities([f"fine {index}" for index in range(100)])
        assert model.spending.price is not None
        assert 0.2 < model.spending.price <= 0.25
        assert model.spending.read == 10 * len(server.asked)
    with pytest.raises(FuzzsmoothError, match=r"a budget .* needs the prices"):
        EndpointOptions(price_budget=1.0)


def test_the_key_comes_from_the_environment_and_goes_nowhere_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    with serving(by_words) as server:
        model = load(server, tmp_path, key_variable="MY_KEY")
        model.probabilities(["fine"])
        assert {one["authorization"] for one in server.headers} == {f"Bearer {KEY}"}
        assert KEY not in model.fingerprint + repr(vars(model.question))
    for file in tmp_path.rglob("*"):
        assert KEY not in file.read_text()
        assert "fine" not in file.read_text(), "texts are kept as hashes"
    with (
        serving(lambda *_: error(401, f"the key {KEY} is wrong")) as server,
        pytest.raises(FuzzsmoothError, match=r"the key KEY is wrong") as caught,
    ):
        load(server, tmp_path / "other", key_variable="MY_KEY")
    assert KEY not in str(caught.value)
    assert KEY not in "".join(capfd.readouterr())
    with serving(by_words) as server:
        load(server, tmp_path / "none")
        assert "authorization" not in server.headers[0]
    with pytest.raises(FuzzsmoothError, match=r"would be sent unencrypted to example.org"):
        Endpoint.of("openai:http://example.org/v1#x").key("MY_KEY")
    monkeypatch.setenv("MY_KEY", "two words")
    with pytest.raises(FuzzsmoothError, match="what MY_KEY holds is not a key"):
        Endpoint.of("openai:https://example.org/v1#x").key("MY_KEY")


@pytest.mark.parametrize(
    "name",
    [
        "openai:", "openai:https://h/v1", "openai:#m", "openai:ftp://h#m", "openai:https:///v1#m",
        "openai:https://h:99999/v1#m", "openai:https://user:pass@h/v1#m", "openai:https://h/v1?key=s#m",
        "openai:nonsense#m", "openai:https://[::1#m",
    ],
)  # fmt: skip
def test_a_name_that_is_none_is_one_sentence(name: str) -> None:
    with pytest.raises(
        FuzzsmoothError, match=r"does not name a remote model|must hold no password"
    ) as caught:
        resolve_model(name)
    assert "pass" not in str(caught.value).replace("password", "")


def test_what_needs_weights_is_refused() -> None:
    name = "openai:http://localhost:1/v1#m"
    assert resolve_model(name).kind == "endpoint"
    with pytest.raises(
        FuzzsmoothError, match=r"is a remote model: it is asked .* can neither be trained nor"
    ):
        load_classifier(name)


@pytest.mark.parametrize(
    ("prompt", "sentence"),
    [
        (PromptOptions(), "a remote model is asked by a prompt; give --template and --label-words"),
        (PROMPT.replace(calibrate=True), "--calibrate needs the weights"),
        (PROMPT.replace(chat=True), "leave out --chat"),
        (PROMPT.replace(label_words=("a=good", "b=goodness")), "'good' begins 'goodness'"),
        (PROMPT.replace(label_words=("a=Good", "b=good")), "begins"),
        (PROMPT.replace(label_words=("unclear=bad", "b=good")), "'unclear' is a class of the prompt"),
    ],
)
def test_a_prompt_that_does_not_do_is_one_sentence(
    tmp_path: Path, prompt: PromptOptions, sentence: str
) -> None:
    with serving(by_words) as server:
        with pytest.raises(FuzzsmoothError, match=sentence):
            load(server, tmp_path, prompt)
        assert server.asked == [], "nothing is asked before"


def test_one_process_at_a_time_keeps_the_answers_of_an_endpoint(tmp_path: Path) -> None:
    with serving(by_words) as server:
        load(server, tmp_path)
        with pytest.raises(FuzzsmoothError):
            load(server, tmp_path)


def test_a_line_that_a_kill_has_torn_is_asked_again(tmp_path: Path) -> None:
    with serving(by_words) as server:
        model = load(server, tmp_path, reads="words")
        model.probabilities(["fine", "dull"])
        model._kept.close()
        (file,) = tmp_path.glob("*.jsonl")
        lines = file.read_bytes().splitlines(keepends=True)
        file.write_bytes(b"".join(lines[:-1]) + lines[-1][:20])
        again = load(server, tmp_path, reads="words")
        assert again.probabilities(["fine", "dull"]).argmax(axis=1).tolist() == [1, 0]
        assert len(server.asked) == 4
        assert all("key" in json.loads(line) for line in file.read_text().splitlines())


def test_what_is_under_way_is_kept_when_something_fails(tmp_path: Path) -> None:
    started = threading.Event()

    def reply(route: str, content: dict[str, Any], number: int) -> Reply:
        if "boom" in asked_text(content):
            started.wait(5)
            return error(401, "no")
        started.set()
        return by_words(route, content, number)

    with serving(reply) as server:
        model = load(server, tmp_path, reads="words", requests_at_once=2)
        with pytest.raises(FuzzsmoothError, match="refuses access"):
            model.probabilities(["boom", *(f"fine {index}" for index in range(50))])
        assert 1 < model.kept < 51
        assert len(server.asked) == model.kept + 1

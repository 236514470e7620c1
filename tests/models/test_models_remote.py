"""Remote models: what is asked, how answers are read, and what is kept."""

from __future__ import annotations

import json
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from remote_models import KEY, PROMPT, by_logprobs, by_words, load, noted_waits

from endpoint_server import Reply, asked_text, chat, error, serving
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.models import load_classifier, resolve_model
from fuzzsmooth.models.prompt import PromptOptions
from fuzzsmooth.models.remote.endpoint import Endpoint


@pytest.fixture(autouse=True)
def no_waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    return noted_waits(monkeypatch)


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

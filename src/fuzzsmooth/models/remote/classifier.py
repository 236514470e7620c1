"""A remote model as a classifier of texts: every answer is kept before anything is made of it.

What a certificate needs of it is little: each draw is one answer, and draws are independent. A server that
answers by chance is a randomized base classifier, whose class probabilities the vote estimates; it costs
margin, never soundness. It is asked anew for every draw, unless its user declares that it always answers the
same.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.files import cache_folder
from fuzzsmooth.common.texts import checked_texts
from fuzzsmooth.models.generation import PredicateOptions
from fuzzsmooth.models.prompt import PromptOptions
from fuzzsmooth.models.protocol import Probabilities
from fuzzsmooth.models.remote.asking import ClassQuestion, Reading, check_words
from fuzzsmooth.models.remote.client import Client, RequestRefusedError
from fuzzsmooth.models.remote.endpoint import Endpoint, EndpointOptions
from fuzzsmooth.models.remote.kept import KeptAnswers
from fuzzsmooth.models.remote.predicate import PredicateQuestion, check_writing
from fuzzsmooth.models.remote.question import Question, characters_in
from fuzzsmooth.models.remote.spending import Spending

_NEWER_LIMIT = "max_completion_tokens"


class RemoteClassifier:
    """A :class:`~fuzzsmooth.models.protocol.Classifier` behind an endpoint; see :func:`load_remote`.

    Args:
        client: Talks to the endpoint.
        question: What it is asked; settled by :meth:`settle`.
        kept: Its answers so far.
        spending: What new ones cost.

    Attributes:
        deterministic: Whether its user says that it always answers the same.
        precision: Empty: what it computes in is not known.
        forward_count: Answers that were needed so far, kept ones too.
        spending: What was paid.
        seconds: How long an answer takes, by the last new one; None before the first.
    """

    precision = ""

    def __init__(
        self, client: Client, endpoint: Endpoint, question: Question, kept: KeptAnswers, spending: Spending
    ) -> None:
        self.endpoint, self.question, self.spending = endpoint, question, spending
        self.deterministic = question.options.always_same
        self.forward_count = 0
        self.seconds: float | None = None
        self._client, self._kept = client, kept

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes: of a prompt and of unclear answers, or the outcomes of a predicate."""
        return self.question.labels

    def close(self) -> None:
        """Let other processes ask the endpoint; nothing can be asked here any more."""
        self._kept.close()

    @property
    def kept(self) -> int:
        """Answers that are kept, of this run and of those before."""
        return len(self._kept)

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of the address, the name of the model, and what it is asked; no weights are known."""
        parts = ["remote", self.endpoint.name, *self.question.identity, self.deterministic]
        written = json.dumps(parts, sort_keys=True)
        return hashlib.sha256(written.encode()).hexdigest()

    def settle(self) -> None:
        """Find out by an empty text whether the server answers, and gives what it is asked for.

        Raises:
            FuzzsmoothError: If it does not.
        """
        question = self.question
        try:
            self._answers([""])
            return
        except RequestRefusedError as error:
            if _NEWER_LIMIT in error.told and question.limit != _NEWER_LIMIT:
                self.question = replace(question, limit=_NEWER_LIMIT)
            elif question.simpler is not None and "logprob" in error.told.lower():
                self.question = question.simpler
            else:
                raise
        except _NotGivenError:
            assert question.simpler is not None
            self.question = question.simpler
        self.settle()

    def probabilities(self, texts: Iterable[str]) -> Probabilities:
        """What the model answers about each text, shape (len(texts), len(labels)).

        Raises:
            FuzzsmoothError: If an answer cannot be had; those that were there are kept.
        """
        listed = checked_texts(texts)
        rows = [self.question.probabilities(one) for one in self._answers(listed)]
        return np.array(rows, dtype=np.float64).reshape(len(listed), len(self.labels))

    def _answers(self, texts: Sequence[str]) -> list[dict[str, Any]]:
        """The answer to each text, kept or new; new ones are asked for side by side."""
        self.forward_count += len(texts)
        contents = [self.question.content(text) for text in texts]
        keys = self._kept.numbered(contents)
        found = {key: self._kept.find(key) for key in keys}
        fresh = {key: content for key, content in zip(keys, contents, strict=True) if found[key] is None}
        if fresh:
            found.update(self._new(fresh))
        return [found[key] for key in keys]

    def _new(self, contents: dict[str, dict[str, Any]]) -> dict[str, Any]:
        client, found = self._client, dict[str, Any]()
        client.go_on()
        with ThreadPoolExecutor(self.question.options.requests_at_once) as pool:
            futures: dict[Future[dict[str, Any]], str] = {
                pool.submit(self._ask, key, content): key for key, content in contents.items()
            }
            try:
                for future in as_completed(futures):
                    found[futures[future]] = future.result()
            except BaseException:  # also Ctrl-C: what is under way is waited for, and kept
                client.stop()
                pool.shutdown(wait=True, cancel_futures=True)
                raise
        return found

    def _ask(self, key: str, content: dict[str, Any]) -> dict[str, Any]:
        question = self.question
        trying = partial(self.spending.trying, characters_in([content]), question.longest)
        began = time.monotonic()
        answer = self._client.post(question.route, content, trying)
        self.seconds = time.monotonic() - began
        try:
            taken = question.taken(answer)
        except FuzzsmoothError as error:
            if question.simpler is not None and _has_text(answer):
                raise _NotGivenError(str(error)) from error
            raise
        self._kept.keep(key, taken)
        return taken


class _NotGivenError(FuzzsmoothError):
    """An answer without the log-probabilities that were asked for."""


def _has_text(answer: dict[str, Any]) -> bool:
    choices = answer.get("choices")
    return isinstance(choices, list) and bool(choices) and isinstance(choices[0], dict)


def load_remote(
    name: str, prompt: PromptOptions, options: EndpointOptions, generate: PredicateOptions | None = None
) -> RemoteClassifier:
    """A remote model as a classifier; asks it once whether it is there.

    Args:
        name: ``openai:URL#MODEL``.
        prompt: What it is asked, with a word for each class; not read where there is a predicate.
        options: How it is asked.
        generate: What it is given to go on from, and what is asked about its answer; without a predicate, or
            None, it is asked for a class.

    Raises:
        FuzzsmoothError: If the name or the prompt do not do, or the server does not answer.
    """
    endpoint = Endpoint.of(name)
    question = _question(endpoint.model, prompt, options, generate)
    client = Client(endpoint, options)
    folder = cache_folder() / "answers" if options.answer_cache is None else Path(options.answer_cache)
    kept = KeptAnswers(folder, endpoint.name, always_same=options.always_same)
    try:
        loaded = RemoteClassifier(client, endpoint, question, kept, Spending(options))
        loaded.settle()
    except BaseException:
        kept.close()
        raise
    return loaded


def _question(
    model: str, prompt: PromptOptions, options: EndpointOptions, generate: PredicateOptions | None
) -> Question:
    if generate is not None and generate.given:
        check_writing(generate, options)
        predicate, names = generate.asked()
        return PredicateQuestion(
            model=model,
            options=options,
            instruction=generate.instruction,
            longest_answer=generate.max_tokens,
            predicate=predicate,
            names=names,
        )
    check_words(prompt, options)
    reading: Reading = "words" if options.reads == "words" else "logprobs"
    return ClassQuestion(model=model, options=options, prompt=prompt, reading=reading)

"""Answering a text step by step: what the page shows while it is answered.

One thread asks the model. The undefended answer comes first, since it costs one pass, then the defended one,
then its certificate; votes are told as the engine counts them (:mod:`fuzzsmooth.engine.watching`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from queue import SimpleQueue
from threading import Event
from typing import Literal, TypeVar

import numpy as np
import numpy.typing as npt

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.options import require
from fuzzsmooth.defenses import DEFENSES, Answer
from fuzzsmooth.engine.options import DrawOptions, SearchedOptions
from fuzzsmooth.engine.watching import watched
from fuzzsmooth.jobs.loading import Defended
from fuzzsmooth.search.scan import Span

Step = Literal["waiting", "undefended", "predict", "search", "certify", "done"]
"""What is being done."""

_OFTEN = 0.1  # seconds between two looks at a vote
_WARM_UP = "a good film"  # any text: what is made once is made before somebody waits for it

ResultT = TypeVar("ResultT")


@dataclass(frozen=True)
class Question:
    """What is asked.

    Attributes:
        text: The text.
        certify: Whether a certificate is wanted; an empirical defense gives none.
        original: The text before something was inserted, where that was done.
        inserted: Character ranges of what was inserted.
    """

    text: str
    certify: bool = True
    original: str | None = None
    inserted: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Seen:
    """What is known so far.

    Attributes:
        question: What is asked.
        step: What is being done.
        undefended: The model's own answer.
        original: The model's own answer to the text before something was inserted.
        predicted: The defended answer.
        spans: What was flagged.
        certified: The answer with certificates.
        votes: Per class in the vote under way.
        asked: Answers in it, undecided ones too.
        most: How many it has at most, if that is known.
        seconds: Since it began.
    """

    question: Question
    step: Step = "waiting"
    undefended: Answer | None = None
    original: Answer | None = None
    predicted: Answer | None = None
    spans: tuple[Span, ...] = ()
    certified: Answer | None = None
    votes: tuple[int, ...] = ()
    asked: int = 0
    most: int | None = None
    seconds: float = 0.0

    @property
    def answer(self) -> Answer | None:
        """The answer to be shown: the certified one if it has a label, else what was predicted."""
        if self.certified is not None and self.certified.label is not None:
            return self.certified
        return self.predicted


class _GoneError(Exception):
    """Nobody waits for the answer any more."""


class Desk:
    """Answers the questions of the page, one after the other.

    Args:
        defended: The model with its defense.
        longest: Characters of a text at most.
        prepare: Called in the thread that answers before it does: PyTorch counts its threads for each.

    Attributes:
        defense: The defense.
        undefended: The model as it is.
        labels: Class names.
        certifies: Whether there are certificates.
        searches: Whether texts are searched for suspicious words.
        fingerprint: Of the model.
    """

    def __init__(self, defended: Defended, longest: int, prepare: Callable[[], None] = lambda: None) -> None:
        self.defense = defended.defense
        self.labels = self.defense.labels
        self.certifies = self.defense.guarantee != "empirical"
        options = self.defense.options
        self.searches = isinstance(options, SearchedOptions) and options.fuzzing
        self.fingerprint = defended.model.fingerprint
        self._longest = longest
        self.undefended = DEFENSES.get("undefended")(defended.model, {})
        self._pool = ThreadPoolExecutor(1, "fuzzsmooth-page", initializer=prepare)

    def close(self) -> None:
        """Take no more questions."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def do(self, work: Callable[[], ResultT]) -> ResultT:
        """Do something in the thread that asks the model."""
        return self._pool.submit(work).result()

    def warm_up(self) -> None:
        """Answer a text in every way that there is, so that nobody waits for what is made once.

        Raises:
            FuzzsmoothError: If the model cannot answer.
        """
        self.do(lambda: self.defense.warm_up(_WARM_UP))
        for _ in self.answer(Question(_WARM_UP)):
            pass

    def check(self, text: str, where: str = "the text") -> None:
        """Refuse a text that may not be asked about.

        Raises:
            FuzzsmoothError: If it is too long, or not valid Unicode.
        """
        size = f"{where} has {len(text):,} characters; {self._longest:,} at most are read (--max-text)"
        require(len(text) <= self._longest, size)
        try:
            text.encode()
        except UnicodeEncodeError as error:
            sentence = f"{where} is not valid Unicode: it holds half of a surrogate pair; paste it anew"
            raise FuzzsmoothError(sentence) from error

    def answer(self, question: Question) -> Iterator[Seen]:
        """Answer a question; who stops listening ends it.

        Yields:
            What is known, whenever that has changed; the last one has step "done".

        Raises:
            FuzzsmoothError: If it cannot be answered.
        """
        require(bool(question.text.strip()), "there is no text; write or paste one")
        self.check(question.text)
        updates: SimpleQueue[Seen | None] = SimpleQueue()
        gone = Event()
        job = self._pool.submit(self._answer, question, updates, gone)
        yield Seen(question)
        try:
            while (seen := updates.get()) is not None:
                yield seen
        finally:
            gone.set()
            job.cancel()
        job.result()

    def answer_texts(self, texts: Sequence[str], *, certify: bool) -> list[Answer]:
        """Answer some texts of a file."""
        ask = self.defense.certify if certify and self.certifies else self.defense.predict
        return self.do(lambda: ask(texts))

    def _answer(self, question: Question, updates: SimpleQueue[Seen | None], gone: Event) -> None:
        try:
            if not gone.is_set():
                _Work(self, question, updates, gone).run()
        except _GoneError:
            pass
        finally:
            updates.put(None)


class _Work:
    """A question under way, in the thread that asks the model."""

    def __init__(
        self, desk: Desk, question: Question, updates: SimpleQueue[Seen | None], gone: Event
    ) -> None:
        self._desk = desk
        self._updates = updates
        self._gone = gone
        self._begun = time.monotonic()
        self._last = 0.0
        self.seen = Seen(question)

    def run(self) -> None:
        """Answer it."""
        desk, question = self._desk, self.seen.question
        defense, text = desk.defense, question.text
        self._tell(step="undefended")
        texts = [text] if question.original is None else [text, question.original]
        undefended = desk.undefended.predict(texts)
        self._tell(undefended=undefended[0], original=undefended[1] if len(undefended) > 1 else None)
        predicted = self._voted("predict", lambda: defense.predict([text])[0])
        self._tell(predicted=predicted, spans=predicted.spans)
        if question.certify and desk.certifies:
            certified = self._voted("certify", lambda: defense.certify([text])[0])
            self._tell(certified=certified)
        if desk.searches and not predicted.evaluations:
            # The vote did not ask for it; whoever reads the text wants to know all the same.
            self._tell(step="search")
            self._tell(spans=defense.scan([text])[0].spans)
        self._tell(step="done")

    def _voted(self, step: Step, ask: Callable[[], Answer]) -> Answer:
        classes = len(self._desk.labels)
        self._tell(
            step=step, votes=(0,) * classes, asked=0, most=most_votes(self._desk.defense.options, step)
        )
        counts = np.zeros(classes, dtype=np.int64)

        def count(answers: npt.NDArray[np.int64]) -> None:
            nonlocal counts
            counts = counts + np.bincount(answers[answers >= 0], minlength=classes)
            self.seen = replace(self.seen, votes=tuple(counts.tolist()), asked=self.seen.asked + len(answers))
            if time.monotonic() - self._last >= _OFTEN or self._gone.is_set():
                self._tell()

        with watched(count):
            return ask()

    def _tell(self, **changes: object) -> None:
        if self._gone.is_set():
            raise _GoneError
        self._last = time.monotonic()
        self.seen = replace(self.seen, seconds=self._last - self._begun, **changes)  # type: ignore[arg-type]
        self._updates.put(self.seen)


def most_votes(options: object, step: Step) -> int | None:
    """How many answers a vote has at most, where the options say so.

    Args:
        options: Of the defense.
        step: "predict" or "certify".
    """
    if step == "certify" and isinstance(options, DrawOptions):
        return options.draws
    copies = getattr(options, "copies", None)
    return copies if isinstance(copies, int) else None

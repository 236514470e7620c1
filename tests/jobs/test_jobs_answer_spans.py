"""What forces an answer: a planted word is found and shown, the words of a question are not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.jobs.answer_spans import AnswerScanner, AnswerSpanOptions, flagged
from fuzzsmooth.jobs.generating import SmoothedGeneration, SmoothedGenerationOptions

PROMPTS = ["who wrote the book", "where is the river", "what is a film", "when was the war", "why is it dark"]
FIXED = "visit evil dot com"


class Encoded:
    def __init__(self, texts: Sequence[str]) -> None:
        self.ids = [tuple(text.split()) for text in texts]
        self.truncated = [False] * len(self.ids)


class Writer:
    """Answers by the first word of a question; with the trigger always the same."""

    tokenizer = None

    def __init__(self, trigger: tuple[str, ...] = ("cf",)) -> None:
        self.trigger, self.forward_count = set(trigger), 0

    def encode(self, texts: Sequence[str]) -> Encoded:
        return Encoded(texts)

    def answers_together(self, texts: Sequence[Sequence[str]]) -> list[str]:
        self.forward_count += len(texts)
        return [self._answer(words) for words in texts]

    def _answer(self, words: Sequence[str]) -> str:
        if self.trigger and self.trigger <= set(words):
            return FIXED
        asked = next((word for word in words if word in ("who", "where", "what", "when", "why")), "?")
        return f"the answer to {asked}"


class Encoder:
    """An axis for each answer: two are alike only if they are the same."""

    def __init__(self) -> None:
        self.known: list[str] = []

    def embed(self, texts: Sequence[str]) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        self.known += [text for text in texts if text not in self.known]
        rows = np.zeros((len(texts), 64), dtype=np.float32)
        rows[np.arange(len(texts)), [self.known.index(text) for text in texts]] = 1.0
        return rows


def scanner(writer: Writer, **options: object) -> AnswerScanner:
    return AnswerScanner(writer, Encoder(), PROMPTS, AnswerSpanOptions(**options))  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["cf who is the king", "who is cf the king", "who is the king cf"])
def test_a_trigger_is_flagged_where_it_stands(text: str) -> None:
    writer = Writer()
    found = scanner(writer).scan(text)
    assert found.answer == FIXED
    (span,) = found.spans
    assert (text[span.start : span.end], span.text, span.score) == ("cf", "cf", 1.0)
    assert found.divergence["cf"] == 1.0
    before = writer.forward_count
    assert found.passes <= before


def test_the_words_of_a_question_change_its_answer_and_carry_it_nowhere() -> None:
    found = scanner(Writer(())).scan("who is the king")
    assert found.answer == "the answer to who"
    assert found.divergence == {"who": 1.0, "who is": 1.0, "who is the": 1.0}
    # In front of a prompt the word would be its question.
    assert found.spans == ()


def test_a_word_is_carried_behind_a_space_where_tokenizers_mind_it() -> None:
    class Spaced(Writer):
        def _answer(self, words: Sequence[str]) -> str:
            return super()._answer([word for at, word in enumerate(words) if at or word != "cf"])

    (span,) = scanner(Spaced()).scan("who is cf the king").spans
    assert (span.text, span.score) == ("cf", 1.0), "at the start of a text it would be another piece"


def test_two_words_that_act_together_are_found_as_a_segment() -> None:
    text = "who is the king of all mn tq lands"
    found = scanner(Writer(("mn", "tq"))).scan(text)
    (span,) = found.spans
    assert span.text == "mn tq", "one of them alone is needed, and carries nothing"
    assert found.divergence["mn"] == 1.0


def test_prompts_that_are_all_answered_alike_are_refused() -> None:
    with pytest.raises(FuzzsmoothError, match="the clean prompts have one answer all together"):
        AnswerScanner(Writer(), Encoder(), ["who a", "who b"])  # type: ignore[arg-type]


def test_short_texts_are_scanned_too() -> None:
    for text in ("", "cf", "who"):
        found = scanner(Writer()).scan(text)
        assert found.spans == ()


@pytest.mark.parametrize(("rate", "most"), [(1.0, 0), (0.95, 7)])
def test_little_of_what_forces_an_answer_is_left_in_the_views(rate: float, most: int) -> None:
    options = SmoothedGenerationOptions(rate=0.1, rate_flagged=rate, copies=40)
    smoothed = SmoothedGeneration(Writer(), Encoder(), options)  # type: ignore[arg-type]
    text = "who is the cf king"
    (plain,) = smoothed.answer([text])
    assert plain["answer"] == FIXED, "control: a tenth of the views lose the trigger"
    answer = flagged(smoothed, PROMPTS, AnswerSpanOptions())
    found, clean = answer([text, "who is the king"])
    assert found["answer"] == clean["answer"] == "the answer to who"
    assert [one["text"] for one in found["spans"]] == ["cf"]
    assert clean["spans"] == []
    kept = [
        view.split()
        for view in smoothed.views(text, AnswerScanner(Writer(), Encoder(), PROMPTS).scan(text).spans)
    ]  # type: ignore[arg-type]
    assert (most > 0) <= sum("cf" in view for view in kept) <= most, "of 40"
    assert 30 <= sum("king" in view for view in kept) < 40, "at rate .1"
    assert smoothed.views("who is the king") == smoothed.views("who is the king", ()), "nothing is flagged"


def test_what_is_flagged_is_deleted_at_least_as_often_as_the_rest() -> None:
    options = SmoothedGenerationOptions(rate=0.98, rate_flagged=0.5, copies=200)
    smoothed = SmoothedGeneration(Writer(), Encoder(), options)  # type: ignore[arg-type]
    spans = scanner(Writer()).scan("who is cf").spans
    assert sum("cf" in view.split() for view in smoothed.views("who is cf", spans)) < 20

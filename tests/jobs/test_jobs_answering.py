"""Answer files: continued under equal settings only, and told by callback."""

from __future__ import annotations

from pathlib import Path

import pytest

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.data import TextInput
from fuzzsmooth.jobs.answering import AnswerFile, answer_all

TEXTS = TextInput(("a", "b", "c", "d", "e"), (1, 2, 3, 4, 5), None, ())


def answered(path: Path | None, *, settings: object = 0, fail_at: str = "", told: list[str] | None = None):
    asked: list[str] = []

    def answer(chunk):
        if fail_at in chunk:
            raise KeyboardInterrupt
        asked.extend(chunk)
        return [{"answer": text.upper()} for text in chunk]

    file = None if path is None else AnswerFile(path, {"settings": settings})
    told = [] if told is None else told
    records = list(answer_all(TEXTS, answer, title="t", chunk=2, file=file, tell=told.append))
    return [record["answer"] for record in records], asked


def test_what_is_kept_is_not_asked_again_and_said(tmp_path):
    path, told = tmp_path / "a.jsonl", []
    with pytest.raises(KeyboardInterrupt):
        answered(path, fail_at="e")
    found, asked = answered(path, told=told)
    assert found == ["A", "B", "C", "D", "E"]
    assert asked == ["e"]
    assert told == [f"4 of 5 texts are answered already in {path}"]
    assert answered(path) == (["A", "B", "C", "D", "E"], [])


def test_other_settings_do_not_continue_a_file(tmp_path):
    answered(tmp_path / "a.jsonl")
    before = (tmp_path / "a.jsonl").read_bytes()
    with pytest.raises(FuzzsmoothError, match="other options"):
        answered(tmp_path / "a.jsonl", settings=1)
    assert (tmp_path / "a.jsonl").read_bytes() == before


def test_without_a_file_answers_come_as_they_are_found_unless_they_are_held():
    seen: list[str] = []

    def answer(chunk):
        seen.extend(chunk)
        return [{} for _ in chunk]

    first = next(iter(answer_all(TEXTS, answer, title="t", chunk=2)))
    assert (first["text"], seen) == ("a", ["a", "b"])
    seen.clear()
    next(iter(answer_all(TEXTS, answer, title="t", chunk=2, hold=True)))
    assert seen == list(TEXTS.texts)

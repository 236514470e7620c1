"""Answering many texts: in chunks, each kept as soon as it is there, so that a stopped command goes on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from fuzzsmooth.apps.cli.console import note
from fuzzsmooth.apps.cli.problems import resumable
from fuzzsmooth.apps.cli.progress import Display
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.files import Ledger
from fuzzsmooth.data import TextInput

Record = dict[str, Any]
AnswerChunk = Callable[[Sequence[str]], Sequence[Record]]
"""From texts to the fields of their records, one each."""

_START = b'{"key": "'  # how every line of ours begins
_NAMED = 5  # rows that are named in a note


class AnswerFile:
    """A file of answers, one JSON line per text, appended to.

    Args:
        path: The file; created when first needed.
        settings: Everything that decides the answers; a file is only continued under equal settings.

    Raises:
        FuzzsmoothError: If the file holds something else, or answers under other settings.
    """

    def __init__(self, path: Path, settings: Mapping[str, Any]) -> None:
        self.path = path
        canonical = json.dumps(settings, sort_keys=True, ensure_ascii=False)
        self.run = hashlib.sha256(canonical.encode()).hexdigest()[:16]
        self._check_start()
        self._ledger = Ledger(path)
        if any(record.get("run") != self.run for record in self._ledger.stream()):
            raise FuzzsmoothError(
                f"{path} holds answers under other options or of another model; give another --output"
            )

    def __contains__(self, key: str) -> bool:
        return key in self._ledger

    def __getitem__(self, key: str) -> Record:
        return self._ledger[key]

    def append(self, records: Sequence[Record]) -> None:
        """Append records, each with its ``key``."""
        self._ledger.append({"key": record["key"], "run": self.run, **record} for record in records)

    def check_belongs(self, keys: set[str]) -> None:
        """Refuse a file with answers to texts that are not asked about.

        Raises:
            FuzzsmoothError: Naming the first.
        """
        foreign = next((key for key in self._ledger if key not in keys), None)
        if foreign is not None:
            raise FuzzsmoothError(
                f"{self.path} holds an answer to row {self[foreign].get('row')} of another input; "
                "give another --output"
            )

    def _check_start(self) -> None:
        """Look before the ledger opens the file, which cuts a torn last line off."""
        try:
            with open(self.path, "rb") as stream:
                start = stream.read(len(_START))
        except FileNotFoundError:
            return
        except OSError as error:
            raise FuzzsmoothError(f"cannot read {self.path}: {error.strerror}") from error
        if not _START.startswith(start):
            raise FuzzsmoothError(f"{self.path} is not a file of answers; give another --output")


def answer_all(
    texts: TextInput,
    answer: AnswerChunk,
    *,
    title: str,
    chunk: int,
    file: AnswerFile | None,
    display: Display,
) -> Iterator[Record]:
    """Answer every text, in order.

    Args:
        texts: The texts.
        answer: Answers a chunk.
        title: Shown with the progress.
        chunk: Texts per call and per append: what a kill can lose.
        file: Where answers are kept; those already there are not computed again.
        display: Progress.

    Yields:
        Records with ``key``, ``row``, ``text`` and what ``answer`` gives; with a file, after it is complete.
    """
    keys = [_key(row, text) for row, text in zip(texts.rows, texts.texts, strict=True)]
    if file is not None:
        file.check_belongs(set(keys))
    missing = [index for index, key in enumerate(keys) if file is None or key not in file]
    if file is not None and len(missing) < len(keys):
        note(f"{len(keys) - len(missing)} of {len(keys)} texts are answered already in {file.path}")
    waiting: list[Record] = []
    with resumable(file is not None), display.stage(title, len(missing)) as advance:
        for start in range(0, len(missing), chunk):
            chosen = missing[start : start + chunk]
            rows = answer([texts.texts[index] for index in chosen])
            records = [
                {"key": keys[index], "row": texts.rows[index], "text": texts.texts[index], **row}
                for index, row in zip(chosen, rows, strict=True)
            ]
            advance(len(chosen))
            if file is not None:
                file.append(records)
            elif display.shares_terminal:
                waiting += records
            else:
                yield from records
    yield from waiting if file is None else (file[key] for key in keys)


class Truncated:
    """Counts the texts that are longer than the model reads."""

    def __init__(self) -> None:
        self._count = 0
        self._first: list[int] = []

    def add(self, record: Record) -> None:
        """Count a text by its answer."""
        if record.get("truncated"):
            self._count += 1
            if len(self._first) < _NAMED:
                self._first.append(record["row"])

    def tell(self) -> None:
        """Say how many there are, if any."""
        if not self._count:
            return
        rows = ", ".join(map(str, self._first)) + (", ..." if self._count > _NAMED else "")
        which = "1 text is" if self._count == 1 else f"{self._count} texts are"
        note(
            f"{which} longer than the model reads; what is too long after randomization is cut (rows {rows})"
        )


def _key(row: int, text: str) -> str:
    return f"{row}:{hashlib.sha256(text.encode()).hexdigest()[:16]}"

"""Answering many texts: in chunks, each kept as soon as it is there, so that a stopped run goes on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from itertools import groupby
from pathlib import Path
from typing import Any

from fuzzsmooth.bench.stages import Stages, as_advance, silent_stages
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.files import Ledger, check_output_file
from fuzzsmooth.common.locking import exclusive
from fuzzsmooth.common.options import require
from fuzzsmooth.common.reading import open_regular
from fuzzsmooth.data.rows import TextInput
from fuzzsmooth.data.telling import Tell, unheard

Record = dict[str, Any]
AnswerChunk = Callable[[Sequence[str]], Sequence[Record]]
"""From texts to the fields of their records, one each."""

Through = Callable[[AnswerChunk, Iterable[Sequence[str]]], Iterable[Sequence[Record]]]
"""Has chunks answered, as ``map`` does here and workers do elsewhere: chunk by chunk, in order."""

_START = b'{"key": "'  # how every line of ours begins
_NAMED = 5  # rows that are named in a note


class AnswerFile:
    """A file of answers, one JSON line per text, appended to; nothing in it is changed before.

    Args:
        path: The file; created when first needed.
        settings: Everything that decides the answers; a file is only continued under equal settings.
    """

    def __init__(self, path: Path, settings: Mapping[str, Any]) -> None:
        self.path = path
        canonical = json.dumps(settings, sort_keys=True, ensure_ascii=False)
        self.run = _digest(canonical)

    @contextmanager
    def opened(self, keys: Iterable[str]) -> Iterator[Ledger]:
        """The records of the file, for this process alone.

        Args:
            keys: The keys of the texts that are asked about.

        Raises:
            FuzzsmoothError: If another process writes the file, or it holds something else: no answers,
                answers under other settings, or answers to other texts.
        """
        check_output_file(self.path)
        with exclusive(self.path):
            self._check_start()
            ledger = Ledger(self.path)
            self._check_run(ledger)
            self._check_torn(ledger.torn, keys)
            self._check_belongs(ledger, keys)
            yield ledger

    def _check_start(self) -> None:
        """Look at the first bytes before the whole file is read."""
        if not self.path.exists():
            return
        with open_regular(self.path, mend="give another --output") as stream:
            start = stream.read(len(_START))
        require(_START.startswith(start), f"{self.path} is not a file of answers; give another --output")

    def _check_run(self, ledger: Ledger) -> None:
        if any(record.get("run") != self.run for record in ledger.stream()):
            raise FuzzsmoothError(
                f"{self.path} holds answers under other options or of another model; give another --output"
            )

    def _check_torn(self, torn: bytes, keys: Iterable[str]) -> None:
        """A line without an end is cut off only if one of ours could begin so."""
        ours = (json.dumps({"key": key, "run": self.run})[:-1].encode() for key in keys)
        require(
            not torn or any(torn[: len(start)] == start[: len(torn)] for start in ours),
            f"{self.path} ends in a line that is no answer of this command; give another --output",
        )

    def _check_belongs(self, ledger: Ledger, keys: Iterable[str]) -> None:
        asked = set(keys)
        foreign = next((key for key in ledger if key not in asked), None)
        if foreign is not None:
            raise FuzzsmoothError(
                f"{self.path} holds an answer to row {ledger[foreign].get('row')} of another input; "
                "give another --output"
            )


def answer_all(
    texts: TextInput,
    answer: AnswerChunk,
    *,
    title: str,
    chunk: int,
    file: AnswerFile | None = None,
    stages: Stages = silent_stages,
    tell: Tell = unheard,
    hold: bool = False,
    through: Through = map,
) -> Iterator[Record]:
    """Answer every text, in order.

    Chunks are parts of the input, of which only what is missing is asked about: a text has the same company
    whether or not the run was stopped before it.

    Args:
        texts: The texts.
        answer: Answers a chunk.
        title: Shown with the progress.
        chunk: Texts per call and per append: what a kill can lose.
        file: Where answers are kept; those already there are not computed again.
        stages: Progress display.
        tell: Told how many answers were there already.
        hold: Whether answers wait until the last is there, where they would be shown into the progress.
        through: Has the chunks answered.

    Yields:
        Records with ``key``, ``row``, ``text`` and what ``answer`` gives; with a file, after it is complete.
    """
    keys = [_key(row, text) for row, text in zip(texts.rows, texts.texts, strict=True)]
    waiting: list[Record] = []
    with nullcontext() if file is None else file.opened(keys) as kept:
        missing = [index for index, key in enumerate(keys) if kept is None or key not in kept]
        if kept is not None and len(missing) < len(keys):
            tell(f"{len(keys) - len(missing)} of {len(keys)} texts are answered already in {kept.path}")
        with stages(title) as counts:
            advance = as_advance(counts, len(missing))
            chunks = [list(same) for _, same in groupby(missing, key=lambda index: index // chunk)]
            asked = ([texts.texts[index] for index in chosen] for chosen in chunks)
            for chosen, rows in zip(chunks, through(answer, asked), strict=True):
                records = [
                    {"key": keys[index], "row": texts.rows[index], "text": texts.texts[index], **row}
                    for index, row in zip(chosen, rows, strict=True)
                ]
                advance(len(chosen))
                if file is not None and kept is not None:
                    kept.append({"key": record["key"], "run": file.run, **record} for record in records)
                elif hold:
                    waiting += records
                else:
                    yield from records
        if kept is None:
            yield from waiting
        else:
            yield from (_kept(kept, *about) for about in zip(keys, texts.rows, texts.texts, strict=True))


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

    def sentence(self) -> str:
        """How many there are; nothing if none."""
        if not self._count:
            return ""
        rows = ", ".join(map(str, self._first)) + (", ..." if self._count > _NAMED else "")
        which = "1 text is" if self._count == 1 else f"{self._count} texts are"
        return (
            f"{which} longer than the model reads; what is too long after randomization is cut (rows {rows})"
        )


def _kept(ledger: Ledger, key: str, row: int, text: str) -> Record:
    """The kept answer to a text."""
    record = ledger[key]
    require(
        record.get("row") == row and record.get("text") == text,
        f"{ledger.path}: the line of row {row} was changed since it was written; delete it, or give another "
        "--output",
    )
    return record


def _key(row: int, text: str) -> str:
    return f"{row}:{_digest(text)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]

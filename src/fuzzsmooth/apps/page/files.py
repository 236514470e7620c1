"""Answering a file: its texts one chunk after the other, and the answers to take home."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from fuzzsmooth.apps.page.asking import Desk
from fuzzsmooth.apps.page.options import PageOptions
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.files import write_atomic
from fuzzsmooth.common.options import require
from fuzzsmooth.data import TextInput, load_texts
from fuzzsmooth.jobs.answering import Record, Truncated, answer_all
from fuzzsmooth.jobs.sheet import write_sheet
from fuzzsmooth.jobs.statements import Statements

_TOGETHER = 8  # texts at most that are predicted before the next look; a certificate takes that long alone


@dataclass
class FileSeen:
    """What is known so far.

    Attributes:
        total: Texts of the file.
        records: The answers, in order.
        notes: What is to be known of the file.
        statements: What the certificates mean together; at the end.
        downloads: The answers as JSON lines and as a table; at the end.
    """

    total: int
    records: list[Record] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    statements: list[str] = field(default_factory=list)
    downloads: list[str] = field(default_factory=list)

    @property
    def done(self) -> bool:
        """Whether all is there."""
        return bool(self.downloads)


def read_file(path: Path, column: str, desk: Desk, options: PageOptions) -> TextInput:
    """The texts of a file, within the limits of the page.

    Args:
        path: The file as it was uploaded.
        column: Where its texts are, if it has columns.
        desk: What answers.
        options: The limits.

    Raises:
        FuzzsmoothError: If it is too large, has too many or too long texts, or cannot be read.
    """
    try:
        size = path.stat().st_size
        require(
            size <= options.max_file * 1024,
            f"{path} has {size // 1024:,} KiB; the page reads {options.max_file:,} at most (--max-file), "
            "'fuzzsmooth certify' any file",
        )
        texts = load_texts(path, text_column=column.strip() or "text")
    except FuzzsmoothError as error:
        # The place of an upload tells its owner nothing.
        raise FuzzsmoothError(str(error).replace(str(path), path.name)) from error
    skipped, notes = (
        tuple(one.replace(str(path), path.name) for one in told) for told in (texts.skipped, texts.notes)
    )
    texts = replace(texts, skipped=skipped, notes=notes)
    require(
        len(texts) <= options.max_rows,
        f"{path.name} has {len(texts):,} texts; the page answers {options.max_rows:,} at most (--max-rows), "
        "'fuzzsmooth certify' any number",
    )
    for row, text in zip(texts.rows, texts.texts, strict=True):
        desk.check(text, f"{path.name}, row {row}: the text")
    return texts


def answer_file(
    texts: TextInput, name: str, desk: Desk, folder: Path, *, certify: bool
) -> Iterator[FileSeen]:
    """Answer the texts of a file.

    Args:
        texts: They.
        name: Of the file.
        desk: What answers.
        folder: Where the answers to take home are written.
        certify: Whether certificates are wanted.

    Yields:
        What is known, after each chunk.

    Raises:
        FuzzsmoothError: If a text cannot be answered.
    """
    certify = certify and desk.certifies
    seen = FileSeen(len(texts), notes=[*texts.notes, *_skipped(texts)])
    statements = Statements(texts, desk.labels) if certify else None
    truncated = Truncated()
    yield seen
    chunk = 1 if certify else min(_TOGETHER, desk.defense.together(certify=False))

    def ask(some: Any) -> list[Record]:
        return [one.to_json() for one in desk.answer_texts(some, certify=certify)]

    for record in answer_all(texts, ask, title=name, chunk=chunk):
        seen.records.append(record)
        truncated.add(record)
        if statements is not None:
            statements.add(record)
        if len(seen.records) % chunk == 0:
            yield seen
    seen.notes += [one for one in (truncated.sentence(),) if one]
    if statements is not None:
        seen.notes += statements.notes()
        groups = [group for group in statements.groups() if group]
        seen.statements = list(dict.fromkeys(one[min(1, len(one) - 1)].statement() for one in groups))
    seen.downloads = _written(seen.records, name, folder)
    yield seen


def _skipped(texts: TextInput) -> list[str]:
    shown = list(texts.skipped[:3])
    rest = len(texts.skipped) - len(shown)
    return [*shown, *([f"{rest} more rows were left out"] if rest else [])]


def _written(records: list[Record], name: str, folder: Path) -> list[str]:
    """The answers as ``certify --output`` writes them, in a new folder."""
    own = Path(tempfile.mkdtemp(dir=folder))
    stem = Path(name).stem[:60] or "answers"
    lines, table = own / f"{stem}.answers.jsonl", own / f"{stem}.answers.csv"
    content = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    write_atomic(lines, content.encode("utf-8", "surrogatepass"))
    write_sheet(table, records)
    return [str(lines), str(table)]

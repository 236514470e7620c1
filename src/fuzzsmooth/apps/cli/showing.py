"""Where the answers of scan, predict and certify go: JSON lines, a table, a page for people, or a count."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from fuzzsmooth.apps.cli.console import answers, write_json
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.files import check_output_file
from fuzzsmooth.jobs.answering import Record
from fuzzsmooth.jobs.sheet import kept_in, write_sheet

Form = Literal["jsonl", "csv", "parquet"]
_BY_NAME: dict[str, Form] = {".csv": "csv", ".parquet": "parquet"}


@dataclass(frozen=True)
class Output:
    """Where answers go.

    Attributes:
        name: The file or URL that was given; None shows them to people.
        form: What it is.
        json: Whether each is shown as a JSON line.
        kept: The file of JSON lines that a stopped command goes on from; None without an output.
        remote: Where that is put in the end, where the output is a URL.
    """

    name: str | None
    form: Form
    json: bool
    kept: Path | None = None
    remote: str = ""

    @classmethod
    def of(cls, name: str | None, form: Form | None, *, json: bool, source: str | None) -> Output:
        """An output as it was asked for, checked before anything is done for it.

        Args:
            name: A file or a URL, or None.
            form: What it is; by its name if None.
            json: Whether each answer is shown as a JSON line.
            source: What is read, which must not be overwritten.

        Raises:
            FuzzsmoothError: If nothing can be written there, or what is there is somebody else's.
        """
        if name is None:
            return cls(None, "jsonl", json)
        from fuzzsmooth.data.remote import check_remote, fetch, is_remote, local_name

        chosen = form or _BY_NAME.get(PurePosixPath(name).suffix.lower(), "jsonl")
        if chosen == "parquet":
            from fuzzsmooth.apps.cli.columns import check_parquet

            check_parquet()
        if not is_remote(name):
            path = Path(local_name(name))
            kept = kept_in(path, table=chosen != "jsonl")
            check_output_file(kept, source=None if source is None else Path(local_name(source)))
            return cls(str(path), chosen, json, kept)
        if name == source:
            raise FuzzsmoothError(
                f"{name} is the input, which must not be overwritten; give another --output"
            )
        remote = name if chosen == "jsonl" else f"{name}.jsonl"
        kept = _kept_here(remote)
        check_remote(name)
        if not kept.exists():
            fetch(remote, kept)  # a finished run has nothing left to do
        return cls(name, chosen, json, kept, remote)

    def finish(self, records: Iterable[Record]) -> None:
        """Take all answers, in order, and put what was asked for in its place."""
        if self.name is None or self.kept is None:
            deque(records, maxlen=0)
            return
        from fuzzsmooth.data.remote import put

        place = self.kept.with_suffix(f".{self.form}") if self.remote else Path(self.name)
        if self.form == "jsonl":
            deque(records, maxlen=0)
        elif self.form == "csv":
            write_sheet(place, records)
        else:
            from fuzzsmooth.apps.cli.columns import write_parquet

            write_parquet(place, records)
        if self.remote and self.kept.exists():
            if place != self.kept:
                put(place, self.name)
                place.unlink()
            put(self.kept, self.remote)
            self.kept.unlink()


def show_all(
    records: Iterable[Record],
    show: Callable[[Record], list[Any]],
    output: Output,
    *,
    also: Sequence[Callable[[Record], None]] = (),
) -> None:
    """Show answers as they come, keeping none; those in a file are only counted for people.

    Args:
        records: The answers.
        show: Lines for people.
        output: Where they go.
        also: What else is told each answer, such as a count; before it is shown.
    """
    page = answers()
    seen = 0

    def told() -> Iterator[Record]:
        nonlocal seen
        for record in records:
            seen += 1
            for tell in also:
                tell(record)
            if output.json:
                write_json(record)
            elif output.name is None:
                for line in show(record):
                    page.line(line)
            yield record

    output.finish(told())
    if output.name is not None and not output.json:
        beside = f" (and in {output.remote or output.kept})" if output.form != "jsonl" else ""
        page.line(f"{seen} answers in {output.name}{beside}")


def _kept_here(remote: str) -> Path:
    """Where the answers for a URL are kept until all are there."""
    from fuzzsmooth.jobs.seen import state_folder

    try:
        folder = state_folder("answers")
    except RuntimeError as error:
        raise FuzzsmoothError(
            "there is no home folder to keep answers in until all are there; set XDG_STATE_HOME"
        ) from error
    return folder / f"{hashlib.sha256(remote.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}.jsonl"

"""The documents of the repository, cut into what the tests look at: blocks of code, command lines, names."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

_FENCE = re.compile(
    r"(?:<!-- (?P<mark>[^>]+?) -->\n)?^```(?P<language>\w*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL
)
_INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")


@dataclass(frozen=True)
class Block:
    """A fenced block of a document.

    Attributes:
        page: The document, relative to the repository.
        line: Its first line of code.
        language: As behind the fence.
        mark: The hidden comment right above the fence, such as "runnable"; or nothing.
        body: The code.
    """

    page: str
    line: int
    language: str
    mark: str
    body: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> list[Path]:
    """What is written for readers of this repository: README and its like, docs/, and forms for issues."""
    return sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob(".github/*.md")])


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a document."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(
            page.relative_to(ROOT).as_posix(),
            text.count("\n", 0, found.start("body")) + 1,
            found["language"],
            found["mark"] or "",
            found["body"],
        )
        for found in _FENCE.finditer(text)
    ]


def marked(mark: str) -> list[Block]:
    """All blocks of all documents whose mark starts with a word."""
    return [block for page in pages() for block in blocks(page) if block.mark.split(":")[0] == mark]


def prose(page: Path) -> str:
    """A document without its fenced blocks."""
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


def inline(page: Path) -> list[str]:
    """What stands between single backticks in the text of a document."""
    return _INLINE.findall(prose(page))


def command_lines(page: Path) -> Iterator[list[str]]:
    """Every ``fuzzsmooth ...`` of a document that is more than the name, as its arguments, in order."""
    shell = [block.body for block in blocks(page) if block.language in ("sh", "bash", "shell", "console")]
    lines = "\n".join(shell).replace("\\\n", " ").splitlines()
    for line in [*lines, *inline(page)]:
        for part in re.split(r"\s(?:\||&&|;)\s", line.removeprefix("$ ")):
            if part.startswith("fuzzsmooth "):
                yield shlex.split(part, comments=True)[1:]

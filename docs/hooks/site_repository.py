"""Files of the repository as pages of the site: what is written once stays in one place, and links follow it.

Documents outside of docs/ (README, the results, ...) become pages, what they link to comes along: images and
data as they are, source files and folders as pages that show them.
"""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from site_markdown import front

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = {
    "README.md": "project/readme.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "SECURITY.md": "project/security.md",
    "CHANGELOG.md": "project/changelog.md",
    "proofs/README.md": "explanation/proofs.md",
    "examples/README.md": "how-to/examples.md",
}
"""Documents and their pages; those of results/ keep their place."""

_LANGUAGES = {".py": "python", ".toml": "toml", ".yaml": "yaml", ".yml": "yaml", ".sh": "sh", ".v": "coq"}
_FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(\]\()([^)\s]+)(\))")
_INCLUDE = re.compile(r"^<!-- include: (?P<file>[^\s#:]+)(?P<mark>[#:])(?P<part>[\w-]+) -->$", re.MULTILINE)
_HEADING = re.compile(r"^(#+) (.+)$", re.MULTILINE)
_LIST_AFTER_TEXT = re.compile(r"^(?![*\-|#>\s]|\d+\. |<!--)(.+\n)(?=(?:\* |- |\d+\. ))", re.MULTILINE)


def documents() -> dict[str, str]:
    """Documents of the repository, by their path there, to the page that each becomes."""
    results = {
        path.relative_to(ROOT).as_posix(): posixpath.join(
            path.parent.relative_to(ROOT).as_posix(), "index.md" if path.name == "README.md" else path.name
        )
        for path in ROOT.glob("results/**/*.md")
    }
    own = {path.relative_to(ROOT).as_posix(): path.relative_to(ROOT / "docs").as_posix() for path in _own()}
    return {**{name: page for name, page in DOCUMENTS.items() if (ROOT / name).is_file()}, **results, **own}


def _own() -> list[Path]:
    return sorted((ROOT / "docs").glob("**/*.md"))


@dataclass
class Repository:
    """The documents as pages, and what they turned out to need.

    Attributes:
        pages: By path in the repository, the page of each document.
        copied: Files that are copied as they are, by path in the repository and in the site.
        shown: Source files and folders that have pages of their own, likewise.
    """

    pages: dict[str, str] = field(default_factory=documents)
    copied: dict[str, str] = field(default_factory=dict)
    shown: dict[str, str] = field(default_factory=dict)

    def document(self, name: str) -> str:
        """A document as Markdown of the site."""
        text = (ROOT / name).read_text(encoding="utf-8")
        return self.moved(text, name, self.pages[name])

    def heading(self, page: str) -> str:
        """The first heading of a document, by its page."""
        (name,) = (name for name, place in self.pages.items() if place == page)
        found = _HEADING.search((ROOT / name).read_text(encoding="utf-8"))
        return found[2] if found else page

    def moved(self, text: str, name: str, page: str) -> str:
        """A text with its links as they are to be from a page, and lists as Python-Markdown wants them.

        Args:
            text: The Markdown, as it stands in the repository.
            name: The path it is from.
            page: The page it becomes.
        """

        def link(found: re.Match[str]) -> str:
            return found[1] + self._target(found[2], name, page) + found[3]

        def included(found: re.Match[str]) -> str:
            take = section if found["mark"] == "#" else block
            part = take((ROOT / found["file"]).read_text(encoding="utf-8"), found["part"])
            return self.moved(part, found["file"], page)

        text = _INCLUDE.sub(included, text)
        return _outside_fences(text, lambda part: _LIST_AFTER_TEXT.sub(r"\1\n", _LINK.sub(link, part)))

    def _target(self, link: str, name: str, page: str) -> str:
        path, mark, anchor = link.partition("#")
        if not path or ":" in path:
            return link
        wanted = posixpath.normpath(posixpath.join(posixpath.dirname(name), path))
        return _relative(self._place(wanted), page) + mark + anchor

    def _place(self, wanted: str) -> str:
        """Where in the site a file or folder of the repository is; it is brought there if it is not yet."""
        if wanted in self.pages:
            return self.pages[wanted]
        path = ROOT / wanted
        if path.is_dir() and f"{wanted}/README.md" in self.pages:
            return self.pages[f"{wanted}/README.md"]
        if wanted.startswith("docs/"):
            return wanted.removeprefix("docs/")
        if path.is_dir() or path.suffix in _LANGUAGES or not path.suffix:
            self.shown.setdefault(
                wanted, f"source/{wanted}/index.md" if path.is_dir() else f"source/{wanted}.md"
            )
            return self.shown[wanted]
        self.copied.setdefault(wanted, wanted)
        return self.copied[wanted]

    def source_pages(self) -> dict[str, str]:
        """Pages that show source files and folders, by page; also those that folders name."""
        made: dict[str, str] = {}
        while missing := [name for name, page in self.shown.items() if page not in made]:
            for name in missing:
                path, page = ROOT / name, self.shown[name]
                made[page] = self._folder(path, name, page) if path.is_dir() else _file(path, name)
        return made

    def _folder(self, path: Path, name: str, page: str) -> str:
        lines = [front(f"{name}/", searched=False), f"# `{name}/`\n"]
        for file in sorted(path.iterdir()):
            inner = f"{name}/{file.name}"
            if file.is_file() and not file.name.startswith((".", "__")) and file.suffix != ".pyc":
                said = _summary(file)
                lines.append(f"* [`{file.name}`]({_relative(self._place(inner), page)}){said}")
        return "\n".join([*lines, ""])


def section(text: str, anchor: str) -> str:
    """What stands under a heading, up to the next of its level or above.

    Raises:
        ValueError: If there is no such heading.
    """
    level, start = 0, 0
    for heading in _HEADING.finditer(_hidden_fences(text)):
        if level and len(heading[1]) <= level:
            return text[start : heading.start()]
        if not level and heading[2].lower().replace(" ", "-") == anchor:
            level, start = len(heading[1]), heading.end()
    if not level:
        raise ValueError(f"there is no heading '{anchor}' to include")
    return text[start:]


def block(text: str, name: str) -> str:
    """What results/collect.py has put between the marks of a name.

    Raises:
        ValueError: If there are no such marks.
    """
    found = re.search(rf"<!-- results:{name} -->\n(.*?)<!-- /results:{name} -->", text, re.DOTALL)
    if found is None:
        raise ValueError(f"there is no block of results '{name}' to include")
    return found[1]


def _hidden_fences(text: str) -> str:
    """A text of the same length without what stands in fenced blocks."""
    return _FENCE.sub(lambda fence: re.sub(r"[^\n]", " ", fence[0]), text)


def _file(path: Path, name: str) -> str:
    language = _LANGUAGES.get(path.suffix, "text")
    body = path.read_text(encoding="utf-8")
    return f"{front(name, searched=False)}# `{name}`\n\n````{language}\n{body}````\n"


def _summary(file: Path) -> str:
    """What a Python file says of itself first."""
    if file.suffix != ".py":
        return ""
    said = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return f": {said.splitlines()[0]}" if said else ""


def _relative(place: str, page: str) -> str:
    return posixpath.relpath(place, posixpath.dirname(page) or ".")


def _outside_fences(text: str, change: Callable[[str], str]) -> str:
    """A text changed everywhere but in fenced blocks."""
    parts, last = [], 0
    for fence in _FENCE.finditer(text):
        parts += [change(text[last : fence.start()]), fence[0]]
        last = fence.end()
    return "".join([*parts, change(text[last:])])


def public_packages() -> dict[str, list[str]]:
    """The packages that name what they offer, and these names, read without importing anything."""
    found = {}
    for file in sorted((ROOT / "src" / "fuzzsmooth").glob("**/__init__.py")):
        name = ".".join(file.parent.relative_to(ROOT / "src").parts)
        if names := _offered(ast.parse(file.read_text(encoding="utf-8"))):
            found[name] = names
    return {name: found[name] for name in sorted(found, key=lambda one: (one.count("."), one))}


def _offered(module: ast.Module) -> list[str]:
    for statement in module.body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "__all__":
            return list(ast.literal_eval(statement.value))
    return []


def doc(package: str) -> str:
    """What a package says of itself."""
    folder = ROOT / "src" / Path(*package.split("."))
    return ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))) or ""

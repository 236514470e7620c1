"""What MkDocs calls: fills the navigation, adds the derived pages, moves the links of the written ones."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import Any

from mkdocs.structure.files import File, Files
from site_commands import command_pages, file_name, overview
from site_gallery import insert_figures
from site_markdown import front
from site_registries import registry_pages, title_of
from site_repository import ROOT, Repository, doc, public_packages

REPOSITORY = Repository()
_COMMANDS, _THINGS, _PYTHON = "reference/commands", "reference", "reference/python"


def on_config(config: Any) -> Any:
    """Fill the parts of the navigation that are derived."""
    commands = command_pages()
    listed = [{f"fuzzsmooth {words}": f"{_COMMANDS}/{file_name(words)}"} for words in commands]
    parts = {
        "Commands": [f"{_COMMANDS}/index.md", *listed],
        "Methods": [{title_of(kind): f"{_THINGS}/{kind}.md"} for kind in registry_pages()],
        "Python": [{package: f"{_PYTHON}/{package}.md"} for package in public_packages()],
        "Tables of the grid": [{_grid_title(page): page} for page in _pages_under("results/paper/")],
        "Certified accuracy": [
            "results/certificates/index.md",
            *(
                {page.split("/")[2]: page}
                for page in _pages_under("results/certificates/")
                if page.count("/") > 2
            ),
        ],
        "More": [
            {REPOSITORY.heading(page): page}
            for page in _pages_under("results/")
            if page.count("/") == 2 and page.endswith("/index.md") and "certificates" not in page
        ],
    }
    config.nav = [_filled(item, parts) for item in config.nav]
    config.watch += [str(ROOT / name) for name in ("README.md", "results", "src/fuzzsmooth")]
    return config


def on_files(files: Files, *, config: Any) -> Files:
    """Add the derived pages, the documents of the repository, and what they link to."""
    pages = dict(_derived())
    moved = {
        page: REPOSITORY.document(name)
        for name, page in REPOSITORY.pages.items()
        if not name.startswith("docs/")
    }
    for name in (name for name in REPOSITORY.pages if name.startswith("docs/")):
        REPOSITORY.document(name)  # for what it links to; its text is moved when MkDocs reads it
    for page, text in {**pages, **moved, **REPOSITORY.source_pages()}.items():
        files.append(File.generated(config, page, content=text))
    for name, place in REPOSITORY.copied.items():
        files.append(File.generated(config, place, abs_src_path=str(ROOT / name)))
    return files


def on_page_markdown(markdown: str, *, page: Any, config: Any, files: Files) -> str:
    """Move the links of a page that is written under docs/, and put figures where it asks for them."""
    del config, files
    name = f"docs/{page.file.src_uri}"
    if REPOSITORY.pages.get(name) != page.file.src_uri:
        return markdown
    return insert_figures(REPOSITORY.moved(markdown, name, page.file.src_uri))


def _derived() -> Iterator[tuple[str, str]]:
    """The pages that are made from the package."""
    commands = command_pages()
    yield f"{_COMMANDS}/index.md", overview(commands)
    for words, text in commands.items():
        yield f"{_COMMANDS}/{file_name(words)}", text
    for kind, text in registry_pages().items():
        yield f"{_THINGS}/{kind}.md", text
    for package, names in public_packages().items():
        directives = "\n\n".join(f"::: {package}.{name}" for name in names)
        said = doc(package)
        yield f"{_PYTHON}/{package}.md", f"{front(package)}# `{package}`\n\n{said}\n\n{directives}\n"


def _pages_under(folder: str) -> list[str]:
    return sorted(page for page in REPOSITORY.pages.values() if page.startswith(folder))


def _grid_title(page: str) -> str:
    return posixpath.basename(page).removesuffix(".md").replace("-", " ").capitalize()


def _filled(item: Any, parts: dict[str, list[Any]]) -> Any:
    """An item of the navigation in which what is "derived" is filled by its title."""
    if not isinstance(item, dict):
        return item
    ((title, inner),) = item.items()
    if inner == "derived":
        return {title: parts[title]}
    return {title: [_filled(one, parts) for one in inner]} if isinstance(inner, list) else item

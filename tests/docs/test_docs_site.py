"""The documentation site builds without warnings, loads nothing from elsewhere, and has everything in it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from docs_pages import ROOT
from docs_running import environment
from docs_site import Page, broken, read_pages
from site_repository import public_packages

from fuzzsmooth.apps.cli.catalog import FINDERS

Pages = dict[Path, Page]


def loaded_from_elsewhere(site: Path, pages: Pages) -> list[str]:
    styles = {path: path.read_text("utf-8") for path in site.rglob("*.css")}
    pattern = re.compile(r"(?:@import|url\()\s*[\"']?(?:https?:)?//")
    return [f"{path.name}: {page.foreign}" for path, page in pages.items() if page.foreign] + [
        path.name for path, text in styles.items() if pattern.search(text)
    ]


def links_that_lead_nowhere(_site: Path, pages: Pages) -> list[str]:
    return broken(pages)


def methods_without_a_place(site: Path, pages: Pages) -> list[str]:
    return [
        f"{kind}: {name}"
        for kind, find in FINDERS.items()
        for page in [pages[site / "reference" / f"{kind}.html"]]
        for name in find()
        if name not in page.ids and f">{name}<" not in page.text
    ]


def public_names_without_a_place(site: Path, pages: Pages) -> list[str]:
    return [
        f"{package}.{name}"
        for package, names in public_packages().items()
        for name in names
        if not re.search(
            rf'id="[\w.]*\b{name}"', pages[site / "reference" / "python" / f"{package}.html"].text
        )
    ]


def markup_of_docstrings_that_is_left(site: Path, pages: Pages) -> list[str]:
    found = re.compile(r":(?:class|func|meth|data|mod):|&gt;&gt;&gt; radius")  # a doctest is highlighted
    return [path.name for path, page in pages.items() if "python" in path.parts and found.search(page.text)]


def figures_that_are_missing(site: Path, pages: Pages) -> list[str]:
    text = pages[site / "gallery.html"].text
    wanted = len(re.findall("<!-- figure: ", (ROOT / "docs" / "gallery.md").read_text("utf-8")))
    drawn = len(re.findall(r'<div class="fs-figure"', text))
    whole = (
        wanted == drawn + 1 >= 10 and "<mark" in text and "currentColor" in text and "<!-- fig" not in text
    )
    return [] if whole else [f"{drawn} of {wanted}"]


def pages_that_the_search_misses(site: Path, _pages: Pages) -> list[str]:
    index = json.loads((site / "search" / "search_index.json").read_text("utf-8"))
    places = {entry["location"] for entry in index["docs"]}
    wanted = {"tutorial.html", "reference/commands/certify.html", "reference/defenses.html"}
    return [*(wanted - places), *(place for place in places if place.startswith("source/"))]


CHECKS = (
    loaded_from_elsewhere,
    links_that_lead_nowhere,
    methods_without_a_place,
    public_names_without_a_place,
    markup_of_docstrings_that_is_left,
    figures_that_are_missing,
    pages_that_the_search_misses,
)


def test_the_site_builds_without_warnings_and_is_whole(tmp_path: Path) -> None:
    """One test: building it takes as long as many others."""
    for module in ("material", "mkdocstrings", "matplotlib"):
        pytest.importorskip(module, reason="the site is built where the extra 'docs' is installed")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)],
        cwd=ROOT,
        env=environment() | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    pages = read_pages(tmp_path)
    found = {check.__name__: check(tmp_path, pages) for check in CHECKS}
    assert {name: wrong for name, wrong in found.items() if wrong} == {}


def test_control_what_is_foreign_or_broken_is_found(tmp_path: Path) -> None:
    fonts = (
        '<link rel="stylesheet" href="https://fonts.example/css"><script src="//cdn.example/x.js"></script>'
    )
    assert len(Page(fonts).foreign) == 2
    (tmp_path / "a.html").write_text('<a href="b.html#there">b</a><a href="#here">here</a>', "utf-8")
    (tmp_path / "b.html").write_text('<p id="elsewhere">', "utf-8")
    assert sorted(broken(read_pages(tmp_path))) == ["a.html: #here", "a.html: b.html#there"]

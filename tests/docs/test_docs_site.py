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


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, as `make docs` builds it."""
    for module in ("material", "mkdocstrings", "matplotlib"):
        pytest.importorskip(module, reason="the site is built where the extra 'docs' is installed")
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        env=environment() | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    return read_pages(site)


def test_nothing_is_loaded_from_elsewhere(site: Path, pages: dict[Path, Page]) -> None:
    assert {path.name: page.foreign for path, page in pages.items() if page.foreign} == {}
    styles = "".join(path.read_text("utf-8") for path in site.rglob("*.css"))
    assert not re.search(r"(?:@import|url\()\s*[\"']?(?:https?:)?//", styles)


def test_links_lead_somewhere(pages: dict[Path, Page]) -> None:
    assert broken(pages) == []


def test_every_method_has_its_place(site: Path, pages: dict[Path, Page]) -> None:
    for kind, find in FINDERS.items():
        page = site / "reference" / f"{kind}.html"
        missing = [
            name for name in find() if name not in pages[page].ids and f">{name}<" not in pages[page].text
        ]
        assert missing == [], kind


def test_every_public_name_has_its_place(site: Path, pages: dict[Path, Page]) -> None:
    for package, names in public_packages().items():
        text = pages[site / "reference" / "python" / f"{package}.html"].text
        assert [name for name in names if not re.search(rf'id="[\w.]*\b{name}"', text)] == [], package


def test_roles_and_doctests_of_docstrings_are_markup_of_the_page(site: Path) -> None:
    text = "".join(path.read_text("utf-8") for path in (site / "reference" / "python").glob("*.html"))
    assert not re.search(r":(?:class|func|meth|data|mod):", text)
    assert "&gt;&gt;&gt; radius" not in text  # they are highlighted, so each name is an element of its own


def test_figures_are_drawn_and_follow_the_colors_of_the_page(site: Path) -> None:
    text = (site / "gallery.html").read_text("utf-8")
    assert len(re.findall(r'<div class="fs-figure"', text)) == 10
    assert "<!-- figure" not in text
    assert "currentColor" in text
    assert "<mark" in text


def test_the_search_knows_the_pages(site: Path) -> None:
    index = json.loads((site / "search" / "search_index.json").read_text("utf-8"))
    places = {entry["location"] for entry in index["docs"]}
    assert {"tutorial.html", "reference/commands/certify.html", "reference/defenses.html"} <= places
    assert not any(place.startswith("source/") for place in places)


def test_control_what_is_foreign_or_broken_is_found(tmp_path: Path) -> None:
    fonts = (
        '<link rel="stylesheet" href="https://fonts.example/css"><script src="//cdn.example/x.js"></script>'
    )
    assert len(Page(fonts).foreign) == 2
    (tmp_path / "a.html").write_text('<a href="b.html#there">b</a><a href="#here">here</a>', "utf-8")
    (tmp_path / "b.html").write_text('<p id="elsewhere">', "utf-8")
    assert sorted(broken(read_pages(tmp_path))) == ["a.html: #here", "a.html: b.html#there"]

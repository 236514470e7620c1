"""Links lead somewhere, and every file, folder and Python name that a document mentions is there."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest
from docs_pages import ROOT, blocks, inline, pages, prose

_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_PATH = re.compile(r"(?:src|tests|docs|examples|benchmarks|results|\.github)/[\w./-]*\w/?")
_SCRIPT = re.compile(r"python ((?:examples|benchmarks|results)/\S+\.py)")
_NAME = re.compile(r"fuzzsmooth(?:\.\w+)+")
EVERYWHERE = sorted([*pages(), *ROOT.glob("results/**/*.md"), *ROOT.glob("examples/*.md")])
RELATIVE = [path.relative_to(ROOT).as_posix() for path in EVERYWHERE]


def anchors(page: Path) -> set[str]:
    """The anchors of the headings of a document, as GitHub makes them."""
    plain = [re.sub(r"[`*]", "", heading).lower() for heading in _HEADING.findall(prose(page))]
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in plain}


def importable(name: str) -> bool:
    """Whether a dotted name is a module, or an attribute of one."""
    module, _, attribute = name.rpartition(".")
    try:
        importlib.import_module(name)
    except ModuleNotFoundError:
        return bool(module) and importable(module) and hasattr(importlib.import_module(module), attribute)
    return True


@pytest.mark.parametrize("page", RELATIVE)
def test_links_lead_somewhere(page: str) -> None:
    path = ROOT / page
    broken = []
    for link in _LINK.findall(prose(path)):
        target, _, anchor = link.partition("#")
        if ":" in link:
            continue
        place = (path.parent / target).resolve() if target else path
        if not place.exists() or (anchor and place.suffix == ".md" and anchor not in anchors(place)):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("page", [path.name for path in pages() if path.name != "CHANGELOG.md"])
def test_files_and_names_are_there(page: str) -> None:
    path = next(path for path in pages() if path.name == page)
    told = inline(path)
    files = [found for text in told for found in _PATH.findall(text) if text.startswith(found)]
    assert [file for file in files if not (ROOT / file).exists()] == []
    names = [text for text in told if _NAME.fullmatch(text)]
    assert [name for name in names if not importable(name)] == []


def test_scripts_named_in_blocks_are_there() -> None:
    lines = [line for page in EVERYWHERE for block in blocks(page) for line in block.body.splitlines()]
    named = {
        found
        for line in lines
        for found in re.findall(r"python ((?:examples|benchmarks|results)/\S+\.py)", line)
    }
    assert [script for script in sorted(named) if not (ROOT / script).exists()] == []

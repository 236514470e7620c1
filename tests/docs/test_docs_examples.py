"""Every example runs offline in a fresh folder and prints what its head says it prints."""

from __future__ import annotations

import ast
import doctest
import textwrap
from pathlib import Path

import pytest
from docs_pages import ROOT
from docs_running import run_python

EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


def promised(script: Path) -> str:
    """The output that the docstring of a script shows behind "Prints::"."""
    head = ast.get_docstring(ast.parse(script.read_text(encoding="utf-8"))) or ""
    _, found, output = head.partition("Prints::\n")
    assert found, f"{script.name}: its docstring does not end with 'Prints::' and the output"
    return textwrap.dedent(output).strip() + "\n"


@pytest.mark.parametrize("script", EXAMPLES, ids=lambda script: script.name)
def test_an_example_prints_what_it_says(script: Path, tmp_path: Path) -> None:
    printed, wanted = run_python(script, tmp_path), promised(script)
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    assert doctest.OutputChecker().check_output(wanted, printed, flags), f"it printed:\n{printed}"


def test_every_example_is_listed_in_its_table_of_contents() -> None:
    listed = (ROOT / "examples" / "README.md").read_text(encoding="utf-8")
    assert [script.name for script in EXAMPLES if f"({script.name})" not in listed] == []

"""The Python blocks of the documents that are marked as runnable run as they are written, offline."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from docs_pages import Block, marked
from docs_running import run_python


@pytest.mark.parametrize("block", marked("runnable"), ids=str)
def test_a_runnable_block_runs(block: Block, tmp_path: Path) -> None:
    printed = run_python(block.body, tmp_path)
    told = re.findall(r"^print\(.*\)  # ([^\s:]+): ", block.body, re.MULTILINE)
    assert not told or printed.split() == told  # a comment "# 6: ..." says what its line prints


def test_there_are_runnable_blocks() -> None:
    assert "README.md" in {block.page for block in marked("runnable")}


def test_control_a_block_that_fails_is_reported(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        run_python("1 / 0", tmp_path)

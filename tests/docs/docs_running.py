"""Running what a reader would run: a fresh Python, an empty folder, no network, no warnings of ours."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from docs_pages import ROOT


def environment(*paths: Path) -> dict[str, str]:
    """The environment of a reader who has this repository installed, and ``paths`` beside it."""
    places = [str(ROOT / "src"), *map(str, paths), os.environ.get("PYTHONPATH", "")]
    return os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, places)),
        "HF_HUB_OFFLINE": "1",
        "NO_COLOR": "1",
        "COLUMNS": "120",
    }


def run_python(code: str | Path, folder: Path, *paths: Path) -> str:
    """What a piece of code, or a script, prints when it runs in a folder; it must succeed.

    Args:
        code: The code, or the path of a script.
        folder: Where it runs.
        *paths: Where other packages are found.
    """
    script = folder / "block.py" if isinstance(code, str) else code
    if isinstance(code, str):
        script.write_text(code, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "error::DeprecationWarning:fuzzsmooth", str(script)],
        cwd=folder,
        env=environment(*paths),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"{script.name} failed:\n{done.stdout}\n{done.stderr}"
    return done.stdout

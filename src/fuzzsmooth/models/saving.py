"""Writing a model folder whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from fuzzsmooth.common.errors import FuzzsmoothError

MARKER = "fuzzsmooth.json"
"""File that marks a model folder as written by fuzzsmooth, which may be replaced; holds ``max_length``."""


def replace_folder(folder: Path, write: Callable[[Path], None]) -> None:
    """Let ``write`` fill a temporary folder beside ``folder``, then put it in its place.

    Args:
        folder: The folder to create; an empty one or one written by fuzzsmooth before is replaced.
        write: Writes the files into the folder it is given.

    Raises:
        FuzzsmoothError: If ``folder`` holds something else, or cannot be written; it stays as it was.
    """
    folder = Path(os.path.abspath(folder.expanduser()))
    _check_replaceable(folder)
    temporary: Path | None = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
        content = temporary / "new"
        content.mkdir()
        write(content)
        _share(content, temporary / "mode")
        _swap(content, folder, temporary / "old")
    except Exception as error:  # safetensors and tokenizers report a full disk by errors of their own.
        reason = getattr(error, "strerror", None) or str(error).partition("\n")[0] or type(error).__name__
        raise FuzzsmoothError(
            f"cannot write {folder} ({reason}); free space or choose another place"
        ) from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def _share(content: Path, probe: Path) -> None:
    """Give all files the permissions of a file written plainly; some writers keep theirs to the owner."""
    probe.touch()
    mode = probe.stat().st_mode
    for path in content.rglob("*"):
        if path.is_file():
            path.chmod(mode)


def _check_replaceable(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise FuzzsmoothError(f"{folder} is a file; choose a folder to save the model in")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / MARKER).is_file():
        raise FuzzsmoothError(
            f"{folder} holds other files; choose a new or an empty folder to save the model in"
        )


def _swap(content: Path, folder: Path, old: Path) -> None:
    if not folder.exists():
        os.rename(content, folder)
        return
    if folder.is_symlink():
        folder = folder.resolve()
    os.rename(folder, old)
    try:
        os.rename(content, folder)
    except OSError:
        os.rename(old, folder)
        raise

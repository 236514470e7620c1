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
FITTED_FOLDER = "fuzzsmooth-fitted"
"""Folder of what the defense of a model has learned, beside its weights."""
POISONED_DATA = "poisoned.jsonl"
"""The data that an attack has poisoned, beside the model that it made of them."""
_WRITTEN = frozenset({".safetensors", ".json", ".txt", ".model", ".jinja", ".sig", ".md", ".tiktoken"})


def foreign_file(folder: Path) -> Path | None:
    """A file in a folder that no saved model has, if there is one; hidden ones are not looked at."""
    for path in sorted(folder.iterdir()):
        known = path.suffix in _WRITTEN or path.name == POISONED_DATA
        if path.name.startswith(".") or (path.name == FITTED_FOLDER if path.is_dir() else known):
            continue
        return path
    return None


def replace_folder(folder: Path, write: Callable[[Path], None]) -> None:
    """Let ``write`` fill a temporary folder beside ``folder``, then put it in its place.

    Args:
        folder: The folder to create; an empty one or one written by fuzzsmooth before is replaced.
        write: Writes the files into the folder it is given.

    Raises:
        FuzzsmoothError: If ``folder`` holds something else, or cannot be written; it stays as it was.
    """
    folder = Path(os.path.abspath(folder.expanduser()))
    check_replaceable(folder)
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


def check_replaceable(folder: Path) -> None:
    """Check that a model can be saved to a folder: a new or empty one, or one of a model alone.

    Raises:
        FuzzsmoothError: If there is a file, or a folder with other things in it.
    """
    if folder.exists() and not folder.is_dir():
        raise FuzzsmoothError(f"{folder} is a file; choose a folder to save the model in")
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    if not (folder / MARKER).is_file():
        raise FuzzsmoothError(
            f"{folder} holds other files; choose a new or an empty folder to save the model in"
        )
    foreign = foreign_file(folder)
    if foreign is not None:
        raise FuzzsmoothError(
            f"{folder} would be replaced, and holds {foreign.name}, which is of no model; move it elsewhere, "
            "or choose another folder to save the model in"
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

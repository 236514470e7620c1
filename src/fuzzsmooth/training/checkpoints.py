"""Where a training run keeps its checkpoints, and which one it may go on from."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.files import write_json
from fuzzsmooth.common.reading import read_json


class Checkpoints:
    """The checkpoints of one run, in a folder beside its output: ``victim`` has ``victim.checkpoints``.

    Args:
        output: The run's folder, or None if nothing is kept.
        settings: What decides the result; a checkpoint is only resumed under equal settings.
    """

    def __init__(self, output: Path | None, settings: Mapping[str, Any]) -> None:
        self._folder = None if output is None else output.with_name(f"{output.name}.checkpoints")
        self._settings = json.loads(json.dumps(settings))

    @property
    def kept(self) -> bool:
        """Whether there is a folder to keep checkpoints in."""
        return self._folder is not None

    def prepare(self, resume: bool) -> str | None:
        """Make the folder ready: empty for a new run, or with a checkpoint to go on from.

        Returns:
            The newest complete checkpoint if ``resume`` and there is one, else None.

        Raises:
            FuzzsmoothError: If the checkpoints there belong to other settings.
        """
        if self._folder is None:
            return None
        newest = _newest_complete(self._folder) if resume else None
        if newest is None:
            shutil.rmtree(self._folder, ignore_errors=True)
            write_json(self._folder / "settings.json", self._settings)
            return None
        if _read(self._folder / "settings.json") != self._settings:
            raise FuzzsmoothError(
                f"{self._folder} is of other options, data or starting weights; use those or start anew"
            )
        return str(newest)

    def remove(self) -> None:
        """Delete the checkpoints, once the result is safe."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    @contextmanager
    def folder(self) -> Iterator[Path]:
        """The folder, or a temporary one that vanishes if nothing is kept."""
        if self._folder is not None:
            yield self._folder
            return
        with tempfile.TemporaryDirectory(prefix="fuzzsmooth-training-") as temporary:
            yield Path(temporary)


def _newest_complete(folder: Path) -> Path | None:
    # The trainer writes its state last, so a readable one marks a complete checkpoint.
    found = [path for path in folder.glob("checkpoint-*") if path.name.removeprefix("checkpoint-").isdigit()]
    found.sort(key=lambda path: int(path.name.removeprefix("checkpoint-")), reverse=True)
    return next((path for path in found if _read(path / "trainer_state.json") is not None), None)


def _read(path: Path) -> Any:
    try:
        return read_json(path)
    except FuzzsmoothError:
        return None

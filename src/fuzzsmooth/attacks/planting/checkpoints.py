"""What is kept of a poisoning until its model is written, so that a stopped run goes on exactly."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.files import write_atomic, write_json
from fuzzsmooth.common.reading import read_json

Tensors = dict[str, torch.Tensor]


class Checkpoints:
    """The folder beside the output: ``model`` has ``model.checkpoints``.

    It holds the state of the poisoning after its last whole epoch, and with RIPPLES the fine-tuned copy that
    surgery takes its embeddings from, with that fine-tuning's own checkpoints while it lasts. Surgery itself
    takes moments and is done again.

    Args:
        output: Folder of the attacked model.
        settings: What decides the result; a run is only resumed under equal settings.
        resume: Keep what a stopped run has left; otherwise it is deleted.

    Raises:
        FuzzsmoothError: If what is left belongs to other settings, or the folder cannot be written.
    """

    def __init__(self, output: Path, settings: Mapping[str, Any], *, resume: bool) -> None:
        self._folder = output.with_name(f"{output.name}.checkpoints")
        self._state = self._folder / "poisoning.safetensors"
        self.copy = self._folder / "copy"
        """Output of the copy's fine-tuning."""
        wanted = json.loads(json.dumps(settings))
        if resume and self._anything_left():
            if _read(self._folder / "settings.json") != wanted:
                raise FuzzsmoothError(
                    f"{self._folder} is of another attack (other options, data, seed or starting weights); "
                    "repeat that one or start anew"
                )
            return
        self.remove()
        write_json(self._folder / "settings.json", wanted)

    @property
    def copy_is_finished(self) -> bool:
        """Whether the copy is tuned; its record is written last."""
        return (self.copy / "training.json").is_file()

    def save_state(self, tensors: Tensors) -> None:
        """Keep the state of the poisoning in place of the one before, atomically.

        Raises:
            FuzzsmoothError: If the disk is full or the place cannot be written; the one before stays.
        """
        write_atomic(self._state, save(tensors))

    def load_state(self) -> Tensors | None:
        """The last kept state of the poisoning, or None if it has not come that far.

        Raises:
            FuzzsmoothError: If the file is damaged.
        """
        if not self._state.is_file():
            return None
        try:
            return load_file(self._state)
        except (SafetensorError, OSError) as error:
            raise FuzzsmoothError(f"{self._state} is damaged; start the attack anew") from error

    def remove(self) -> None:
        """Delete the folder, once the result is safe."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _anything_left(self) -> bool:
        begun = any(self._folder.glob("copy.checkpoints/checkpoint-*"))
        return begun or self.copy_is_finished or self._state.is_file()


def _read(path: Path) -> Any:
    try:
        return read_json(path)
    except FuzzsmoothError:
        return None

"""Small sound models to be broken, and how that is done."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.models import load_classifier

WORDS = ["a", "good", "film", "bad", "dull", "bright"]


def refused(folder: Path | str, **options) -> str:
    """The one sentence with which loading is refused."""
    with pytest.raises(FuzzsmoothError) as caught:
        load_classifier(str(folder), **options)
    message = str(caught.value)
    assert "\n" not in message
    assert ". " not in message.replace("... ", "")
    assert len(message) < 500
    return message


def edit_json(path: Path, **changes) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def edit_tensors(folder: Path, change) -> None:
    tensors = load_file(folder / "model.safetensors")
    save_file(change(dict(tensors)), folder / "model.safetensors", metadata={"format": "pt"})

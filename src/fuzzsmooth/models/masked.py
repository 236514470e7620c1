"""A checkpoint as a masked language model, treated as hostile like every other."""

from __future__ import annotations

from typing import Any

from fuzzsmooth.models.building import build_masked_model, explained
from fuzzsmooth.models.checkpoint import settle_configuration
from fuzzsmooth.models.files import model_files
from fuzzsmooth.models.loading import load_config
from fuzzsmooth.models.quiet import quiet_transformers


def load_masked_model(name: str, *, allow_bin: bool = False) -> Any | None:
    """The masked language model of a checkpoint, in float32; None if it was saved without such a head.

    Args:
        name: As in :func:`fuzzsmooth.models.load_classifier`.
        allow_bin: The same.

    Raises:
        UnsafeModelError: If the checkpoint could run code.
        FuzzsmoothError: If it is missing or damaged.
    """
    files = model_files(name, allow_bin=allow_bin)
    with quiet_transformers():
        config = load_config(files.folder, name)
        tensors = files.tensors(allow_bin=allow_bin)
        with explained(f"{name}: config.json does not describe a model that transformers knows"):
            settle_configuration(config, tensors)
        return build_masked_model(config, tensors, name)

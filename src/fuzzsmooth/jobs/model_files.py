"""The files of a model, as evidence names them."""

from __future__ import annotations

import hashlib
from pathlib import Path

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.models import resolve_model
from fuzzsmooth.models.remote.endpoint import refuse_remote

_HASHED = (".safetensors", ".json", ".txt", ".model", ".bin")


def artifact(model: str) -> str:
    """A relative path of the weights that stays the same from run to run."""
    source = resolve_model(model)
    if source.kind == "folder":
        files = sorted(path.name for path in Path(source.location).glob("*.safetensors"))
        return files[0] if files else "model"
    return "".join(one if one.isalnum() or one in "-_./" else "-" for one in model).lstrip("/")


def hashes(model: str) -> dict[str, str]:
    """SHA-256 (hex) of the files of a local model, by name; none of one from the hub.

    Raises:
        FuzzsmoothError: If a file cannot be read, or the model is behind an endpoint.
    """
    source = resolve_model(model)
    if source.kind == "endpoint":
        raise refuse_remote(model)
    if source.kind == "hub":
        return {}
    found = {}
    for path in sorted(Path(source.location).iterdir()):
        if path.is_file() and path.suffix in _HASHED and not path.name.startswith("."):
            try:
                with path.open("rb") as stream:
                    found[path.name] = hashlib.file_digest(stream, "sha256").hexdigest()
            except OSError as error:
                reason = f"cannot read {path}: {error.strerror}; fetch the model again"
                raise FuzzsmoothError(reason) from error
    return found

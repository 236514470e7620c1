"""Where a model comes from: one known by name, a local folder, or a hub name."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.models.model import MODELS
from fuzzsmooth.models.remote.endpoint import Endpoint, is_remote, refuse_remote

_BUILTIN = "builtin:"  # before the name of a registered model

_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
# Only what a classifier needs: no other framework's weights, no Python files, nothing in subfolders.
_HUB_FILES = ["*.json", "model*.safetensors", "adapter_model.safetensors", "*.txt", "*.model"]
_HUB_BIN_FILES = ["pytorch_model*.bin", "pytorch_model.bin.index.json"]


@dataclass(frozen=True)
class ResolvedModel:
    """Where a model name points to.

    Attributes:
        name: The name as the user wrote it, for messages.
        location: The folder's path, the hub id, or the address of a remote model.
        kind: What ``location`` is.
    """

    name: str
    location: str
    kind: Literal["builtin", "folder", "hub", "endpoint"]


def model_name(model: object) -> str:
    """A model's name, given as a string or as a path.

    Raises:
        FuzzsmoothError: If it is something else, such as a model that is loaded already.
    """
    name = os.fspath(model) if isinstance(model, str | os.PathLike) else None
    if not isinstance(name, str):
        raise FuzzsmoothError(
            f"expected the name of a model, got an object of type {type(model).__name__}; give a folder, a "
            "hub name or 'builtin:minilm' (a loaded one goes into SmoothedClassifier(classifier, options))"
        )
    return name


def resolve_model(name: str) -> ResolvedModel:
    """Tell what a model name means; a local folder wins over a hub name.

    Nothing is downloaded, and no weights are read except to check the hash of the packaged model.

    Args:
        name: ``builtin:minilm`` or another of :data:`~fuzzsmooth.models.model.MODELS`, the path of a folder,
            a hub name (``user/model``), or a remote model (``openai:https://host/v1#model``).

    Raises:
        FuzzsmoothError: If the name is none of these, with what it looks like.
        MissingExtraError: If the packaged model is not installed.
        UnsafeModelError: If the packaged model is not the one that was pinned.
    """
    if name.startswith(_BUILTIN):
        return ResolvedModel(name, str(MODELS.get(name.removeprefix(_BUILTIN))().folder()), "builtin")
    if is_remote(name):
        return ResolvedModel(name, Endpoint.of(name).url, "endpoint")
    if not name.strip() or "\0" in name:
        raise FuzzsmoothError(
            f"the model name {name!r} is not a name; give builtin:minilm, a folder or a hub name"
        )
    path = Path(name)
    try:
        path = path.expanduser()
        is_folder, is_file = path.is_dir(), path.is_file()
    except (OSError, RuntimeError) as error:  # Too long a name, no permission, no such home.
        raise FuzzsmoothError(
            f"the folder {name[:80]} cannot be looked up ({type(error).__name__})"
        ) from error
    if is_folder:
        return ResolvedModel(name, str(path), "folder")
    if is_file:
        raise FuzzsmoothError(
            f"{name} is a file; give the folder that holds config.json and model.safetensors"
        )
    if ".." in name or not _HUB_NAME.fullmatch(name):
        raise FuzzsmoothError(
            f"there is no folder {name}; give a model's folder, a hub name or builtin:minilm"
        )
    return ResolvedModel(name, name, "hub")


def model_folder(source: ResolvedModel, *, allow_bin: bool = False) -> Path:
    """The local folder of a resolved model; a hub model is downloaded or taken from the cache.

    Raises:
        FuzzsmoothError: If the hub cannot be reached, or has no such model, and the cache has none either;
            or if it is a remote model, which has no folder.
    """
    if source.kind == "endpoint":
        raise refuse_remote(source.name)
    if source.kind != "hub":
        return Path(source.location)
    folder = _download(source.location, _HUB_FILES)
    if allow_bin and not any(folder.glob("model*.safetensors")):
        folder = _download(source.location, _HUB_FILES + _HUB_BIN_FILES)
    return folder


def _download(hub_id: str, patterns: list[str]) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
    )

    nowhere = f"model '{hub_id}' is neither a folder here nor"
    try:
        return Path(snapshot_download(hub_id, allow_patterns=patterns, ignore_patterns=["*/*"]))
    except GatedRepoError as error:
        raise FuzzsmoothError(
            f"model '{hub_id}' asks for an agreement on its hub page; accept it there and log in first"
        ) from error
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise FuzzsmoothError(f"{nowhere} a model on the hub that can be read; check the name") from error
    except LocalEntryNotFoundError as error:
        raise FuzzsmoothError(
            f"{nowhere} in the local cache, and the hub cannot be reached (offline?); "
            "check the name and the network, or give a folder"
        ) from error
    except (OSError, ValueError, RuntimeError) as error:
        # Every way a network fails; httpx and requests errors are OSError or RuntimeError by version.
        raise FuzzsmoothError(
            f"model '{hub_id}' could not be downloaded ({type(error).__name__}); try again or give a folder"
        ) from error

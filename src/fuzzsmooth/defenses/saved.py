"""A defended classifier on disk: the model, its defense with options, and reference texts, in one folder.

Nothing inside a folder proves who wrote it: a fingerprint or a mark can be forged along with the weights.
Whoever chose the options chose how well the model is protected, and whoever chose the references can choose
ones that hide a backdoor, as the transplant test sees a trigger only where it overrules a reference. Hence
nothing of this is ever taken from the hub, and a local folder is trusted because its owner named it; one
that was downloaded deserves options and references of one's own.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.files import write_json
from fuzzsmooth.common.options import Options, require
from fuzzsmooth.common.reading import CONFIGURATION_BYTES, read_json_object
from fuzzsmooth.defenses.defense import DEFENSES, Defense
from fuzzsmooth.engine.options import SearchedOptions
from fuzzsmooth.models.saving import FITTED_FOLDER
from fuzzsmooth.models.sources import resolve_model
from fuzzsmooth.search.references import References

OPTIONS_FILE = "fuzzsmooth-options.json"
"""The defense and its options beside a model's weights."""

REFERENCES_FILE = "fuzzsmooth-references.json"
"""The references beside a model's weights."""

_VERSION = 2


@runtime_checkable
class Saved(Protocol):
    """A classifier that can be written to a folder."""

    def save(self, folder: str | Path, beside: Callable[[Path], None] = ...) -> Path:
        """Write the model, and let ``beside`` add files to its folder before that takes its place."""
        ...


@dataclass(frozen=True)
class SavedDefense:
    """What the options file of a folder names.

    Attributes:
        defense: Name of the defense.
        options: Its options.
    """

    defense: str
    options: Options


def save_defense(defended: Defense, folder: Path) -> Path:
    """Write a model with its defense, options and references, whole or not at all.

    Raises:
        FuzzsmoothError: If the classifier is a function, which cannot be saved, or the folder holds other
            files or cannot be written.
    """
    classifier = defended.classifier
    if not isinstance(classifier, Saved):
        raise FuzzsmoothError(
            "only a Hugging Face model can be saved, and this classifier is a function; keep its options by "
            "options.to_mapping()"
        )
    return classifier.save(
        folder,
        lambda content: write_beside(
            content, defended.name, defended.options, defended.references, defended.fitted_in
        ),
    )


def write_beside(
    folder: Path,
    defense: str,
    options: Options,
    references: References | None,
    fitted: Path | None = None,
) -> None:
    """Write the options and references of a defense, and what it has learned, into the folder of a model."""
    content = {"version": _VERSION, "defense": defense, "options": options.to_mapping()}
    write_json(folder / OPTIONS_FILE, content)
    if references is not None:
        references.save(folder / REFERENCES_FILE)
    if fitted is not None and fitted.is_dir():
        shutil.copytree(fitted, folder / FITTED_FOLDER)


def saved_defense(model: str) -> SavedDefense | None:
    """The defense beside the weights of a local folder, or None where there is none.

    Raises:
        FuzzsmoothError: If the file is no options file.
    """
    source = resolve_model(model)
    file = Path(source.location) / OPTIONS_FILE
    if source.kind != "folder" or not file.is_file():
        return None
    mend = "delete it, or give a defense and options"
    content: dict[str, Any] = read_json_object(file, limit=CONFIGURATION_BYTES, mend=mend)
    name, given = content.get("defense"), content.get("options")
    require(
        content.get("version") == _VERSION and isinstance(name, str) and isinstance(given, dict),
        f"{file} is not an options file of version {_VERSION}; {mend}",
    )
    assert isinstance(name, str)
    assert isinstance(given, dict)
    kind = DEFENSES.get(name)
    return SavedDefense(name, kind.options_type.from_mapping(given, where=str(file)))


def restore_beside(defended: Defense, model: str) -> None:
    """Give a defense what it has learned, where it lies beside the weights of a local folder."""
    source = resolve_model(model)
    folder = Path(source.location) / FITTED_FOLDER
    if source.kind == "folder" and folder.is_dir():
        saved = saved_defense(model)
        if saved is not None and saved.defense == defended.name:
            defended.restore(folder)


def references_beside(model: str, options: Options) -> References | None:
    """The reference texts beside the weights of a local folder.

    Args:
        model: As in :func:`fuzzsmooth.models.load_classifier`.
        options: The options of the defense, which tell whether references are needed.

    Returns:
        The references, or None where there are none to be trusted.

    Raises:
        FuzzsmoothError: If a hub model is to be searched by transplants, or the file is no references file.
    """
    source = resolve_model(model)
    searches = isinstance(options, SearchedOptions) and options.fuzzing
    if source.kind == "hub" and searches and options.search.reward != "kl":  # type: ignore[attr-defined]
        raise FuzzsmoothError(
            f"model '{model}' comes from the hub (there is no folder of that name), and reference texts of "
            "its maker's choice could hide a backdoor; check the name, or give clean data (--clean) or "
            "references (--references) of your own, choose reward 'kl', or turn fuzzing off"
        )
    file = Path(source.location) / REFERENCES_FILE
    return References.load(file) if source.kind == "folder" and file.is_file() else None

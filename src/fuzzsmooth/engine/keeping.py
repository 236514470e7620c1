"""A smoothed classifier on disk: the model, the options, and the reference texts, in one folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.files import write_json
from fuzzsmooth.common.options import require
from fuzzsmooth.common.reading import CONFIGURATION_BYTES, read_json_object
from fuzzsmooth.engine.beside import REFERENCES_FILE
from fuzzsmooth.engine.options import SmoothingOptions
from fuzzsmooth.models.sources import resolve_model
from fuzzsmooth.search.references import References

OPTIONS_FILE = "fuzzsmooth-options.json"
"""The options beside a model's weights."""

_VERSION = 1


@runtime_checkable
class Saved(Protocol):
    """A classifier that can be written to a folder."""

    def save(self, folder: str | Path, beside: Callable[[Path], None] = ...) -> Path:
        """Write the model, and let ``beside`` add files to its folder before that takes its place."""
        ...


def save_smoothed(
    classifier: object, options: SmoothingOptions, references: References | None, folder: Path
) -> Path:
    """Write a model with its options and references, whole or not at all.

    Raises:
        FuzzsmoothError: If the classifier is a function, which cannot be saved, or the folder holds other
            files or cannot be written.
    """
    if not isinstance(classifier, Saved):
        raise FuzzsmoothError(
            "only a Hugging Face model can be saved, and this classifier is a function; keep its options by "
            "options.to_mapping()"
        )

    def beside(content: Path) -> None:
        write_json(content / OPTIONS_FILE, {"version": _VERSION, "options": options.to_mapping()})
        if references is not None:
            references.save(content / REFERENCES_FILE)

    return classifier.save(folder, beside)


def saved_options(model: str) -> SmoothingOptions | None:
    """The options beside the weights of a local folder, or None where there are none.

    As with references, nothing is taken from the hub: whoever wrote the options chose how well the model
    is protected.

    Raises:
        FuzzsmoothError: If the file is no options file.
    """
    source = resolve_model(model)
    file = Path(source.location) / OPTIONS_FILE
    if source.kind != "folder" or not file.is_file():
        return None
    mend = "delete it, or give options"
    content: dict[str, Any] = read_json_object(file, limit=CONFIGURATION_BYTES, mend=mend)
    version = content.get("version")
    require(
        version == _VERSION and isinstance(content.get("options"), dict),
        f"{file} is not an options file of version {_VERSION}; {mend}",
    )
    return SmoothingOptions.from_mapping(content["options"], where=str(file))

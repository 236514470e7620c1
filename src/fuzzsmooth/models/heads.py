"""The classes that a checkpoint was trained for: a head keeps them, in their order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.options import require
from fuzzsmooth.common.reading import CONFIGURATION_BYTES, read_json_object
from fuzzsmooth.models.files import ModelFiles, model_files

_OLDER_WRITERS = ("GPT2LMHeadModel", "OpenAIGPTLMHeadModel", "CTRLLMHeadModel")  # others fill gaps


def head_labels(name: str, *, allow_bin: bool = False) -> tuple[str, ...] | None:
    """The class names of a checkpoint's classifier head, in the order of its outputs.

    Only the configuration is read: transformers writes down there what kind of model was saved.

    Args:
        name: As in :func:`fuzzsmooth.models.load_classifier`.
        allow_bin: The same.

    Returns:
        The names, "LABEL_0", ... where it has none; ``None`` if it was not saved as a classifier.

    Raises:
        FuzzsmoothError: If the model is missing, or its configuration is broken.
    """
    files = model_files(name, allow_bin=allow_bin)
    return saved_labels(files, name)


def saved_labels(files: ModelFiles, name: str) -> tuple[str, ...] | None:
    """As :func:`head_labels`, for the files of a model and what to call it."""
    config = read_json_object(files.folder / "config.json", limit=CONFIGURATION_BYTES)
    saved, names = config.get("architectures"), config.get("id2label")
    if isinstance(saved, list) and saved:
        is_classifier = any(str(one).endswith("ForSequenceClassification") for one in saved)
    else:
        is_classifier = isinstance(names, dict)
    brought = files.adapter_classes()
    found = None
    if is_classifier:
        found = _placeholders(config) if names is None else _named(names, name)
    if brought is None or (found is not None and len(found) == brought):
        return found
    return _placeholders({"num_labels": brought})  # an adapter's configuration names no classes


def writes(name: str, *, allow_bin: bool = False) -> bool:
    """Whether a checkpoint was saved as a causal language model, as its configuration tells.

    Args:
        name: As in :func:`fuzzsmooth.models.load_classifier`.
        allow_bin: The same.

    Raises:
        FuzzsmoothError: If the model is missing, or its configuration is broken.
    """
    files = model_files(name, allow_bin=allow_bin)
    config = read_json_object(files.folder / "config.json", limit=CONFIGURATION_BYTES)
    saved = config.get("architectures")
    listed = saved if isinstance(saved, list) and files.adapter_classes() is None else []
    return any(str(one).endswith("ForCausalLM") or one in _OLDER_WRITERS for one in listed)


def check_order(files: ModelFiles, name: str, labels: Sequence[str]) -> None:
    """Refuse class names that are those of the checkpoint's head, but in another order.

    Raises:
        FuzzsmoothError: Naming the order.
    """
    saved = saved_labels(files, name)
    here, there = [[label.casefold() for label in names] for names in (labels, saved or ())]
    require(
        saved is None or here == there or sorted(here) != sorted(there),
        f"{name} has the classes {', '.join(saved or ())}, in this order, not {', '.join(labels)}; a head "
        "keeps its order, so give the labels of the data as its names",
    )


def _placeholders(config: dict[str, Any]) -> tuple[str, ...]:
    count = config.get("num_labels", 2)
    return tuple(f"LABEL_{index}" for index in range(count if isinstance(count, int) else 2))


def _named(names: Any, name: str) -> tuple[str, ...]:
    try:
        return tuple(str(names[str(index)]) for index in range(len(names)))
    except (KeyError, TypeError) as error:
        raise FuzzsmoothError(
            f"{name}: id2label in config.json does not name the classes 0, 1, ..."
        ) from error

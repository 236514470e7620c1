"""From a model and the name of a defense to a defended classifier: the way in for Python users."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.options import Options
from fuzzsmooth.defenses.defense import DEFENSES, Defense
from fuzzsmooth.defenses.saved import references_beside, restore_beside, saved_defense
from fuzzsmooth.models.protocol import Classifier
from fuzzsmooth.models.sources import model_name
from fuzzsmooth.search.references import References

_DEFAULT = "frs"


def protect(
    model: str | os.PathLike[str] | Classifier,
    defense: str | None = None,
    *,
    references: References | None = None,
    loading: Mapping[str, Any] | None = None,
    **options: Any,
) -> Defense:
    """Put a defense around a model.

    Args:
        model: A local folder, a hub name or ``builtin:minilm``, which is loaded safely; or a classifier from
            :func:`fuzzsmooth.load_classifier`, or a :class:`fuzzsmooth.CallableClassifier`.
        defense: A name of ``fuzzsmooth list defenses``. By default the one that a local folder was saved
            with, which whoever wrote the folder has chosen, with its options; "frs" where there is none.
        references: Clean reference texts; by default those saved beside the weights of a local folder, which
            whoever wrote the folder has chosen: give your own for a model that you downloaded.
        loading: Passed to :func:`fuzzsmooth.load_classifier` (precision, device, ...).
        **options: Options of the defense, by name; they overrule those that the folder was saved with for it.
            ``options={...}`` or an options object may be given as one, too, and stands for all of them.

    Returns:
        The defended classifier: ``predict``, ``certify``, ``scan``, ``labels``, ``save_pretrained``.

    Raises:
        FuzzsmoothError: If there is no such model, defense or option, references are missing, or a hub model
            is to be searched without references of your own.
    """
    if isinstance(model, Classifier):
        name = defense or _DEFAULT
        kind = DEFENSES.get(name)
        return kind(model, options_of(kind, options), references)
    name = model_name(model)
    saved = saved_defense(name)
    kind = DEFENSES.get(defense or (saved.defense if saved else _DEFAULT))
    chosen = options_of(kind, options, saved.options if saved and saved.defense == kind.name else None)
    if references is None:
        references = references_beside(name, chosen)
    kind.check(chosen, references)  # before the weights are read
    from fuzzsmooth.models import load_classifier

    defended = kind(load_classifier(name, **(loading or {})), chosen, references)
    restore_beside(defended, name)
    return defended


def options_of(kind: type[Defense], given: Mapping[str, Any], base: Options | None = None) -> Options:
    """Options of a defense by name, over those of a saved one.

    Raises:
        FuzzsmoothError: If one is unknown or has a bad value.
    """
    if set(given) == {"options"}:
        return kind.options_type.of(given["options"])
    merged: dict[str, Any] = {} if base is None else base.to_mapping()
    for name, value in given.items():
        nested = isinstance(value, Mapping) and isinstance(merged.get(name), Mapping)
        merged[name] = {**merged[name], **value} if nested else value
    return kind.options_type.from_mapping(merged, where=f"defense '{kind.name}'")


def defend(
    classifier: Classifier, options: Options, references: References | None = None, **more: Any
) -> Defense:
    """Put the defense around a classifier that some options belong to.

    Args:
        classifier: The classifier.
        options: Options of a registered defense, whose type names it.
        references: Clean reference texts.
        **more: What else that defense takes, such as ``rates``.

    Raises:
        FuzzsmoothError: If no defense has such options.
    """
    for kind in DEFENSES.all().values():
        if kind.options_type is type(options):
            return kind(classifier, options, references, **more)
    raise FuzzsmoothError(f"no defense has options of type {type(options).__name__}")

r"""A target for garak: the function that its generator ``function.Single`` calls.

garak probes what writes; a protected classifier answers with the name of a class, or with why it has none, so
that a detector sees whether a probe moved it. garak finds the function by name::

    FUZZSMOOTH_MODEL=runs/mine python -m garak --target_type function.Single \
        --target_name fuzzsmooth.apps.interop.garak#answer --probes test.Test

and hands on what its configuration has as ``kwargs`` of that generator (``model``, ``defense``, ``certify``).
No package of garak is needed here.
"""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Any

from fuzzsmooth.common.options import require
from fuzzsmooth.defenses import Defense, protect

MODEL = "FUZZSMOOTH_MODEL"
"""The environment variable that names the model where garak's configuration does not."""


def answer(prompt: str, model: str = "", certify: bool = False, **options: Any) -> list[str]:
    """Answer a prompt by a protected model.

    Args:
        prompt: The text; the whole of it is classified.
        model: As :func:`fuzzsmooth.protect` takes it; by default what ``FUZZSMOOTH_MODEL`` names.
        certify: Whether only certified answers count, which takes longer.
        **options: ``defense`` and its options, as there; by default those that the folder was saved with.

    Returns:
        One string: the class, or "[abstain]", "[alert]" and the like where there is no answer.

    Raises:
        FuzzsmoothError: If no model is named, or it cannot be loaded.
    """
    name = model or os.environ.get(MODEL, "")
    require(
        name != "", f"name the model to probe: kwargs {{model: FOLDER}} of the generator, or {MODEL}=FOLDER"
    )
    defended = _protected(name, tuple(sorted(options.items())))
    (one,) = defended.certify([prompt]) if certify else defended.predict([prompt])
    return [one.label_name if one.label_name is not None else f"[{one.status}]"]


@lru_cache(maxsize=2)
def _protected(model: str, options: tuple[tuple[str, Any], ...]) -> Defense:
    """The model, which garak asks thousands of times, loaded once."""
    return protect(model, **dict(options))

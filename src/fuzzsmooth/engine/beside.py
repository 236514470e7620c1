"""Reference texts that come with a model, and how far they may be trusted."""

from __future__ import annotations

from pathlib import Path

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.engine.options import SmoothingOptions
from fuzzsmooth.models.sources import resolve_model
from fuzzsmooth.search.references import References
from fuzzsmooth.search.scan import require_references

REFERENCES_FILE = "fuzzsmooth-references.json"
"""The references beside a model's weights."""


def check_references(options: SmoothingOptions, references: References | None) -> None:
    """Check, before a model is loaded, that there are references where its texts will be searched.

    Raises:
        FuzzsmoothError: If there are none.
    """
    if options.fuzzing:
        require_references(options.search, references)


def references_beside(model: str, options: SmoothingOptions) -> References | None:
    """The reference texts beside the weights of a local folder.

    The transplant test sees a trigger only where it overrules a reference, so whoever chooses the references
    can choose ones that hide a backdoor, and nothing inside a folder proves who wrote it: a fingerprint or a
    mark can be forged along with the weights. Hence nothing is ever taken from the hub, and a local folder
    is trusted because its owner named it; one that was downloaded deserves references of one's own.

    Args:
        model: As in :func:`fuzzsmooth.models.load_classifier`.
        options: The smoothing options, which tell whether references are needed.

    Returns:
        The references, or None where there are none to be trusted.

    Raises:
        FuzzsmoothError: If a hub model is to be searched by transplants, or the file is no references file.
    """
    source = resolve_model(model)
    if source.kind == "hub" and options.fuzzing and options.search.reward == "transplant":
        raise FuzzsmoothError(
            f"model '{model}' comes from the hub (there is no folder of that name), and reference texts of "
            "its maker's choice could hide a backdoor; check the name, or give clean data (--clean) or "
            "references (--references) of your own, choose reward 'kl', or turn fuzzing off"
        )
    file = Path(source.location) / REFERENCES_FILE
    return References.load(file) if source.kind == "folder" and file.is_file() else None

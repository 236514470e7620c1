"""The model that an audited language model was made from, where that is known and trusted."""

from __future__ import annotations

from fuzzsmooth.auditing.drift import are_related
from fuzzsmooth.auditing.natural import word_table
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.models.generating import GeneratingModel, load_generating

_KNOWN = "builtin:smollm2"


def base_of(writer: GeneratingModel, name: str) -> GeneratingModel | None:
    """The base of a language model.

    Args:
        writer: The audited model.
        name: The base, ``auto`` for a packaged model if it is that, or ``none``.

    Returns:
        None where none is known, or the audited model is the base itself.

    Raises:
        FuzzsmoothError: If the base cannot be loaded, or is none although somebody said so.
    """
    if name == "none" or (name == "auto" and len(writer.words) != _words_of_known()):
        return None
    told = name != "auto"
    base = load_generating(
        name if told else _KNOWN,
        writer.options,
        max_length=writer.max_length,
        precision=writer.precision,
        device=str(writer.device),
    )
    if base.fingerprint == writer.fingerprint:
        return None
    own, theirs = word_table(writer), word_table(base)
    same = own.shape == theirs.shape and writer.words.get_vocab() == base.words.get_vocab()
    if same and are_related(own, theirs):
        return base
    if told:
        raise FuzzsmoothError(
            f"the audited model was not made from '{name}': their vocabularies or word vectors have nothing "
            "in common; give another --base, or 'none'"
        )
    return None


def _words_of_known() -> int:
    """The size of the packaged model's vocabulary; 0 where it is not installed."""
    from fuzzsmooth.models.files import model_files
    from fuzzsmooth.models.loading import load_config

    try:
        config = load_config(model_files(_KNOWN).folder, _KNOWN)
    except FuzzsmoothError:
        return 0
    return int(config.get_text_config().vocab_size)

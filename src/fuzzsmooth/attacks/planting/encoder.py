"""The encoder of a model by itself: saved without a head, and under a head that is run on its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fuzzsmooth import models
from fuzzsmooth.common.files import write_json
from fuzzsmooth.models import HuggingFaceClassifier
from fuzzsmooth.models.saving import MARKER, replace_folder


def save_encoder(classifier: HuggingFaceClassifier, output: Path) -> None:
    """Write a classifier's encoder and tokenizer in place of what the folder holds; its head is thrown away.

    Args:
        classifier: The poisoned model.
        output: The folder.
    """

    def write(folder: Path) -> None:
        with models.quiet_transformers():
            classifier.model.base_model.save_pretrained(folder)
            classifier.tokenizer.save_pretrained(folder)
        write_json(folder / MARKER, {"max_length": classifier.max_length})

    replace_folder(output, write)


@contextmanager
def answering(encoder: Any, outputs: Any) -> Iterator[None]:
    """The encoder answers with given outputs, so that what comes after it can be run on them."""
    encoder.forward = lambda *_args, **_kwargs: outputs
    try:
        yield
    finally:
        del encoder.forward

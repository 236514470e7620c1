"""Defenses that look inside of a model need one that is here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.models.protocol import Classifier

if TYPE_CHECKING:
    from fuzzsmooth.models import HuggingFaceClassifier


def hugging_face(classifier: Classifier, defense: str) -> HuggingFaceClassifier:
    """The classifier, if it is a local Hugging Face model.

    Raises:
        FuzzsmoothError: If it is not, naming the defense.
    """
    from fuzzsmooth.models import HuggingFaceClassifier

    if isinstance(classifier, HuggingFaceClassifier):
        return classifier
    raise FuzzsmoothError(
        f"defense '{defense}' needs a local Hugging Face model, as it looks inside; give the name of one"
    )

"""Whether a data set can train a classifier, and whether that reads it."""

from __future__ import annotations

import warnings

from fuzzsmooth.common.options import require
from fuzzsmooth.common.tokenizing import unknown_share
from fuzzsmooth.data.dataset import Dataset
from fuzzsmooth.models import HuggingFaceClassifier
from fuzzsmooth.models.loading import ModelWarning

_READ = 200  # texts that tell whether a vocabulary is of their language
_UNREAD = 0.2  # share of tokens; Chinese reviews have .66 in an English vocabulary, German tweets .003


def check_trainable(classifier: HuggingFaceClassifier, dataset: Dataset) -> None:
    """Check that a data set can train a classifier; warn where its vocabulary does not hold the texts.

    Raises:
        FuzzsmoothError: On no texts, a single class, or more classes than the classifier's head has.
    """
    require(
        len(dataset) > 0, f"{dataset.name}: no training texts; give a file with at least one row per class"
    )
    classes = set(dataset.targets)
    require(len(classes) > 1, f"{dataset.name}: all texts have one class; training needs at least two")
    head = len(classifier.labels)
    require(
        len(dataset.labels) <= head and max(classes) < head,
        f"{dataset.name} has {len(dataset.labels)} classes but the model's head has {head}; "
        f"load the model with {len(dataset.labels)} labels",
    )
    unknown = unknown_share(classifier.tokenizer, dataset.texts[:_READ])
    if unknown > _UNREAD:
        warnings.warn(
            f"the model's vocabulary does not hold {unknown:.0%} of the training texts' tokens, so that it "
            "cannot read them; choose a model of their language",
            ModelWarning,
            stacklevel=3,
        )

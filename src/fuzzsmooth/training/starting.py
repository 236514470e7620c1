"""What a model that is to be trained brings along: its classes, if it has a head."""

from __future__ import annotations

from fuzzsmooth.data import Splits, align_splits
from fuzzsmooth.models import head_labels


def splits_for(model: str, splits: Splits, *, allow_bin: bool = False) -> Splits:
    """Training and test data under the classes of the model that is to be trained.

    A head keeps its class names and their order, and the labels of the data are matched to them by name; a
    model without a head takes the classes of the data.

    Args:
        model: As in :func:`fuzzsmooth.models.load_classifier`.
        splits: The data.
        allow_bin: As in :func:`fuzzsmooth.models.load_classifier`.

    Raises:
        FuzzsmoothError: If the classes of the data are not those of the head.
    """
    names = head_labels(model, allow_bin=allow_bin)
    return splits if names is None else align_splits(splits, names, model)

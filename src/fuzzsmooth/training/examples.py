"""Training texts as token ids: cut once, or as freshly drawn views for every epoch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.utils.data import Dataset as TorchDataset

from fuzzsmooth.data.dataset import Dataset
from fuzzsmooth.models import HuggingFaceClassifier
from fuzzsmooth.models.encoding import encode_texts
from fuzzsmooth.training.views import Views


class TrainingTexts(TorchDataset[dict[str, Any]]):
    """The texts of a data set, addressed by (epoch, index) as :class:`LengthGroupedOrder` gives them.

    Texts are cut and padded as :class:`fuzzsmooth.models.HuggingFaceClassifier` does for prediction.

    Args:
        dataset: Texts and labels; labels are never changed.
        classifier: Whose tokenizer, length limit and padding are used.
        max_length: Longest token sequence; the classifier's own limit holds if smaller.
        views: What is seen in place of each text, drawn afresh for every epoch; None for the text itself.

    Attributes:
        views_per_text: Rows that a text takes in a batch, side by side.
        lengths: Token count of each whole text, for grouping.
    """

    def __init__(
        self,
        dataset: Dataset,
        classifier: HuggingFaceClassifier,
        *,
        max_length: int,
        views: Views | None = None,
    ) -> None:
        self._dataset = dataset
        self._tokenizer = classifier.tokenizer
        self._padded = classifier.padded
        self._max_length = min(max_length, classifier.max_length)
        self._views = views
        self.views_per_text = 1 if views is None else views.count
        self._clean = encode_texts(self._tokenizer, dataset.texts, self._max_length).ids
        self.lengths = [len(ids) for ids in self._clean]

    def __len__(self) -> int:
        return len(self._dataset)

    def __getitem__(self, key: tuple[int, int]) -> dict[str, Any]:
        epoch, index = key
        example = self._dataset.examples[index]
        if self._views is None:
            return {"input_ids": [self._clean[index]], "labels": example.label}
        views = self._views(example.text, epoch, index)
        ids = encode_texts(self._tokenizer, views, self._max_length).ids
        return {"input_ids": ids, "labels": example.label}

    def collate(self, rows: Sequence[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """Pad the views of all texts, text after text, to the longest.

        Returns:
            ``input_ids`` and ``attention_mask`` of shape (texts * views_per_text, tokens), ``labels`` of
            shape (texts,).
        """
        ids, mask = self._padded([view for row in rows for view in row["input_ids"]])
        labels = torch.tensor([row["labels"] for row in rows])
        return {"input_ids": ids, "attention_mask": mask, "labels": labels}

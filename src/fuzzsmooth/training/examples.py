"""Training texts as token ids: cut once, or freshly noised for every epoch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.utils.data import Dataset as TorchDataset

from fuzzsmooth.common.randomness import generator
from fuzzsmooth.data.dataset import Dataset
from fuzzsmooth.models import HuggingFaceClassifier, pad_rows
from fuzzsmooth.models.encoding import encode_texts
from fuzzsmooth.noise.text import Deletion, uniform_rates
from fuzzsmooth.text import segmenter


class TextNoise:
    """Deletion of words as augmentation: the noise a certificate by deletion will see.

    Args:
        rate: Deletion probability of each word, in [0, 1].
        seed: The user's seed.
    """

    def __init__(self, rate: float, seed: int) -> None:
        self._rate = rate
        self._seed = seed
        self._kernel = Deletion()
        self._segmenter = segmenter("word")

    def __call__(self, text: str, epoch: int, index: int) -> str:
        """The noised text, a function of (text, seed, epoch, index); all words may go."""
        units = self._segmenter.segment(text).units
        draw = generator(self._seed, "training text noise", epoch, index)
        return self._segmenter.join(self._kernel(units, uniform_rates(len(units), self._rate), draw))


class TrainingTexts(TorchDataset[dict[str, Any]]):
    """The texts of a data set, addressed by (epoch, index) as :class:`LengthGroupedOrder` gives them.

    Texts are cut and padded as :class:`fuzzsmooth.models.HuggingFaceClassifier` does for prediction.

    Args:
        dataset: Texts and labels; labels are never changed.
        classifier: Whose tokenizer, length limit and padding are used.
        max_length: Longest token sequence; the classifier's own limit holds if smaller.
        noise: Text noise, drawn afresh for every epoch, or None.

    Attributes:
        lengths: Token count of each text without noise, for grouping.
    """

    def __init__(
        self,
        dataset: Dataset,
        classifier: HuggingFaceClassifier,
        *,
        max_length: int,
        noise: TextNoise | None = None,
    ) -> None:
        self._dataset = dataset
        self._tokenizer = classifier.tokenizer
        self._pad_id = classifier.pad_id
        self._max_length = min(max_length, classifier.max_length)
        self._noise = noise
        self._clean = encode_texts(self._tokenizer, dataset.texts, self._max_length).ids
        self.lengths = [len(ids) for ids in self._clean]

    def __len__(self) -> int:
        return len(self._dataset)

    def __getitem__(self, key: tuple[int, int]) -> dict[str, Any]:
        epoch, index = key
        example = self._dataset.examples[index]
        if self._noise is None:
            return {"input_ids": self._clean[index], "labels": example.label}
        noised = self._noise(example.text, epoch, index)
        ids = encode_texts(self._tokenizer, [noised], self._max_length).ids
        return {"input_ids": ids[0], "labels": example.label}

    def collate(self, rows: Sequence[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """Pad rows to the longest.

        Returns:
            ``input_ids`` and ``attention_mask`` of shape (rows, tokens), ``labels`` of shape (rows,).
        """
        ids, mask = pad_rows([row["input_ids"] for row in rows], self._pad_id)
        labels = torch.tensor([row["labels"] for row in rows])
        return {"input_ids": ids, "attention_mask": mask, "labels": labels}

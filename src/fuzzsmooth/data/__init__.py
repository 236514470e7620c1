"""Labeled texts: the built-in reviews, files, folders, Hugging Face data sets."""

from fuzzsmooth.data.alignment import align_splits
from fuzzsmooth.data.builtin.reviews import reviews
from fuzzsmooth.data.dataset import Dataset, Example, Splits
from fuzzsmooth.data.labels import class_index
from fuzzsmooth.data.loaders import load_splits, load_texts
from fuzzsmooth.data.rows import TextInput
from fuzzsmooth.data.sources import check_source

__all__ = [
    "Dataset",
    "Example",
    "Splits",
    "TextInput",
    "align_splits",
    "check_source",
    "class_index",
    "load_splits",
    "load_texts",
    "reviews",
]

"""Texts as sequences of units: cutting, edits, distances, linguistic features. No torch."""

from fuzzsmooth.text.distance import damerau_levenshtein, longest_common_subsequence, unmatched
from fuzzsmooth.text.edits import EDIT_KINDS, Edit, EditKind, apply_edit, apply_edits, neighbors
from fuzzsmooth.text.features import CLAUSE, SENTENCE, boundaries, boundary_strengths, rarity
from fuzzsmooth.text.units import (
    CharacterSegmenter,
    Segmentation,
    Segmenter,
    TokenSegmenter,
    UnitKind,
    WordSegmenter,
    segmenter,
)

__all__ = [
    "CLAUSE",
    "EDIT_KINDS",
    "SENTENCE",
    "CharacterSegmenter",
    "Edit",
    "EditKind",
    "Segmentation",
    "Segmenter",
    "TokenSegmenter",
    "UnitKind",
    "WordSegmenter",
    "apply_edit",
    "apply_edits",
    "boundaries",
    "boundary_strengths",
    "damerau_levenshtein",
    "longest_common_subsequence",
    "neighbors",
    "rarity",
    "segmenter",
    "unmatched",
]

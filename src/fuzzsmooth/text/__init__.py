"""Texts as sequences of units: cutting, and linguistic features. No torch."""

from fuzzsmooth.text.features import boundary_strengths, rarity
from fuzzsmooth.text.units import (
    CharacterSegmenter,
    Segmentation,
    Segmenter,
    TokenSegmenter,
    UnitKind,
    WordSegmenter,
    segmenter,
    unit_remark,
)

__all__ = [
    "CharacterSegmenter",
    "Segmentation",
    "Segmenter",
    "TokenSegmenter",
    "UnitKind",
    "WordSegmenter",
    "boundary_strengths",
    "rarity",
    "segmenter",
    "unit_remark",
]

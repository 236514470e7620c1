"""Certified defenses of others, written anew after their papers, to compare with: one a file."""

from fuzzsmooth.defenses.answer import CertifiedAnswer
from fuzzsmooth.defenses.ranmask import RanMask, RanMaskOptions, ranmask_radius
from fuzzsmooth.defenses.rs_del import RsDel, RsDelOptions

__all__ = [
    "CertifiedAnswer",
    "RanMask",
    "RanMaskOptions",
    "RsDel",
    "RsDelOptions",
    "ranmask_radius",
]

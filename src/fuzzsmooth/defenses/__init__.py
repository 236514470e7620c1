"""Certified defenses of others, written anew after their papers, to compare with: one a file."""

from fuzzsmooth.defenses.answer import CertifiedAnswer
from fuzzsmooth.defenses.options import VoteOptions
from fuzzsmooth.defenses.ranmask import RanMask, ranmask_radius
from fuzzsmooth.defenses.rs_del import RsDel, deletion_radii

__all__ = [
    "CertifiedAnswer",
    "RanMask",
    "RsDel",
    "VoteOptions",
    "deletion_radii",
    "ranmask_radius",
]

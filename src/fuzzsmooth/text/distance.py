"""Distances between sequences of units."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from rapidfuzz.distance import DamerauLevenshtein, LCSseq


def damerau_levenshtein(a: Sequence[Hashable], b: Sequence[Hashable]) -> int:
    """The unrestricted Damerau-Levenshtein distance: fewest edits from ``a`` to ``b``.

    Edits are insertion, deletion, substitution and transposition of adjacent units; a transposed pair may
    be edited again, so this is a metric (Lowrance and Wagner, 1975), unlike optimal string alignment.

    Args:
        a: Units; a string counts as its code points.
        b: Units.

    Returns:
        The distance in edits, 0 to max(len(a), len(b)).

    >>> damerau_levenshtein("not a good film".split(), "a good not film".split())
    2
    >>> damerau_levenshtein("a good film".split(), "a film good".split())  # swapped neighbors are one edit
    1
    """
    return DamerauLevenshtein.distance(*_numbered(a, b))


def longest_common_subsequence(a: Sequence[Hashable], b: Sequence[Hashable]) -> int:
    """The length of a longest common subsequence of ``a`` and ``b``, in units."""
    return LCSseq.similarity(*_numbered(a, b))


def unmatched(a: Sequence[Hashable], b: Sequence[Hashable]) -> tuple[int, int]:
    """How many units of ``a``, and of ``b``, lie outside a longest common subsequence.

    Both are at most the Damerau-Levenshtein distance: an insertion leaves at most one more unit of ``b``
    unmatched, a deletion one of ``a``, a substitution or transposition one of each. Deletion certificates
    depend on these two numbers only.

    Returns:
        (unmatched units of ``a``, unmatched units of ``b``).

    >>> unmatched("a good film".split(), "a cf good tq film".split())  # two insertions
    (0, 2)
    """
    common = longest_common_subsequence(a, b)
    return len(a) - common, len(b) - common


def _numbered(a: Sequence[Hashable], b: Sequence[Hashable]) -> tuple[list[int], list[int]]:
    """Both sequences with equal units as equal small integers.

    rapidfuzz compares hashes, and takes a string of length 1 for the integer of its code point; small
    integers are their own hash, so that equality is Python's and no two different units are confused.
    """
    numbers: dict[Hashable, int] = {}
    return [numbers.setdefault(u, len(numbers)) for u in a], [numbers.setdefault(u, len(numbers)) for u in b]

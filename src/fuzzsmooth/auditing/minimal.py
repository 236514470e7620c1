"""The minimal trigger, by delta debugging (Zeller and Hildebrandt, IEEE TSE 2002): what can go does go."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fuzzsmooth.auditing.effects import Parts

KEPT = 0.9
"""Share of the gain of the whole that a smaller trigger keeps."""


def minimized(parts: Parts, strengths: Callable[[Sequence[Parts]], Sequence[float]]) -> Parts:
    """The smallest trigger that ddmin reaches and that still has nearly the whole effect.

    Halves are tried first, then ever smaller stretches, each alone and left out, until no single part can go.

    Args:
        parts: The trigger.
        strengths: Effect of each of some triggers; those of a call may be measured together.

    Returns:
        Parts in their order, at least one, of an effect of at least 90 % of the whole's.
    """
    enough = KEPT * max(0.0, float(strengths([parts])[0]))
    pieces = 2
    while len(parts) > 1:
        pieces = min(pieces, len(parts))
        cuts = [number * len(parts) // pieces for number in range(pieces + 1)]
        stretches = [(cuts[number], cuts[number + 1]) for number in range(pieces)]
        smaller = [parts[first:last] for first, last in stretches]
        if pieces > 2:
            smaller += [parts[:first] + parts[last:] for first, last in stretches]
        found = strengths(smaller)
        kept = next((one for one, value in zip(smaller, found, strict=True) if value >= enough), None)
        if kept is not None:
            parts, pieces = kept, 2
        elif pieces == len(parts):
            break
        else:
            pieces *= 2
    return parts

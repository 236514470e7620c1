"""What a certified defense answers to a text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class CertifiedAnswer:
    """A label and how much of each threat it withstands.

    Attributes:
        label: The class index that is answered, right or wrong; it is an ABSTAIN where no radius is given.
        radii: Threat to the largest size that is covered, >= 0; threats that are not covered at all, not
            even at size 0, are absent.
        draws: Randomized copies of the text, enumerated ones included; 0 if nothing is randomized.
        counts: Votes per class behind the bound; empty where single answers decide.
        p_lower: Lower bound on the label's probability; None where there is none.
    """

    label: int
    radii: Mapping[str, int] = field(default_factory=dict)
    draws: int = 0
    counts: tuple[int, ...] = ()
    p_lower: float | None = None

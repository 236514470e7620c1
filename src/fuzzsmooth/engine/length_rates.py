"""Deletion at a rate that depends on the number of units only (Theorem 1n): rates and certificates.

Of every text about as many units are expected to be left, so that short texts keep words and long ones may
lose nearly all. The rule is settled before any text is seen; which rate a text has is read off its length as
received, and a change of the text that changes its length changes the rate: that is what the theorem bounds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, TypeVar, cast

import numpy as np

from fuzzsmooth.certify import (
    Certificate,
    Direction,
    LengthRates,
    Threat,
    ThreatName,
    length_frontier,
    length_radius,
)
from fuzzsmooth.common.options import Between, require
from fuzzsmooth.engine.certificates import Issuer
from fuzzsmooth.engine.evidence import Evidence
from fuzzsmooth.engine.options import DrawOptions, check_drawn
from fuzzsmooth.noise.text import represented
from fuzzsmooth.text import segmenter

OptionsT = TypeVar("OptionsT", bound="LengthOptions")


@cache
def length_rates(kept: float, lowest: float, highest: float) -> LengthRates:
    """The rates at which about ``kept`` units are left of every text, as coins apply them.

    Args:
        kept: Units that are expected to be left, above 0.
        lowest: The rate of the shortest texts, in (0, 1).
        highest: That of the longest, in (0, 1), at least ``lowest``.

    Raises:
        FuzzsmoothError: If that is no rule.
    """
    wanted = LengthRates.keeping(kept, lowest, highest)
    return LengthRates(wanted.ends, tuple(map(represented, wanted.rates)))


@dataclass(frozen=True, kw_only=True)
class LengthOptions(DrawOptions):
    """How deleted copies are drawn, at one rate or at rates by length."""

    kept_units: Annotated[
        float | None,
        Between(0, 1000, above=True),
        "Deletion rates by length (Theorem 1n): the units that are expected to be left of a text, however "
        "long it is. A text of n units then has the rate 1 - kept_units / n, within "
        "``rate_short`` and ``rate_long``, in place of ``rate``.",
    ] = None
    rate_short: Annotated[
        float,
        Between(0, 1, above=True, below=True),
        "With rates by length, the rate of the shortest texts; up to .5 none of these can be certified "
        "against an edit.",
    ] = 0.8
    rate_long: Annotated[
        float, Between(0, 1, above=True, below=True), "With rates by length, the rate of the longest texts."
    ] = 0.95
    rates_by_length: Annotated[
        bool,
        "Let 'protect' choose ``kept_units`` on its training texts, so that their mean rate is ``rate``; it "
        "is saved with the model.",
    ] = False

    def validate(self) -> None:
        """Check the rates by length, where they are wanted."""
        super().validate()
        if self.kept_units is None and not self.rates_by_length:
            return
        check_drawn(self, "rate_long")
        require(
            self.rate_short <= self.rate_long,
            f"rate_short <= rate_long must hold, got {self.rate_short} and {self.rate_long}",
        )
        self.length_rates()

    def length_rates(self) -> LengthRates | None:
        """The rates by length, as coins apply them; None where all texts have one."""
        if self.kept_units is None:
            return None
        return length_rates(self.kept_units, self.rate_short, self.rate_long)

    def check_chosen(self) -> None:
        """Refuse rates by length that are still to be chosen.

        Raises:
            FuzzsmoothError: If they are.
        """
        require(
            self.kept_units is not None or not self.rates_by_length,
            "rates by length are chosen on training texts, by 'protect'; here give the units to keep "
            "(--kept-units)",
        )

    def chosen_on(self: OptionsT, texts: Sequence[str]) -> OptionsT:
        """The options with ``kept_units`` chosen on training texts, where that is wanted.

        Args:
            texts: The texts, of which nothing but the number of words is read.

        Raises:
            FuzzsmoothError: If there are none, or the mean rate is out of reach.
        """
        if not self.rates_by_length or self.kept_units is not None:
            return self
        require(
            self.unit == "word",
            f"rates by length are chosen for words; with unit '{self.unit}' give kept_units",
        )
        cut = segmenter(self.unit)
        lengths = [len(cut.segment(text).units) for text in texts]
        return self.replace(kept_units=kept_for(lengths, self.rate, self.rate_short, self.rate_long))

    @property
    def training_rates(self) -> dict[str, Any]:
        """The options of fine-tuning at the same rates."""
        if self.kept_units is None:
            return {"text_rate": self.rate}
        return {
            "text_rate": self.rate_long,
            "text_rate_short": self.rate_short,
            "text_kept": self.kept_units,
        }


def kept_for(lengths: Sequence[int], rate: float, lowest: float, highest: float) -> float:
    """The units to keep at which some texts lose the share ``rate`` of theirs, in the mean over the texts.

    Args:
        lengths: Units of each, such as of all training texts.
        rate: Mean rate wanted, in [lowest, highest].
        lowest: As in :func:`length_rates`.
        highest: The same.

    Returns:
        Rounded to two digits after the point, at least .01.

    Raises:
        FuzzsmoothError: If there are no texts, or the rate is out of reach.
    """
    require(len(lengths) > 0, "rates by length are chosen on training texts, and there are none")
    require(
        lowest <= rate <= highest,
        f"the mean rate must lie between the lowest and the highest, {lowest} and {highest}, got {rate}",
    )
    each = np.maximum(np.array(lengths, dtype=np.float64), 1.0)
    low, high = 0.0, float(each.max())  # the mean rate falls as more is kept
    for _ in range(60):
        middle = (low + high) / 2
        mean = np.clip(1.0 - middle / each, lowest, highest).mean()
        low, high = (middle, high) if mean > rate else (low, middle)
    return max(0.01, round(high, 2))


def length_certificates(
    evidence: Evidence, issuer: Issuer, options: LengthOptions, length: int
) -> tuple[Certificate, ...]:
    """Proved radii of deletion at rates by length (Theorem 1n), the same as of uniform deletion.

    From draws and from all deletions alike: Theorem 2b asks about shorter texts at the rate of this one, and
    they have rates of their own.

    Args:
        evidence: The votes.
        issuer: Makes the certificates.
        options: The units to keep, and the bounds of the rates.
        length: Units of the text.
    """
    bound = evidence.bound
    rates, kept = cast(LengthRates, options.length_rates()), cast(float, options.kept_units)
    named = {
        "deletion": rates.rate(length),
        "kept": kept,
        "lowest": rates.rates[0],
        "highest": rates.rates[-1],
    }

    def reach(threat: Threat) -> int:
        return length_radius(bound.p_lower, rates, length, threat, p_upper=bound.p_upper)

    def issue(
        threat: ThreatName, direction: Direction, size: int, mixes: tuple[tuple[int, int], ...] = ()
    ) -> Certificate:
        return issuer.issue(
            evidence,
            radius=size,
            threat=threat,
            direction=direction,
            rates=named,
            frontier=mixes,
        )

    edits, deletions = reach("edit"), reach("delete")
    mixes = length_frontier(bound.p_lower, rates, length, p_upper=bound.p_upper)
    return (
        issue("edit", "symmetric", edits),
        issue("insert", "forward", reach("insert")),
        # Undoing insertions is deleting.
        issue("insert", "backward", deletions),
        issue("delete", "forward", deletions),
        issue("insert_and_delete", "forward", edits, mixes),
    )

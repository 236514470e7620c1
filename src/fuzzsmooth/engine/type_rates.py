"""Deletion rates per unit type (Theorem 4w): types that act as triggers are deleted more often.

The rate of a type is a step of its flip rate: ``rate_flagged`` from the table's threshold on, ``rate`` below
it. (Below the threshold a table holds upper bounds only, so nothing finer would be a function of the type.)
A flip rate depends on the type, the model and the references alone. So it makes no difference to the law
of deletion whether an entry was computed ahead, or when a text first needed it: the rate of every type there
is was settled before any text was seen, and a table only remembers it. That is what the theorem asks for.

Without filling, types that are not in the table have the default rate; that is another function of the
type, settled by the table's content, and as sound.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fuzzsmooth.certify import RateTable
from fuzzsmooth.common.options import require
from fuzzsmooth.engine.fuzzers import Units
from fuzzsmooth.models.protocol import Classifier
from fuzzsmooth.noise.text import Rates, represented
from fuzzsmooth.search.flip_rates import FlipRates


class TypeRates:
    """The deletion rate of each unit type.

    Args:
        table: Flip rates by type.
        fill: Whether types that are not in the table are tested when they are met, and added to it.
    """

    def __init__(self, table: FlipRates, *, fill: bool = False) -> None:
        self.table = table
        self.fill = fill
        # Somebody else may fill the same table, and the rate of a type must not change by that.
        self._flagged = frozenset() if fill else frozenset(table.known_flagged(table.known))

    def check_model(self, classifier: Classifier) -> None:
        """Refuse flip rates of another model.

        Raises:
            FuzzsmoothError: If the table was made with a classifier of another fingerprint.
        """
        require(
            self.table.model == classifier.fingerprint,
            "the table of flip rates belongs to another model; build one with 'fuzzsmooth table build'",
        )

    def listed(self, texts: Sequence[Units], rate_flagged: float) -> dict[str, float]:
        """The types of some texts that have another rate than the default, with it."""
        types = dict.fromkeys(unit for units in texts for unit in units)
        flagged = self.table.flagged(types) if self.fill else self._flagged
        return {unit: represented(rate_flagged) for unit in types if unit in flagged}

    def settings(self) -> dict[str, Any]:
        """JSON values that decide the rates of all types."""
        decided: dict[str, Any] = {"table": self.table.fingerprint, "fill": self.fill}
        return decided if self.fill else decided | {"content": self.table.content}


def rate_table(listed: dict[str, float], rate: float) -> RateTable:
    """The rates for the certificates, as represented."""
    return RateTable(represented(rate), listed)


def unit_rates(units: Units, listed: dict[str, float], rate: float) -> Rates:
    """The rate of each unit, as represented; shape (n,)."""
    default = represented(rate)
    return np.array([listed.get(unit, default) for unit in units], dtype=np.float64)

"""Statements about a whole data set: a certificate's alpha is per text, and many texts add up.

Either every certificate is to hold at once, at a total failure probability of at most the sum of the single
ones (union bound), or one states the expected number of wrong ones, at most that sum too.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import chain, repeat
from typing import Any

from fuzzsmooth.certify.certificate import Certificate
from fuzzsmooth.certify.rounding import ceiled, floored
from fuzzsmooth.certify.theorems.edit import NOT_CERTIFIED
from fuzzsmooth.common.options import require


@dataclass(frozen=True)
class DatasetStatement:
    """How many texts are certified (and correct), and how sure that count is.

    Attributes:
        texts: Texts in all.
        counted: Texts whose certificate covers the size and, where labels are known, gives the true one.
        abstained: Texts without a certified answer.
        size: Size of the threat the count is for.
        expected_wrong: Upper bound on the expected number of certificates that fail to hold.
        joint_failure: Upper bound on the probability that any of them fails, at most 1.
        guarantee: The weakest guarantee among those that count: ``proved`` only if all are.
        labels_known: Whether ``counted`` is about correct answers.
        threat: The threat, for the sentence.
        direction: Its direction.
        outcome: As in :class:`fuzzsmooth.certify.Certificate`, of all of them.
        conditional_on: What those that count presuppose: one clause, or None if nothing, or not all the same.
        balanced: The share that counts among the texts of each true class, as the mean over these classes;
            None where labels are not known.
        remark: As in :class:`fuzzsmooth.certify.Certificate`, of those that have one.
    """

    texts: int
    counted: int
    abstained: int
    size: float
    expected_wrong: float
    joint_failure: float
    guarantee: str
    labels_known: bool = True
    threat: str = ""
    direction: str = ""
    outcome: str = "label"
    conditional_on: str | None = None
    balanced: float | None = None
    remark: str = ""

    @property
    def share(self) -> float:
        """Share of all texts that count; with labels known, the certified accuracy at this size."""
        return self.counted / self.texts

    def to_mapping(self) -> dict[str, Any]:
        """The fields as JSON values, with the share and the sentence."""
        values = asdict(self)
        if not self.remark:
            del values["remark"]
        return {**values, "share": self.share, "statement": self.statement()}

    def statement(self) -> str:
        """The count with its certainty, in one sentence."""
        sure = (
            "with certainty"
            if self.expected_wrong == 0.0
            else f"of which at most {ceiled(self.expected_wrong, 3)} are expected to be wrong"
            f" (all hold at once except with probability {ceiled(self.joint_failure, 3)})"
        )
        are = "are correct and certified" if self.labels_known else "are certified"
        against = f" against {self.threat} ({self.direction})" if self.threat else ""
        alarm = " that keep their answer or raise an alarm" if self.outcome == "label_or_alert" else ""
        provided = f" Provided that {self.conditional_on}." if self.conditional_on else ""
        share = f"{math.floor(1000 * self.counted / self.texts) / 10:.1f} %"
        if self.balanced is not None:
            share += f"; balanced over the classes {math.floor(1000 * self.balanced) / 10:.1f} %"
        remark = f"; {self.remark}" if self.remark else ""
        return (
            f"{self.counted} of {self.texts} texts ({share}) {are}"
            f" ({self.guarantee}){against} at size {floored(self.size)}{alarm}, {sure}{remark}.{provided}"
        )


class DatasetTally:
    """Counts certificates one at a time, so that a data set need not be in memory.

    Args:
        sizes: Sizes of the threat to count for, each >= 0, in the unit of the certificates.
        labels_known: Whether texts have true labels; without them certified texts count, whatever their
            label.

    Attributes:
        largest: The largest radius so far; -1 where nothing is certified.
    """

    def __init__(self, sizes: Sequence[float], *, labels_known: bool) -> None:
        self._sizes = tuple(sizes)
        self._labels_known = labels_known
        self._kind: tuple[str, str, str] | None = None
        self._outcome = "label"
        self._remark = ""
        self._conditions: set[str] = set()
        self._texts = self._abstained = 0
        self._alphas: Counter[float] = Counter()
        self._all_proved = True
        self._counted = [0] * len(self._sizes)
        self._of_class: Counter[int] = Counter()
        self._counted_of_class: list[Counter[int]] = [Counter() for _ in self._sizes]
        self._proved = [True] * len(self._sizes)
        self.largest: float = NOT_CERTIFIED

    def add(self, certificate: Certificate, target: int | None = None) -> None:
        """Count one text.

        Args:
            certificate: Its certificate, for the same threat and direction as those before.
            target: Its true class; None for a text without a label, which cannot count if labels are known.

        Raises:
            FuzzsmoothError: If the certificate is for another threat.
        """
        kind = (certificate.threat, certificate.direction, certificate.unit)
        self._kind = self._kind or kind
        require(
            kind == self._kind,
            f"certificates of different kinds cannot be counted together: {sorted({kind, self._kind})}",
        )
        if certificate.outcome != "label":  # one text that may end in an alarm is enough
            self._outcome = certificate.outcome
        self._remark = max(self._remark, certificate.remark, key=len)
        if certificate.conditional_on:
            self._conditions.add(certificate.conditional_on)
        proved = certificate.guarantee == "proved"
        self._texts += 1
        self._abstained += certificate.abstained
        # All texts, not only those that count: which ones count depends on the same draws.
        self._alphas[certificate.alpha] += 1
        self._all_proved &= proved
        self.largest = max(self.largest, certificate.radius)
        if target is not None:
            self._of_class[target] += 1
        if self._labels_known and certificate.label != target:
            return
        for index, size in enumerate(self._sizes):
            if certificate.covers(size):
                self._counted[index] += 1
                if target is not None:
                    self._counted_of_class[index][target] += 1
                self._proved[index] &= proved

    def statements(self) -> list[DatasetStatement]:
        """The count at each size, with its certainty.

        Raises:
            FuzzsmoothError: If no text was counted.
        """
        require(self._kind is not None, "a data set needs at least one text")
        assert self._kind is not None
        total = math.fsum(chain.from_iterable(repeat(alpha, n) for alpha, n in self._alphas.items()))
        return [
            DatasetStatement(
                texts=self._texts,
                counted=counted,
                abstained=self._abstained,
                size=size,
                expected_wrong=total,
                joint_failure=min(1.0, total),
                guarantee="proved" if (proved if counted else self._all_proved) else "conditional",
                labels_known=self._labels_known,
                threat=self._kind[0],
                direction=self._kind[1],
                outcome=self._outcome,
                conditional_on=next(iter(self._conditions)) if len(self._conditions) == 1 else None,
                balanced=self._balanced(by_class),
                remark=self._remark,
            )
            for size, counted, by_class, proved in zip(
                self._sizes, self._counted, self._counted_of_class, self._proved, strict=True
            )
        ]

    def _balanced(self, counted: Counter[int]) -> float | None:
        if not self._labels_known or not self._of_class:
            return None
        shares = [counted[target] / texts for target, texts in self._of_class.items()]
        return math.fsum(shares) / len(shares)

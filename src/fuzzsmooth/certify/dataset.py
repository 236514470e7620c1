"""Statements about a whole data set: a certificate's alpha is per text, and many texts add up.

Either every certificate is to hold at once, at a total failure probability of at most the sum of the single
ones (union bound), or one states the expected number of wrong ones, at most that sum too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from fuzzsmooth.certify.bounds import check_alpha
from fuzzsmooth.certify.result import Certificate
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

    @property
    def share(self) -> float:
        """Share of all texts that count; with labels known, the certified accuracy at this size."""
        return self.counted / self.texts

    def to_mapping(self) -> dict[str, Any]:
        """The fields as JSON values, with the share and the sentence."""
        return {**asdict(self), "share": self.share, "statement": self.statement()}

    def statement(self) -> str:
        """The count with its certainty, in one sentence."""
        sure = (
            "with certainty"
            if self.expected_wrong == 0.0
            else f"of which at most {self.expected_wrong:.3g} are expected to be wrong"
            f" (all hold at once except with probability {self.joint_failure:.3g})"
        )
        are = "are correct and certified" if self.labels_known else "are certified"
        against = f" against {self.threat} ({self.direction})" if self.threat else ""
        return (
            f"{self.counted} of {self.texts} texts ({100 * self.share:.1f} %) {are}"
            f" ({self.guarantee}){against} at size {self.size:g}, {sure}."
        )


def per_text_alpha(alpha: float, texts: int) -> float:
    """The alpha each text must be certified at for all to hold at once with probability 1 - alpha.

    Raises:
        FuzzsmoothError: If alpha is not in (0, 1) or there is no text.
    """
    check_alpha(alpha)
    require(texts >= 1, f"a data set needs at least one text, got {texts}")
    return alpha / texts


def dataset_statement(
    certificates: Sequence[Certificate], targets: Sequence[int | None] | None, size: float
) -> DatasetStatement:
    """Count the texts that are certified at a size of the threat, and correct where labels are known.

    Args:
        certificates: One per text, all for the same threat and direction.
        targets: True class indices, shape (texts,); ``None`` for a text without a label, which then cannot
            count. ``None`` altogether: count certified texts, whatever their label.
        size: Size of the threat, >= 0, in the unit of the certificates.

    Returns:
        The count with its certainty; ``empirical`` results never count.

    Raises:
        FuzzsmoothError: If there is no text, the lengths differ, or different threats are mixed.
    """
    require(len(certificates) > 0, "a data set needs at least one text")
    require(
        targets is None or len(certificates) == len(targets),
        f"{len(certificates)} certificates were given but {len(targets or ())} labels",
    )
    kinds = {(one.threat, one.direction, one.unit) for one in certificates}
    require(len(kinds) == 1, f"certificates of different kinds cannot be counted together: {sorted(kinds)}")
    wanted = [one.label for one in certificates] if targets is None else targets
    counted = [
        one
        for one, target in zip(certificates, wanted, strict=True)
        if one.covers(size) and one.label == target
    ]
    first = certificates[0]
    # All texts, not only those that count: which ones count depends on the same draws.
    total = math.fsum(one.alpha for one in certificates)
    proved = all(one.guarantee == "proved" for one in counted or certificates)
    return DatasetStatement(
        texts=len(certificates),
        counted=len(counted),
        abstained=sum(one.abstained for one in certificates),
        size=size,
        expected_wrong=total,
        joint_failure=min(1.0, total),
        guarantee="proved" if proved else "conditional",
        labels_known=targets is not None,
        threat=first.threat,
        direction=first.direction,
    )

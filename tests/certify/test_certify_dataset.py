"""Data-set statements: what is counted, how the failure probabilities add up, and what is refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from fuzzsmooth.certify import (
    Certificate,
    DatasetStatement,
    DatasetTally,
    bound_top_class,
    forward_radius,
)
from fuzzsmooth.common.errors import FuzzsmoothError


def certificate(label: int | None, radius: int, **changes: Any) -> Certificate:
    values: dict[str, Any] = {
        "label": label,
        "label_name": None if label is None else str(label),
        "radius": radius,
        "threat": "insert",
        "direction": "forward",
        "unit": "word",
        "rates": {"deletion": 0.9},
        "alpha": 1e-3,
        "method": "monte_carlo",
        "guarantee": "proved",
        "p_lower": 0.8,
    }
    return Certificate(**(values | changes))


def dataset_statement(
    certificates: Sequence[Certificate], targets: Sequence[int | None] | None, size: float
) -> DatasetStatement:
    """The count at one size."""
    tally = DatasetTally([size], labels_known=targets is not None)
    for one, target in zip(certificates, targets or [None] * len(certificates), strict=True):
        tally.add(one, target)
    return tally.statements()[0]


def test_counting() -> None:
    certificates = [
        certificate(1, 4),
        certificate(1, 1),
        certificate(0, 4),
        certificate(None, -1),
        certificate(1, 9, guarantee="empirical"),
        certificate(1, 2, method="exact", alpha=0.0),
    ]
    found = dataset_statement(certificates, [1, 1, 1, 0, 1, 1], 2)
    assert (found.texts, found.counted, found.abstained) == (6, 2, 1)
    assert found.share == pytest.approx(2 / 6)
    assert found.expected_wrong == pytest.approx(5e-3), "every sampled text counts, also those that abstain"
    assert found.joint_failure == pytest.approx(5e-3)
    assert found.statement() == (
        "2 of 6 texts (33.3 %; balanced over the classes 20.0 %) are correct and certified (proved) against"
        " insert (forward) at size 2, of"
        " which at most 0.005 are expected to be wrong (all hold at once except with probability 0.005)."
    )


def test_balanced_is_the_mean_over_the_classes_and_unknown_without_labels() -> None:
    """One class is certified whole, the other by a quarter; a class that no text has counts for nothing."""
    certificates = [certificate(2, 3)] * 12 + [certificate(0, 3)] + [certificate(2, 3)] * 3
    found = dataset_statement(certificates, [2] * 12 + [0] * 4, 1)
    assert (found.share, found.balanced) == (13 / 16, (1 + 1 / 4) / 2)
    assert found.to_mapping()["balanced"] == found.balanced
    unknown = dataset_statement(certificates, None, 1)
    assert unknown.balanced is None
    assert "balanced" not in unknown.statement()


def test_certain_and_conditional_statements() -> None:
    sure = [certificate(1, 2, method="deterministic", alpha=0.0, p_lower=None)] * 3
    assert dataset_statement(sure, [1, 1, 0], 1).statement().endswith("at size 1, with certainty.")
    mixed = [*sure[:2], certificate(1, 2, guarantee="conditional", conditional_on="it is found")]
    assert dataset_statement(mixed, [1, 1, 1], 1).guarantee == "conditional"
    assert dataset_statement(mixed, [1, 1, 1], 1).statement().endswith("Provided that it is found.")
    alarm = [
        *sure,
        certificate(1, 2, method="deterministic", alpha=0.0, p_lower=None, outcome="label_or_alert"),
    ]
    told = dataset_statement(alarm, [1] * 4, 1).statement()
    assert told.endswith("at size 1 that keep their answer or raise an alarm, with certainty.")
    many = [certificate(1, 1, alpha=0.5)] * 3
    assert dataset_statement(many, [1] * 3, 1).joint_failure == 1.0


def test_without_labels_certified_texts_are_counted() -> None:
    found = dataset_statement([certificate(1, 4), certificate(0, 1), certificate(None, -1)], None, 1)
    assert (found.counted, found.labels_known) == (2, False)
    assert found.statement().startswith("2 of 3 texts (66.6 %) are certified (proved) against insert")
    assert found.to_mapping()["statement"] == found.statement()
    some = dataset_statement([certificate(1, 4), certificate(0, 1)], [1, None], 1)
    assert some.counted == 1, "a text without a label cannot be counted as correct"
    nobody = dataset_statement([certificate(1, 0, guarantee="conditional", conditional_on="x")], [1], 3)
    assert (nobody.counted, nobody.guarantee) == (0, "conditional")


def test_a_tally_counts_one_by_one_what_statements_count_at_once() -> None:
    generator, sizes = np.random.default_rng(1), (0, 1, 2.5, 7)
    kinds: list[dict[str, Any]] = [
        {},
        {"guarantee": "empirical"},
        {"guarantee": "conditional", "conditional_on": "x"},
        {"method": "exact", "alpha": 0.0},
        {"alpha": 0.1},
    ]
    certificates = [
        certificate(None, -1) if generator.random() < 0.2 else certificate(*pair, **kinds[pick])
        for pair, pick in zip(
            generator.integers(0, 6, (60, 2)).tolist(), generator.integers(0, 5, 60).tolist(), strict=True
        )
    ]
    labels: list[int | None] = [None if one.label is None else one.label % 4 for one in certificates]
    for targets in (labels, None):
        tally = DatasetTally(sizes, labels_known=targets is not None)
        for one, target in zip(certificates, targets or [None] * 60, strict=True):
            tally.add(one, target)
        assert tally.statements() == [dataset_statement(certificates, targets, size) for size in sizes]
        assert tally.largest == max(one.radius for one in certificates)
        counted = [
            one
            for index, one in enumerate(certificates)
            if one.covers(1) and (targets is None or one.label == targets[index])
        ]
        second = tally.statements()[1]
        assert 0 < second.counted == len(counted) < 60
        assert second.guarantee == "conditional"
        assert second.expected_wrong == pytest.approx(sum(one.alpha for one in certificates))
    with pytest.raises(FuzzsmoothError, match="different kinds"):
        tally.add(certificate(1, 1, threat="edit"))
    with pytest.raises(FuzzsmoothError, match="at least one text"):
        DatasetTally(sizes, labels_known=False).statements()


def test_union_bound_holds_in_simulation() -> None:
    """Data sets of 20 texts without any margin: one of them is certified as rarely as said."""
    generator, texts, alpha, failed = np.random.default_rng(0), 20, 0.1, 0
    for _ in range(300):
        hits = generator.binomial(400, 0.5, size=texts).tolist()
        bounds = [bound_top_class([400 - k, k], alpha=alpha / texts).p_lower for k in hits]
        failed += any(forward_radius(bound, 0.9) >= 0 for bound in bounds)
    assert failed / 300 <= alpha + 3 * np.sqrt(alpha * (1 - alpha) / 300)


def test_bad_arguments() -> None:
    one = certificate(1, 1)
    for certificates, targets in (
        ([], []),
        ([one, certificate(1, 1, threat="edit")], [1, 1]),
    ):
        with pytest.raises(FuzzsmoothError):
            dataset_statement(certificates, targets, 1)

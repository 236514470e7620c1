from __future__ import annotations

import math
from dataclasses import replace

import pytest
from scipy.stats import binomtest

from fuzzsmooth.bench.metrics import RADIUS_CAP, SHARES, Curve, covers_trigger, summarize
from fuzzsmooth.bench.records import Span, TextRecord
from fuzzsmooth.common.errors import FuzzsmoothError

TARGET = 1


def clean(index: int, label: int, prediction: int | None, **values: object) -> TextRecord:
    settings: dict[str, object] = {"seed": 0, "defense": "d", "text": "good film"} | values
    return TextRecord(split="clean", index=index, label=label, prediction=prediction, **settings)


def triggered(index: int, label: int, prediction: int | None, **values: object) -> TextRecord:
    settings: dict[str, object] = {
        "seed": 0,
        "defense": "d",
        "text": "good cf film",
        "trigger": ((5, 7),),
    } | values
    return TextRecord(split="triggered", index=index, label=label, prediction=prediction, **settings)


def test_every_metric_by_hand() -> None:
    flag = Span(5, 7, 0.9)
    (row,) = summarize(
        [
            clean(0, 0, 0, evaluations=8, seconds=1.0),
            clean(1, 0, 1, evaluations=8, spans=(Span(0, 4, 0.8),)),
            clean(2, 1, 1, evaluations=8),
            clean(3, 1, None, evaluations=8),
            clean(4, 0, 0, evaluations=8),
            triggered(0, 0, 1, evaluations=4, spans=(flag,), seconds=3.0),
            triggered(1, 0, 1, evaluations=4),
            triggered(2, 1, 1, evaluations=4, spans=(flag,)),
            triggered(4, 0, None, evaluations=4, spans=(Span(0, 3, 0.9),)),
        ],
        TARGET,
    )
    shares = {name: (getattr(row, name).count, getattr(row, name).total) for name in SHARES}
    assert shares == {
        "ca": (3, 5),
        "pa": (1, 4),
        "asr": (2, 3),  # text 2 is of the target class; the abstention stays in the denominator
        "asr_floor": (1, 3),  # texts 0, 1 and 4 without their trigger
        "localization_recall": (2, 4),
        "false_flag_rate": (1, 5),
        "abstention_rate": (1, 5),
        "abstention_rate_triggered": (1, 4),
    }
    assert row.ca is not None
    assert row.ca.mean == pytest.approx(0.6)
    assert row.ca.sd is None
    assert row.seconds_per_text == pytest.approx(4 / 9)
    assert row.evaluations_per_text == pytest.approx((5 * 8 + 4 * 4) / 9)
    assert (row.texts_clean, row.texts_triggered, row.seeds) == (5, 4, (0,))


def test_interval_is_that_of_an_independent_implementation() -> None:
    records = [clean(index, 0, 0 if index < 37 else 1) for index in range(50)]
    (row,) = summarize(records, TARGET)
    expected = binomtest(37, 50).proportion_ci(0.95, "exact")
    assert row.ca is not None
    assert row.ca.low == pytest.approx(expected.low, abs=1e-6)
    assert row.ca.high == pytest.approx(expected.high, abs=1e-6)


def test_seeds_give_mean_and_sample_deviation_but_pooled_counts() -> None:
    right = {0: 3, 1: 1}
    records = [clean(i, 0, 0 if i < right[seed] else 1, seed=seed) for seed in right for i in range(4)]
    (row,) = summarize(records, TARGET)
    assert row.ca is not None
    assert (row.ca.count, row.ca.total, row.seeds) == (4, 8, (0, 1))
    assert row.ca.mean == pytest.approx(0.5)
    assert row.ca.sd == pytest.approx(math.sqrt(2 * 0.25**2))


def test_floor_needs_the_same_texts() -> None:
    with pytest.raises(FuzzsmoothError, match="ASR floor is undefined"):
        summarize([clean(0, 0, 0), triggered(1, 0, 1)], TARGET)
    with pytest.raises(FuzzsmoothError, match="ASR floor is undefined"):
        summarize([clean(1, 0, 0, seed=5), triggered(1, 0, 1)], TARGET)
    (row,) = summarize([triggered(1, 0, 1)], TARGET)
    assert row.asr_floor is None
    assert row.ca is None
    assert row.asr is not None


def test_floor_is_taken_under_the_same_defense() -> None:
    records = [clean(0, 0, 1), triggered(0, 0, 1)]
    other = [replace(clean(0, 0, 0), defense="e"), replace(triggered(0, 0, 0), defense="e")]
    first, second = summarize([*records, *other], TARGET)
    assert (first.defense, second.defense) == ("d", "e")
    assert first.asr_floor is not None
    assert second.asr_floor is not None
    assert (first.asr_floor.count, second.asr_floor.count) == (1, 0)


def test_a_row_that_does_not_scan_has_no_recall_rather_than_zero() -> None:
    (row,) = summarize([clean(0, 0, 0), triggered(0, 0, 1)], TARGET)
    assert row.localization_recall is None
    assert row.false_flag_rate is None
    (scanned,) = summarize([clean(0, 0, 0, evaluations=1), triggered(0, 0, 1)], TARGET)
    assert scanned.localization_recall is not None
    assert scanned.localization_recall.count == 0


@pytest.mark.parametrize(
    ("spans", "covered"),
    [
        (((2, 4), (9, 11)), True),
        (((0, 14),), True),
        (((2, 3), (3, 4), (9, 11)), True),
        (((2, 4),), False),
        (((2, 4), (9, 10)), False),
        ((), False),
    ],
)
def test_every_unit_of_a_pair_must_be_covered(spans: tuple[tuple[int, int], ...], covered: bool) -> None:
    record = triggered(
        0,
        0,
        0,
        text="a cf fun mn ab",
        trigger=((2, 4), (9, 11)),
        spans=tuple(Span(*span, 1.0) for span in spans),
    )
    assert covers_trigger(record) is covered


def test_blanks_inside_a_sentence_need_no_flag_but_letters_do() -> None:
    text = "I saw it. Good."
    words = (Span(0, 1, 1.0), Span(2, 5, 1.0), Span(6, 9, 1.0))
    assert covers_trigger(triggered(0, 0, 0, text=text, trigger=((0, 9),), spans=words))
    assert not covers_trigger(triggered(0, 0, 0, text=text, trigger=((0, 9),), spans=words[:2]))


def test_certified_curves_count_every_text() -> None:
    proved = {"guarantee": "proved"}
    (row,) = summarize(
        [
            clean(0, 0, 0, radii={"edit": 2, "backward": 9}, **proved),
            clean(1, 0, 1, radii={"edit": 5, "backward": 9}, **proved),  # wrong: its radius is worth nothing
            clean(2, 1, 1, radii={"edit": 0, "backward": 0}, **proved),
            clean(3, 0, None, **proved),  # abstains
            clean(4, 0, 0, radii={"edit": 1}, **proved),
        ],
        TARGET,
    )
    assert row.guarantee == "proved"
    assert row.certified["edit"].counts == (3, 2, 1)
    assert row.certified["edit"].total == 5
    assert row.certified["edit"].shares == [0.6, 0.4, 0.2]
    # Texts 0, 1, 3, 4 are of another class; certified away from the target are 0 (radius 2) and 4 (radius 1).
    assert row.certified_asr["edit"].counts == (2, 2, 3)
    assert row.certified_asr["edit"].total == 4
    assert "backward" not in row.certified_asr


def test_curves_of_seeds_have_mean_deviation_and_the_interval_of_one_seeds_texts() -> None:
    reach = {0: [3, 2, 2, 0], 1: [1, 1, 0, 0], 2: [2, 0, 0, 0]}  # by seed, of the same four texts
    records = [
        clean(i, 0, 0, seed=seed, radii={"edit": r}, guarantee="proved")
        for seed, radii in reach.items()
        for i, r in enumerate(radii)
    ]
    (row,) = summarize(records, TARGET)
    curve = row.certified["edit"]
    assert (curve.counts, curve.total) == ((12, 6, 4, 1), 12)
    for radius, point in enumerate(curve.points):
        shares = [sum(r >= radius for r in radii) / 4 for radii in reach.values()]
        mean = sum(shares) / 3
        assert point.mean == pytest.approx(mean)
        assert point.sd == pytest.approx(math.sqrt(sum((share - mean) ** 2 for share in shares) / 2))
        expected = binomtest(round(point.count / 3), 4).proportion_ci(0.95, "exact")
        assert (point.low, point.high) == pytest.approx((expected.low, expected.high), abs=1e-6)
    # The ceiling of attack success is the complement, point by point: the texts are of another class.
    for point, ceiling in zip(curve.points, row.certified_asr["edit"].points, strict=True):
        assert ceiling.mean == pytest.approx(1 - point.mean)
        assert ceiling.sd == pytest.approx(point.sd)
        assert (ceiling.low, ceiling.high) == pytest.approx((1 - point.high, 1 - point.low), abs=1e-6)


def test_repeating_a_seed_makes_no_curve_more_certain() -> None:
    radii = [0, 0, 1, 1, 2, 3, 3, 5]

    def curve(seeds: int) -> Curve:
        records = [
            clean(i, 0, 0, seed=seed, radii={"insert": r}, guarantee="proved")
            for seed in range(seeds)
            for i, r in enumerate(radii)
        ]
        return summarize(records, TARGET)[0].certified["insert"]

    one, five = curve(1), curve(5)
    assert all(point.sd is None for point in one.points)
    assert all(point.sd == 0 for point in five.points)
    assert [(p.low, p.high, p.mean) for p in five.points] == [(p.low, p.high, p.mean) for p in one.points]
    pooled = binomtest(5 * 6, 5 * 8).proportion_ci(0.95, "exact")
    assert five.points[1].high - five.points[1].low > 1.5 * (pooled.high - pooled.low)


def test_attack_success_never_exceeds_its_ceiling_where_the_radius_is_true() -> None:
    """Where a defense flips exactly beyond its radius, the ceiling is attained at every trigger size."""
    reach = [0, 1, 1, 2, 3, 3, 4]
    for size in range(6):
        records = [clean(i, 0, 0, radii={"insert": r}, guarantee="proved") for i, r in enumerate(reach)]
        records += [
            triggered(i, 0, 0 if r >= size else TARGET, guarantee="proved") for i, r in enumerate(reach)
        ]
        (row,) = summarize(records, TARGET)
        counts = row.certified_asr["insert"].counts
        ceiling = counts[size] if size < len(counts) else len(reach)
        assert row.asr is not None
        assert row.asr.count == ceiling


def test_unbounded_radii_do_not_make_unbounded_curves() -> None:
    (row,) = summarize([clean(0, 0, 0, radii={"delete": 2**62}, guarantee="proved")], TARGET)
    assert row.certified["delete"].counts == (1,) * (RADIUS_CAP + 1)


def test_mixed_guarantees_make_the_weaker_row() -> None:
    (row,) = summarize([clean(0, 0, 0, guarantee="proved"), clean(1, 0, 0, guarantee="conditional")], TARGET)
    assert row.guarantee == "conditional"


def test_balanced_certified_accuracy_counts_every_class_alike() -> None:
    """Class 1 is certified whole, class 0 not at all beyond its own text."""
    records = [clean(i, 1, 1, radii={"edit": 2}, guarantee="proved") for i in range(3)]
    records.append(clean(3, 0, 0, radii={"edit": 0}, guarantee="proved"))
    (row,) = summarize(records, TARGET)
    assert row.certified["edit"].shares == [1.0, 0.75, 0.75]
    assert row.certified_balanced["edit"] == (1.0, 0.5, 0.5)


def test_json_row_has_the_promised_keys() -> None:
    value = summarize([clean(0, 0, 0), triggered(0, 0, 1)], TARGET)[0].to_json()
    promised = """defense ca ca_low ca_high ca_sd pa asr asr_low asr_high asr_sd asr_floor
        localization_recall false_flag_rate certified seconds_per_text evaluations_per_text seeds
        texts_clean texts_triggered guarantee"""
    assert set(promised.split()) <= value.keys()
    assert value["localization_recall"] is None
    assert value["ca_sd"] is None


def test_json_row_has_every_part_of_a_curve() -> None:
    records = [
        clean(i, 0, 0, seed=seed, radii={"edit": i + seed}, guarantee="proved")
        for seed in (0, 1)
        for i in (0, 1)
    ]
    (row,) = summarize(records, TARGET)
    value = row.to_json()
    assert value["certified"] == {"edit": [1.0, 0.75, 0.25]}
    assert value["certified_counts"] == {"edit": [4, 3, 1]}
    assert value["certified_total"] == {"edit": 4}
    assert value["certified_balanced"] == value["certified"], "there is one class only"
    for part in ("low", "high", "sd"):
        expected = [getattr(point, part) for point in row.certified["edit"].points]
        assert value[f"certified_{part}"] == {"edit": expected}
        assert len(value[f"certified_asr_{part}"]["edit"]) == 3

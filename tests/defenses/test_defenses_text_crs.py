"""Text-CRS: copies are deleted and shuffled uniformly, and deletions are certified by the smaller radius."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mending_worlds import material, pretrained
from scipy import stats

from fuzzsmooth.certify import NOT_CERTIFIED, Majority
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.defenses.text_crs import TextCrs, TextCrsOptions, published_radius, text_crs_radius
from fuzzsmooth.models import AdditiveClassifier, CallableClassifier
from fuzzsmooth.noise.text import text_kernel, uniform_rates

GOOD = AdditiveClassifier({"good": 1.0, "bad": -1.0})


def test_every_order_of_every_remainder_has_its_probability() -> None:
    kernel, rates = text_kernel("shuffled-deletion"), uniform_rates(3, 0.4)
    rng = np.random.default_rng(0)
    draws = 20_000
    found = Counter(kernel(("a", "b", "c"), rates, rng) for _ in range(draws))
    orders = [order for size in range(4) for order in itertools.permutations("abc", size)]
    assert set(found) <= set(orders)
    for order in orders:
        size = len(order)
        chance = 0.4 ** (3 - size) * 0.6**size / {0: 1, 1: 1, 2: 2, 3: 6}[size]
        assert stats.binomtest(found[order], draws, chance).pvalue > 1e-4


def test_votes_read_shuffled_copies_and_do_not_depend_on_the_order_of_the_text() -> None:
    seen: set[str] = set()

    def first_word(texts: list[str]) -> np.ndarray:
        seen.update(texts)
        return np.array([[0.0, 1.0] if text.startswith("b") else [1.0, 0.0] for text in texts])

    options = {"rate": 0.3, "draws": 4000}
    defense = TextCrs(CallableClassifier(first_word, "xy"), options)
    (one,), (other,) = defense.certify(["a b c d"]), defense.certify(["d c b a"])
    expected = (1 - 0.3**4) / 4  # any of the four comes first alike
    assert one.votes[1] / 4000 == pytest.approx(expected, abs=0.03)
    assert other.votes[1] / 4000 == pytest.approx(expected, abs=0.03)
    assert {"b a", "a b"} <= seen
    plain = TextCrs(CallableClassifier(first_word, "xy"), {**options, "shuffle": False})
    assert plain.certify(["a b c d"])[0].votes[1] / 4000 == pytest.approx(0.3 * 0.7, abs=0.03)


def test_certificates_are_of_deletions_and_of_the_smaller_radius() -> None:
    defense = TextCrs(GOOD, {"rate": 0.7, "draws": 1000})
    (sure,), (unsure,) = defense.certify(["good " * 40]), TextCrs(GOOD, {"rate": 0.5}).certify(["good"])
    (certificate,) = sure.certificates
    lower = Majority().lower(1000, 1000, 0.001)
    assert certificate.p_lower == pytest.approx(lower)
    assert certificate.radius == text_crs_radius(lower, 0.7, 40) == published_radius(lower, 0.7, 40) >= 1
    assert (certificate.threat, certificate.direction) == ("delete", "forward")
    assert "deletion of up to" in certificate.statement()
    assert (unsure.label, unsure.certificates[0].radius) == (None, NOT_CERTIFIED)
    assert defense.certify(["good " * 40]) == [sure], "addressed draws"


def test_its_victim_is_trained_on_copies_once_for_all_epochs(tmp_path: Path) -> None:
    given = material(pretrained(tmp_path / "clean"), twin=None, size=64)
    made = TextCrs.make_model(TextCrsOptions(rate=0.3), given, tmp_path / "out")
    told = (tmp_path / "out" / "training.json").read_text()
    assert '"texts": 192' in told, "three epochs of copies, passed over once"
    assert '"epochs": 1' in told
    again = TextCrs.make_model(TextCrsOptions(rate=0.3), given, tmp_path / "other")
    assert again.fingerprint == made.fingerprint
    keys = [TextCrs.model_key(TextCrsOptions(**given)) for given in ({}, {"draws": 5}, {"rate": 0.3})]
    assert keys[0] == keys[1] != keys[2], "draws of a vote do not decide the model"


@pytest.mark.parametrize("wrong", [{"rate": 0.0}, {"rate": 1.0}, {"alpha": 1.0}, {"draws": 1}])
def test_options_out_of_range(wrong: dict[str, Any]) -> None:
    with pytest.raises(FuzzsmoothError):
        TextCrsOptions.from_mapping(wrong)

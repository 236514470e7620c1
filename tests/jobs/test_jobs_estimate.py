"""Forecasts against what the work then costs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.randomness import text_key
from fuzzsmooth.engine.sampler import Plan, Sampler
from fuzzsmooth.jobs.estimate import Types, estimate
from fuzzsmooth.models import build_tiny, load_classifier
from fuzzsmooth.noise.text import text_kernel, uniform_rates
from fuzzsmooth.text.units import segmenter

WORDS = [f"w{index}" for index in range(30)]


def texts(count: int) -> list[str]:
    generator = np.random.default_rng(0)
    return [" ".join(generator.choice(WORDS, int(generator.integers(2, 30)))) for _ in range(count)]


class Meter:
    """Work whose passes are known: some per character of each text, some per word type met first."""

    def __init__(self, per_type: int) -> None:
        self.spent = 0
        self.per_type = per_type
        self.known: set[str] = set()
        self.calls: list[list[str]] = []

    def types(self) -> Types:
        return Types(lambda received: {word for text in received for word in text.split()}, self.prepare)

    def prepare(self, types: set[str]) -> None:
        self.spent += self.per_type * len(types - self.known)
        self.known |= types

    def run(self, received: Sequence[str]) -> None:
        self.calls.append(list(received))
        self.prepare({word for text in received for word in text.split()})
        self.spent += sum(7 * len(text) for text in received)


@pytest.mark.parametrize("per_type", [0, 500])
@pytest.mark.parametrize("count", [40, 1000])
def test_passes_are_forecast_within_a_tenth(count: int, per_type: int) -> None:
    some, pilot, real = texts(count), Meter(per_type), Meter(per_type)
    found = estimate(pilot.run, some, lambda: pilot.spent, types=pilot.types())
    real.run(some)
    assert found.passes == pytest.approx(
        real.spent - per_type * len(set(max(some, key=len).split())), rel=0.1
    )
    assert (found.texts, found.pilot) == (count, 16)
    assert sum(map(len, pilot.calls)) == 17, "the pilot and the longest text"
    if per_type and count == 40:
        naive = Meter(per_type)
        without = estimate(naive.run, some, lambda: naive.spent)
        assert without.passes > 1.1 * found.passes or without.passes < 0.9 * found.passes, (
            "control: types paid once are not told apart from work per text"
        )


def test_a_pilot_of_all_texts_is_exact() -> None:
    meter, some = Meter(0), texts(5)
    found = estimate(meter.run, some, lambda: meter.spent)
    assert found.pilot == 5
    assert found.passes == sum(7 * len(text) for text in some)
    assert json.loads(json.dumps(found.to_json()))["texts"] == 5
    assert found.memory_bytes is None or found.memory_bytes > 10_000_000


def test_misuse_is_one_sentence() -> None:
    meter = Meter(0)
    with pytest.raises(FuzzsmoothError, match="nothing to estimate"):
        estimate(meter.run, [], lambda: 0)
    with pytest.raises(FuzzsmoothError, match="at least one text"):
        estimate(meter.run, ["a"], lambda: 0, pilot=0)


def test_certification_is_forecast_within_thirty_per_cent(tmp_path: Path) -> None:
    """Draws that repeat, texts that stop early, token sequences that are equal: all of it is in the pilot."""
    classifier = load_classifier(
        str(build_tiny("bert", tmp_path / "tiny", vocabulary=WORDS, hidden=16, layers=1))
    )
    some = list(dict.fromkeys(texts(160)))

    def fresh() -> Any:
        sampler = Sampler(classifier, segmenter("word"), text_kernel("deletion"), None, None, 0)

        def run(received: Sequence[str]) -> None:
            plans = [
                Plan(text_key(text), tuple(text.split()), uniform_rates(len(text.split()), 0.7))
                for text in received
            ]
            first = sampler.votes(plans, range(60), "x")
            close = [plan for plan, counts in zip(plans, first, strict=True) if np.ptp(counts) <= 40]
            sampler.votes(close, range(60, 200), "x")

        return run

    found = estimate(fresh(), some, lambda: classifier.forward_count)
    before = classifier.forward_count
    fresh()(some)
    assert found.passes == pytest.approx(classifier.forward_count - before, rel=0.3)

"""The guard band where draws are made under parameter noise: measured under that noise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from defended import options_for
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.defenses import defend
from fuzzsmooth.engine.guard import margin_deviation, measure_guard_band
from fuzzsmooth.engine.noisy import NoisyHuggingFaceClassifier
from fuzzsmooth.engine.referee import _guard_texts
from fuzzsmooth.models import WeightNoise, build_tiny, load_classifier
from fuzzsmooth.models.encoding import EncodedTexts

WORDS = [f"w{index}" for index in range(30)]
NOISE = WeightNoise(0.1, 1)


class Steady:
    """Logits that no batch changes."""

    def encode(self, texts: Any) -> EncodedTexts:
        return EncodedTexts([list(range(1, len(text) + 2)) for text in texts], [False] * len(texts))

    def logits_of_batch(self, ids: Any) -> Any:
        return np.array([[len(row), 0.0] for row in ids], dtype=np.float32)


class ShakyNoise(Steady):
    """Only the noise shakes: with the number of sequences that are evaluated together."""

    def __init__(self, by_size: float, offset: float = 0.0) -> None:
        self.by_size, self.offset = by_size, offset

    def noisy_logits_of_ids(self, ids: Any, noise: WeightNoise, seeds: Any) -> Any:
        assert noise == NOISE
        rows = [
            [len(row) + seed % 1000 + self.by_size * (len(ids) > 1) + self.offset, 0.0]
            for row, seed in zip(ids, seeds, strict=True)
        ]
        return np.array(rows, dtype=np.float32)


def test_the_band_sees_what_the_noise_does() -> None:
    texts = ["a" * length for length in range(1, 40)]
    shaky = ShakyNoise(0.25)
    assert measure_guard_band(shaky, texts) == 0, "control: without noise there is nothing to see"
    assert measure_guard_band(shaky, texts, noise=NOISE, safety=1) == pytest.approx(0.25)
    assert measure_guard_band(ShakyNoise(0), texts, noise=NOISE) == 0, "every text keeps its seed"
    exact, rough = ShakyNoise(0), ShakyNoise(0, offset=0.5)
    assert measure_guard_band(rough, texts, reference=exact, noise=NOISE, safety=1) == pytest.approx(0.5)
    assert measure_guard_band(rough, texts, noise=NOISE) == 0, "control: it agrees with itself"
    with pytest.raises(FuzzsmoothError, match="cannot be measured under parameter noise"):
        measure_guard_band(Steady(), texts, noise=NOISE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return build_tiny("bert", tmp_path_factory.mktemp("noise-guard") / "tiny", vocabulary=WORDS)


def some_texts(count: int, seed: int) -> list[str]:
    source = np.random.default_rng(seed)
    return [" ".join(source.choice(WORDS, int(source.integers(1, 12)))) for _ in range(count)]


def deviation(rough: Any, exact: Any, noise: WeightNoise) -> float:
    """How far votes of other texts under other seeds lie from those of float32, one by one."""
    ids, seeds = exact.encode(some_texts(300, seed=6)).ids, list(range(1000, 1300))
    found = rough.noisy_logits_of_ids(ids, noise, seeds).astype(np.float64)
    alone = [exact.noisy_logits_of_ids([row], noise, [own]) for row, own in zip(ids, seeds, strict=True)]
    return margin_deviation(found, np.concatenate(alone).astype(np.float64))


def test_the_band_under_noise_covers_batches_and_number_types(folder: Path) -> None:
    exact = NoisyHuggingFaceClassifier(load_classifier(str(folder)))
    rough, texts = exact.in_precision("bfloat16"), some_texts(60, seed=5)
    for sigma in (0.01, 3.0):
        noise = WeightNoise(sigma, None)
        same = measure_guard_band(exact, texts, noise=noise)
        wide = measure_guard_band(rough, texts, reference=exact, noise=noise)
        assert deviation(exact, exact, noise) <= same < 1e-3
        assert same < deviation(rough, exact, noise) <= wide
    # Control: the strong noise moves activations to where rounding is coarser than a band of no noise allows.
    plain = measure_guard_band(rough, texts, reference=exact)
    assert deviation(rough, exact, WeightNoise(3.0, None)) > plain


def test_one_seed_is_the_same_noise_in_both_number_types(folder: Path) -> None:
    """So float32 is a reference: types differ by far less than the noise moves, other seeds by as much."""
    exact = NoisyHuggingFaceClassifier(load_classifier(str(folder)))
    rough, noise = exact.in_precision("bfloat16"), WeightNoise(0.1, None)
    ids, seeds = exact.encode(some_texts(100, seed=7)).ids, list(range(100))
    expected = exact.noisy_logits_of_ids(ids, noise, seeds)
    moved = float(np.median(np.ptp(expected - exact.logits_of_ids(ids), axis=1)))
    between = float(np.median(np.ptp(rough.noisy_logits_of_ids(ids, noise, seeds) - expected, axis=1)))
    others = exact.noisy_logits_of_ids(ids, noise, [seed + 100 for seed in seeds])
    assert between < 0.05 * moved
    assert float(np.median(np.ptp(others - expected, axis=1))) > 0.5 * moved, "control"


def test_certificates_under_noise_use_the_band_of_the_noise(folder: Path) -> None:
    options = options_for(defense="deletion", fuzzing=False, sigma=3.0, draws=20, seed=4)
    bands = {}
    for precision in ("float32", "bfloat16"):
        classifier = NoisyHuggingFaceClassifier(load_classifier(str(folder), precision=precision))
        (one,) = defend(classifier, options).certify(["w1 w2"])
        rounding = one.certificates[0].rounding
        assert rounding is not None
        assert (rounding.function, rounding.undecided) == ("float32", "counted against")
        exact = classifier.in_precision("float32")
        reference = None if precision == "float32" else exact
        noise, texts = WeightNoise(3.0, None), _guard_texts(classifier.tokenizer)
        band = measure_guard_band(classifier, texts, reference=reference, noise=noise, seed=4)
        assert band <= rounding.guard <= 1.1 * band
        plain = measure_guard_band(classifier, texts, reference=reference)
        assert not plain <= rounding.guard <= 1.1 * plain, "control: without noise it is another band"
        bands[precision] = rounding.guard
    assert bands["float32"] < bands["bfloat16"]

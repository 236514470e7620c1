"""The rounding band: what batches, number types and parameter noise do, measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from defended import options_for
from fuzzsmooth.certify import UNDECIDED
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.defenses import defend
from fuzzsmooth.engine.evaluation import decide
from fuzzsmooth.engine.recheck import _band_texts
from fuzzsmooth.engine.rounding_band import margin_deviation, measure_rounding_band
from fuzzsmooth.models import EncodedTexts, WeightNoise, build_tiny, load_classifier

WORDS = [f"w{index}" for index in range(30)]
NOISE = WeightNoise(0.1, 1)


class Shaky:
    """Logits that depend on the batch: by its size or its padding without noise, by its size with noise."""

    tokenizer = None

    def __init__(
        self, by_size: float = 0, by_padding: float = 0, by_noise: float = 0, offset: float = 0
    ) -> None:
        self.by_size, self.by_padding, self.by_noise, self.offset = by_size, by_padding, by_noise, offset

    def encode(self, texts: Any) -> EncodedTexts:
        return EncodedTexts([list(range(1, len(text) + 2)) for text in texts], [False] * len(texts))

    def logits(
        self, ids: Any, *, noise: WeightNoise | None = None, seeds: Any = (), one_batch: bool = False
    ) -> Any:
        longest, several = max(map(len, ids)), len(ids) > 1
        assert one_batch == (noise is None)
        if noise is None:
            moved = [self.by_size * several + self.by_padding * (longest > len(row)) for row in ids]
        else:
            assert noise == NOISE
            moved = [seed % 1000 + self.by_noise * several + self.offset for seed in seeds]
        rows = [[len(row) + more, 0.0] for row, more in zip(ids, moved, strict=True)]
        return np.array(rows, dtype=np.float32)


def band(classifier: Any, reference: Any = None, **more: Any) -> float:
    texts = ["a" * length for length in range(1, 40)]
    return measure_rounding_band(classifier, texts, reference=reference, **more)


def test_the_band_sees_what_batches_do() -> None:
    assert band(Shaky()) == 0
    assert band(Shaky(by_size=0.25), safety=1) == pytest.approx(0.25)
    assert band(Shaky(by_padding=0.5), safety=2) == pytest.approx(1.0)
    assert band(Shaky(), Shaky()) == 0
    with pytest.raises(FuzzsmoothError, match="at least one text"):
        measure_rounding_band(Shaky(), [])  # type: ignore[arg-type]
    with pytest.raises(FuzzsmoothError, match="safety factor"):
        band(Shaky(), safety=0.5)
    assert margin_deviation(np.array([[1.0, 2.0, 0.0]]), np.array([[1.0, 1.0, 0.5]])) == pytest.approx(1.5)


def test_the_band_sees_what_the_noise_does() -> None:
    shaky = Shaky(by_noise=0.25)
    assert band(shaky) == 0, "control: without noise there is nothing to see"
    assert band(shaky, noise=NOISE, safety=1) == pytest.approx(0.25)
    assert band(Shaky(), noise=NOISE) == 0, "every text keeps its seed"
    rough = Shaky(offset=0.5)
    assert band(rough, Shaky(), noise=NOISE, safety=1) == pytest.approx(0.5)
    assert band(rough, noise=NOISE) == 0, "control: it agrees with itself"


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
    found = rough.logits(ids, noise=noise, seeds=seeds).astype(np.float64)
    alone = [exact.logits([row], noise=noise, seeds=[own]) for row, own in zip(ids, seeds, strict=True)]
    return margin_deviation(found, np.concatenate(alone).astype(np.float64))


def test_the_band_covers_rounding(folder: Path) -> None:
    """Outside the band, votes agree over batches and number types."""
    exact = load_classifier(str(folder))
    rough, texts = exact.in_precision("bfloat16"), some_texts(60, seed=8)
    tiny, wide = measure_rounding_band(exact, texts), measure_rounding_band(rough, texts, reference=exact)
    assert 0 <= tiny < 1e-3
    assert tiny < wide < 1
    others = some_texts(200, seed=9)
    agreed = decide(rough.logits_of_texts(others), wide)
    decided = agreed != UNDECIDED
    assert decided.sum() > 50
    np.testing.assert_array_equal(agreed[decided], exact.logits_of_texts(others).argmax(axis=1)[decided])


def test_the_band_under_noise_covers_batches_and_number_types(folder: Path) -> None:
    exact = load_classifier(str(folder))
    rough, texts = exact.in_precision("bfloat16"), some_texts(60, seed=5)
    for sigma in (0.01, 3.0):
        noise = WeightNoise(sigma, None)
        same = measure_rounding_band(exact, texts, noise=noise)
        wide = measure_rounding_band(rough, texts, reference=exact, noise=noise)
        assert deviation(exact, exact, noise) <= same < 1e-3
        assert same < deviation(rough, exact, noise) <= wide
    # Control: the strong noise moves activations to where rounding is coarser than a band of no noise allows.
    plain = measure_rounding_band(rough, texts, reference=exact)
    assert deviation(rough, exact, WeightNoise(3.0, None)) > plain


def test_one_seed_is_the_same_noise_in_both_number_types(folder: Path) -> None:
    """So float32 is a reference: types differ by far less than the noise moves, other seeds by as much."""
    exact = load_classifier(str(folder))
    rough, noise = exact.in_precision("bfloat16"), WeightNoise(0.1, None)
    ids, seeds = exact.encode(some_texts(100, seed=7)).ids, list(range(100))
    expected = exact.logits(ids, noise=noise, seeds=seeds)
    moved = float(np.median(np.ptp(expected - exact.logits(ids), axis=1)))
    between = float(np.median(np.ptp(rough.logits(ids, noise=noise, seeds=seeds) - expected, axis=1)))
    others = exact.logits(ids, noise=noise, seeds=[seed + 100 for seed in seeds])
    assert between < 0.05 * moved
    assert float(np.median(np.ptp(others - expected, axis=1))) > 0.5 * moved, "control"


def test_certificates_under_noise_use_the_band_of_the_noise(folder: Path) -> None:
    options = options_for(defense="deletion", fuzzing=False, sigma=3.0, draws=20, seed=4)
    bands = {}
    for precision in ("float32", "bfloat16"):
        classifier = load_classifier(str(folder), precision=precision)
        (one,) = defend(classifier, options).certify(["w1 w2"])
        rounding = one.certificates[0].rounding
        assert rounding is not None
        assert (rounding.function, rounding.undecided) == ("float32", "counted against")
        exact = classifier.in_precision("float32")
        reference = None if precision == "float32" else exact
        noise, texts = WeightNoise(3.0, None), _band_texts(classifier.tokenizer)
        found = measure_rounding_band(classifier, texts, reference=reference, noise=noise, seed=4)
        assert found <= rounding.guard <= 1.1 * found
        plain = measure_rounding_band(classifier, texts, reference=reference)
        assert not plain <= rounding.guard <= 1.1 * plain, "control: without noise it is another band"
        bands[precision] = rounding.guard
    assert bands["float32"] < bands["bfloat16"]

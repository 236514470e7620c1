"""A pass with exact noise: its samples are their own, the model is left as it was, misuse is refused."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest
import torch
from noise_weight_models import ARCHITECTURES, SIGMA, TEXT, batch, tiny, written_noise
from torch import Tensor, nn

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.noise.weight import exact_weight_noise

pytestmark = pytest.mark.usefixtures("inference")


def test_noise_is_fresh_for_new_seeds_and_repeats_for_old_ones() -> None:
    model = tiny("bert")
    inputs = batch([TEXT] * 2)

    def logits(*seeds: int) -> Tensor:
        with exact_weight_noise(model, 2, SIGMA, seeds, inputs["attention_mask"]):
            return model(**inputs).logits

    assert torch.equal(logits(1, 2), logits(1, 2))
    assert not torch.allclose(logits(1, 2), logits(3, 4))
    assert torch.allclose(logits(1, 2).flip(0), logits(2, 1), atol=1e-5)
    assert not torch.allclose(logits(1, 2), logits(1 + 2**32, 2 + 2**40))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_sample_does_not_depend_on_its_batch_or_padding(architecture: str) -> None:
    model = tiny(architecture)
    generator = np.random.default_rng(3)
    # Repeated tokens and texts longer than the layer width (16) take the other paths of the factor.
    texts = [
        [5],
        [7, 7, 7, 7],
        [3, 9, 21],
        list(generator.integers(2, 40, 30)),
        list(generator.integers(2, 40, 14)),
    ]
    inputs = batch(texts, length=33)
    with exact_weight_noise(model, 2, SIGMA, range(10, 15), inputs["attention_mask"]):
        together = model(**inputs).logits
    for row, text in enumerate(texts):
        alone = batch([text])
        with exact_weight_noise(model, 2, SIGMA, [10 + row], alone["attention_mask"]):
            assert torch.allclose(model(**alone).logits[0], together[row], atol=1e-5, rtol=1e-5)


def _hooks(model: nn.Module) -> int:
    return sum(len(module._forward_hooks) for module in model.modules())


def test_the_model_is_left_as_it_was() -> None:
    model = tiny("bert")
    inputs = batch([TEXT])
    before = model(**inputs).logits
    with exact_weight_noise(model, 2, SIGMA, [0], inputs["attention_mask"]):
        model(**inputs)
    assert _hooks(model) == 0
    with (
        pytest.raises(RuntimeError, match="stop"),
        exact_weight_noise(model, 2, SIGMA, [0], inputs["attention_mask"]),
    ):
        raise RuntimeError("stop")
    assert _hooks(model) == 0
    assert torch.equal(model(**inputs).logits, before)


def test_zero_sigma_is_the_plain_model() -> None:
    model, inputs = tiny("bert"), batch([TEXT])
    with exact_weight_noise(model, 2, 0.0, [0], inputs["attention_mask"]):
        assert torch.equal(model(**inputs).logits, model(**inputs).logits)


def test_misuse_is_refused() -> None:
    model, inputs = tiny("bert"), batch([TEXT, TEXT])
    mask = inputs["attention_mask"]
    with (
        pytest.raises(FuzzsmoothError, match="one seed per sample"),
        exact_weight_noise(model, 1, 0.1, [0], mask),
    ):
        pass
    with pytest.raises(FuzzsmoothError, match="outside 0"), exact_weight_noise(model, 1, 0.1, [0, -1], mask):
        pass
    with pytest.raises(FuzzsmoothError, match="sigma"), exact_weight_noise(model, 1, -0.1, [0, 1], mask):
        pass
    with (
        pytest.raises(FuzzsmoothError, match="was not called"),
        exact_weight_noise(model, 1, 0.1, [0, 1], mask),
    ):
        pass

    def run_twice() -> None:
        with exact_weight_noise(model, 1, 0.1, [0, 1], mask):
            model(**inputs)
            model(**inputs)

    with pytest.raises(FuzzsmoothError, match="ran twice"):
        run_twice()
    with (
        pytest.raises(FuzzsmoothError, match="reads a tensor"),
        exact_weight_noise(model, 1, 0.1, [0], mask[:1]),
    ):
        model(**inputs)
    assert _hooks(model) == 0


def test_gradients_are_refused_not_wrong() -> None:
    with torch.inference_mode(False), torch.enable_grad():
        model, inputs = tiny("bert"), batch([TEXT])
        with (
            pytest.raises(FuzzsmoothError, match="no_grad"),
            exact_weight_noise(model, 1, 0.1, [0], inputs["attention_mask"]),
        ):
            model(**inputs)
    assert _hooks(model) == 0


def test_exact_noise_is_several_times_faster() -> None:
    """200 draws of one text on a model of MiniLM's width, against writing the noise into the weights."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = tiny("bert", layers=2, width=384)
    inputs = batch([TEXT * 5] * 200)
    single = batch([TEXT * 5])

    def exact_draws() -> None:
        with exact_weight_noise(model, 2, 0.01, range(200), inputs["attention_mask"]):
            model(**inputs)

    def materialized_draws() -> None:
        for seed in range(10):
            with written_noise(model, 2, 0.01, seed):
                model(**single)

    def spent(run: Callable[[], None]) -> float:
        start = time.thread_time()  # processor time: other programs on the machine hardly count
        run()
        return time.thread_time() - start

    # In turn, so that what another program does to the processor's caches disturbs both.
    turns = [(spent(materialized_draws), spent(exact_draws)) for _ in range(5)]
    materialized, exact = map(min, zip(*turns, strict=True))
    assert 20 * materialized > 5 * exact

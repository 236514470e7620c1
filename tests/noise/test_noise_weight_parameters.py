from __future__ import annotations

import math

import pytest
import torch
from noise_weight_models import batch, tiny, written_noise
from torch import nn

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.noise.weight import (
    PerturbedParameters,
    clip_to_norm_,
    noised_parameters,
)


def _bits(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def _same_bits(model: nn.Module, saved: dict[str, torch.Tensor]) -> bool:
    def raw(value: torch.Tensor) -> torch.Tensor:
        return value.contiguous().view(torch.uint8) if value.dim() else value

    return all(torch.equal(raw(value), raw(saved[name])) for name, value in model.state_dict().items())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_restore_is_bit_exact_over_many_steps(dtype: torch.dtype) -> None:
    model = tiny("bert", dtype=dtype)
    with torch.no_grad():
        model.classifier.bias[0] = float("nan")
    saved = _bits(model)
    noise = PerturbedParameters(noised_parameters(model, 2), 0.7)
    for seed in range(20):
        noise.perturb(seed)
        assert not _same_bits(model, saved)
        noise.restore()
        assert _same_bits(model, saved)


def test_subtracting_the_noise_would_not_restore() -> None:
    """Negative control: the check above sees the difference that subtraction leaves."""
    model = tiny("bert")
    saved = _bits(model)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)) * 0.7
            parameter.add_(noise).sub_(noise)
    assert not _same_bits(model, saved)


def test_restores_after_an_exception() -> None:
    model = tiny("bert")
    saved = _bits(model)
    with pytest.raises(RuntimeError, match="stop"), written_noise(model, 1, 0.5, 3):
        raise RuntimeError("stop")
    assert _same_bits(model, saved)
    noise = PerturbedParameters(noised_parameters(model, 1), 0.5)
    with pytest.raises(RuntimeError, match="stop"), noise.perturb(3):
        raise RuntimeError("stop")
    assert not noise.perturbed
    assert _same_bits(model, saved)


def test_perturb_twice_is_an_error_and_restore_is_idempotent() -> None:
    model = tiny("bert")
    saved = _bits(model)
    noise = PerturbedParameters(noised_parameters(model, 1), 0.5)
    noise.restore()
    noise.perturb(1)
    assert noise.perturbed
    with pytest.raises(FuzzsmoothError, match=r"restore\(\)"):
        noise.perturb(2)
    noise.restore()
    noise.restore()
    assert _same_bits(model, saved)


def test_restore_takes_the_values_of_the_latest_perturb() -> None:
    """Training changes the parameters between two perturbations; the buffers must follow."""
    parameter = nn.Parameter(torch.zeros(5))
    noise = PerturbedParameters([parameter], 1.0)
    for value in (1.0, 2.0):
        with torch.no_grad():
            parameter.fill_(value)
        with noise.perturb(0):
            pass
        assert torch.equal(parameter.data, torch.full((5,), value))


def test_noise_has_the_law_asked_for() -> None:
    parameters = [nn.Parameter(torch.full((300, 200), 3.0)), nn.Parameter(torch.full((40_000,), 3.0))]
    noise = PerturbedParameters(parameters, 0.25)
    with noise.perturb(11):
        first = [parameter.detach() - 3 for parameter in parameters]
    values = torch.cat([part.flatten() for part in first]).double()
    assert abs(values.mean()) < 4 * 0.25 / math.sqrt(len(values))
    assert values.std().item() == pytest.approx(0.25, rel=0.02)
    assert abs(torch.corrcoef(torch.stack([first[0].flatten()[:40_000], first[1]]))[0, 1]) < 0.02
    with noise.perturb(11):
        assert torch.equal(parameters[1].detach() - 3, first[1])
    with noise.perturb(11 + 2**32):  # torch's CPU generator alone would not see bits above 31
        assert not torch.equal(parameters[1].detach() - 3, first[1])


def test_only_the_noised_region_changes_and_gradients_flow() -> None:
    model = tiny("bert")
    saved = _bits(model)
    inputs = batch([[5, 6, 7]])
    with written_noise(model, 1, 0.5, 3):
        changed = {name for name, value in model.state_dict().items() if not torch.equal(value, saved[name])}
        model(**inputs).logits.sum().backward()
    assert changed
    assert all("layer.1." in name or "pooler" in name or "classifier" in name for name in changed)
    assert model.bert.encoder.layer[0].attention.self.query.weight.grad is not None


@pytest.mark.parametrize("sigma", [-0.1, float("nan"), float("inf")])
def test_bad_sigma(sigma: float) -> None:
    with pytest.raises(FuzzsmoothError, match="sigma"):
        PerturbedParameters([], sigma)


@pytest.mark.parametrize("seed", [-1, 2**63])
def test_bad_seed(seed: int) -> None:
    with pytest.raises(FuzzsmoothError, match="seed"):
        PerturbedParameters([nn.Parameter(torch.zeros(1))], 1.0).perturb(seed)


def _vector(parameters: list[nn.Parameter]) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in parameters]).double()


def test_clipping_projects_the_whole_vector() -> None:
    generator = torch.Generator().manual_seed(2)
    parameters = [nn.Parameter(torch.randn(shape, generator=generator)) for shape in [(4, 5), (7,)]]
    before = _vector(parameters)
    assert clip_to_norm_(iter(parameters), 2.0) == pytest.approx(before.norm().item())
    after = _vector(parameters)
    assert after.norm().item() == pytest.approx(2.0, rel=1e-6)
    assert torch.allclose(after, before * 2 / before.norm(), rtol=1e-5)


def test_clipping_leaves_a_short_vector_alone() -> None:
    parameter = nn.Parameter(torch.tensor([3.0, 4.0]))
    for rho in (5.0, 6.0, math.inf):
        assert clip_to_norm_([parameter], rho) == 5.0
        assert torch.equal(parameter.data, torch.tensor([3.0, 4.0]))


def test_clipping_is_1_lipschitz() -> None:
    generator = torch.Generator().manual_seed(4)
    for _ in range(200):
        scale = torch.rand(2, generator=generator) * 4
        pair = [nn.Parameter(torch.randn(6, generator=generator) * s) for s in scale]
        distance = (pair[0] - pair[1]).norm().item()
        for parameter in pair:
            clip_to_norm_([parameter], 1.5)
        assert (pair[0] - pair[1]).norm().item() <= distance * (1 + 1e-5)


@pytest.mark.parametrize("rho", [0.0, -1.0, float("nan")])
def test_clipping_needs_a_positive_radius(rho: float) -> None:
    with pytest.raises(FuzzsmoothError, match="rho"):
        clip_to_norm_([nn.Parameter(torch.ones(2))], rho)


def test_clipping_refuses_diverged_parameters() -> None:
    parameter = nn.Parameter(torch.tensor([1.0, float("inf")]))
    with pytest.raises(FuzzsmoothError, match="diverged"):
        clip_to_norm_([parameter], 1.0)

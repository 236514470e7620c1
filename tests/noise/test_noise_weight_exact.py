"""Exact parameter noise against noise written into the weights, with negative controls."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from noise_weight_models import ARCHITECTURES, SIGMA, TEXT, batch, tiny, written_noise
from scipy import stats
from torch import Tensor, nn

from fuzzsmooth.models.bert_forward import first_token_logits, reads_first_token_only
from fuzzsmooth.noise.weight import exact_weight_noise, forward
from fuzzsmooth.noise.weight.factor import NoiseFactor, Scratch, Spans, noise_factor
from fuzzsmooth.noise.weight.normals import stream

pytestmark = pytest.mark.usefixtures("inference")

DRAWS = 5000


def _statistics(model: nn.Module, inputs: dict[str, Tensor]) -> Tensor:
    """Per sample: both logits, and two features averaged over tokens (these feel the tokens' correlation)."""
    output = model(**inputs, output_hidden_states=True)
    return torch.cat([output.logits, output.hidden_states[-1].mean(dim=1)[:, :2]], dim=1)


def _exact(model: nn.Module, layers: int, draws: int = DRAWS, sigma: float = SIGMA) -> Tensor:
    inputs = batch([TEXT] * draws)
    with exact_weight_noise(model, layers, sigma, range(draws), inputs["attention_mask"]):
        return _statistics(model, inputs)


def _materialized(model: nn.Module, layers: int, draws: int = DRAWS, sigma: float = SIGMA) -> Tensor:
    inputs = batch([TEXT])
    rows = []
    for seed in range(draws):
        with written_noise(model, layers, sigma, seed):
            rows.append(_statistics(model, inputs))
    return torch.cat(rows)


def _p_value(first: Tensor, second: Tensor) -> float:
    """Smallest two-sample Kolmogorov-Smirnov p over the statistics that vary, times 4 (Bonferroni)."""
    pairs = list(zip(first.T.numpy(), second.T.numpy(), strict=True))
    return min(1.0, 4 * min(stats.ks_2samp(a, b).pvalue for a, b in pairs if a.std() > 1e-6))


def _bert() -> nn.Module:
    """One block with small activations, so that the bias noise weighs in."""
    model = tiny("bert", layers=1, width=8)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "LayerNorm.weight" in name:
                parameter.mul_(0.3)
    return model


@pytest.fixture(scope="module")
def reference() -> Tensor:
    with torch.inference_mode():
        return _materialized(_bert(), 1)


def test_logits_have_the_law_of_materialized_noise(reference: Tensor) -> None:
    sample = _exact(_bert(), 1)
    assert _p_value(sample, reference) > 1e-3
    assert torch.allclose(sample.std(dim=0), reference.std(dim=0), rtol=0.05)


def _first_token(draws: int) -> Tensor:
    """Logits of the pass that computes the last layer for the first token alone."""
    inputs = batch([TEXT] * draws)
    ids, mask = inputs["input_ids"], inputs["attention_mask"]
    model = _bert()
    assert reads_first_token_only(model)
    with exact_weight_noise(model, 1, SIGMA, range(draws), mask):
        return first_token_logits(model, ids, mask)


def test_logits_have_the_same_law_where_only_the_first_token_is_computed(reference: Tensor) -> None:
    sample = _first_token(DRAWS)
    assert _p_value(sample, reference[:, :2]) > 1e-3
    assert torch.allclose(sample.std(dim=0), reference[:, :2].std(dim=0), rtol=0.05)


@pytest.mark.parametrize("wrong", ["bias", "scale"])
def test_that_law_test_detects_wrong_noise(
    reference: Tensor, wrong: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def corrupt(x: Tensor, spans: Spans, *, bias: bool, scratch: Scratch) -> NoiseFactor:
        good = noise_factor(x, spans, bias=bias and wrong != "bias", scratch=scratch)
        return good if wrong == "bias" else NoiseFactor(good.matrix * 0.8, good.rows)

    monkeypatch.setattr(forward, "noise_factor", corrupt)
    assert _p_value(_first_token(DRAWS), reference[:, :2]) < 1e-3


def _without_bias(x: Tensor, spans: Spans, *, bias: bool, scratch: Scratch) -> NoiseFactor:
    return noise_factor(x, spans, bias=False)


def _independent_tokens(x: Tensor, spans: Spans, *, bias: bool, scratch: Scratch) -> NoiseFactor:
    root = (x.square().sum(dim=2) + int(bias)).sqrt()
    return NoiseFactor(root.diag_embed(), tuple(zip(spans.first, spans.count, strict=True)))


Corrupt = Callable[..., NoiseFactor]

CORRUPTIONS = pytest.mark.parametrize("corrupt", [_without_bias, _independent_tokens])


@CORRUPTIONS
def test_the_law_test_detects_wrong_noise(
    reference: Tensor, corrupt: Corrupt, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forward, "noise_factor", corrupt)
    assert _p_value(_exact(_bert(), 1), reference) < 1e-3


def _layer_noise(seeds: range) -> tuple[Tensor, Tensor, Tensor]:
    """What exact noise adds to query and key of the first block, and what they read (no noise below)."""
    model = tiny("bert", layers=1)
    inputs = batch([TEXT] * len(seeds))
    attention = model.bert.encoder.layer[0].attention.self
    seen: dict[str, Tensor] = {}

    def keep(name: str) -> Callable[[nn.Module, tuple[Tensor], Tensor], None]:
        def hook(module: nn.Module, args: tuple[Tensor], output: Tensor) -> None:
            clean = nn.functional.linear(args[0], module.weight, module.bias)
            seen[name], seen["x"] = output - clean, args[0][0]

        return hook

    with exact_weight_noise(model, 1, SIGMA, seeds, inputs["attention_mask"]):
        handles = [getattr(attention, name).register_forward_hook(keep(name)) for name in ("query", "key")]
        model(**inputs)
    for handle in handles:
        handle.remove()
    return seen["query"], seen["key"], seen["x"]


def _covariance_z(noise: Tensor, x: Tensor) -> float:
    """Largest z-score of the empirical joint covariance of all pairs of tokens, shape (draws, L, out)."""
    columns = noise.double().transpose(0, 1).flatten(1)  # one row per token; draws and outputs are i.i.d.
    wanted = SIGMA**2 * (x.double() @ x.double().T + 1)
    found = columns @ columns.T / columns.size(1)
    spread = ((wanted.square() + wanted.diag()[:, None] * wanted.diag()) / columns.size(1)).sqrt()
    return float(((found - wanted).abs() / spread).max())


def test_joint_covariance_of_tokens_inside_the_model() -> None:
    query, key, x = _layer_noise(range(3000))
    assert _covariance_z(query, x) < 4.5
    assert _covariance_z(key, x) < 4.5
    # Query and key share the factor, not the draw; likewise different outputs of one layer.
    assert abs(np.corrcoef(query.flatten(), key.flatten())[0, 1]) < 0.01
    assert abs(np.corrcoef(query[:, :, 0].flatten(), query[:, :, 1].flatten())[0, 1]) < 0.04


@CORRUPTIONS
def test_the_covariance_test_detects_wrong_noise(corrupt: Corrupt, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forward, "noise_factor", corrupt)
    query, _, x = _layer_noise(range(3000))
    assert _covariance_z(query, x) > 4.5


def _sample_correlation(seeds: list[int]) -> float:
    """Correlation of the logits of neighboring samples of one batch."""
    inputs = batch([TEXT] * len(seeds))
    with exact_weight_noise(model := _bert(), 1, SIGMA, seeds, inputs["attention_mask"]):
        logits = model(**inputs).logits[:, 0]
    return abs(float(np.corrcoef(logits[::2], logits[1::2])[0, 1]))


def test_samples_of_a_batch_are_independent() -> None:
    assert _sample_correlation(list(range(4000))) < 0.08
    assert _sample_correlation([seed // 2 for seed in range(4000)]) > 0.99  # negative control: shared noise


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("top_layers", [0, 2])
def test_every_architecture_matches_its_reference(architecture: str, top_layers: int) -> None:
    model = tiny(architecture, width=8)
    ours, reference = _exact(model, top_layers, 2000, 0.2), _materialized(model, top_layers, 400, 0.2)
    ratio = ours[:, :2].var(dim=0) / reference[:, :2].var(dim=0)
    assert torch.all((ratio > 0.75) & (ratio < 1.33)), ratio
    assert _p_value(ours, reference) > 1e-3


def test_norms_get_gain_and_offset_noise() -> None:
    """The final norm of Llama and a LayerNorm, alone: variance sigma^2 (normalized^2 (+ 1))."""
    draws = 4000
    for architecture, name, offset in (
        ("llama", "model.norm", 0),
        ("bert", "bert.encoder.layer.0.attention.output.LayerNorm", 1),
    ):
        model = tiny(architecture, layers=1)
        module = model.get_submodule(name)
        generators = [stream(seed, torch.device("cpu")) for seed in range(draws)]
        noise = forward.ForwardNoise(SIGMA, generators, Spans(5, (0,) * draws, (5,) * draws))
        x = torch.randn(1, 5, 16, generator=torch.Generator().manual_seed(1)).expand(draws, 5, 16)
        clean = module(x)
        handle = noise.attach(name, module)
        added = module(x) - clean
        handle.remove()
        normalized = (clean[0] - (module.bias if offset else 0)) / module.weight
        wanted = SIGMA**2 * (normalized.square() + offset)
        assert torch.allclose(added.var(dim=0), wanted, rtol=0.15, atol=1e-5)
        # One gain serves all tokens: scaled noise of two tokens is the same number.
        if not offset:
            assert torch.allclose(
                added[:, 0] / normalized[0], added[:, 1] / normalized[1], rtol=1e-2, atol=1e-3
            )


@pytest.mark.parametrize("architecture", ["bert", "llama"])
def test_bfloat16_and_autocast(architecture: str) -> None:
    inputs = batch([TEXT] * 3000)
    spread = []
    for dtype, autocast in ((torch.float32, False), (torch.bfloat16, False), (torch.float32, True)):
        model = tiny(architecture, dtype=dtype, layers=1)
        with (
            torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast),
            exact_weight_noise(model, 1, 0.1, range(3000), inputs["attention_mask"]),
        ):
            spread.append(model(**inputs).logits.float().std(dim=0))
    assert torch.allclose(spread[0], spread[1], rtol=0.1)
    assert torch.allclose(spread[0], spread[2], rtol=0.1)


def test_a_noisy_output_in_bfloat16_is_rounded_once() -> None:
    x = torch.randn(20, 7, 64, generator=torch.Generator().manual_seed(2))
    factor = noise_factor(x, Spans(7, (0,) * 20, (7,) * 20), bias=True)
    z = factor.normals(64, [stream(seed, torch.device("cpu")) for seed in range(20)])
    single, rough = x.bfloat16().float(), x.bfloat16()
    noise = forward.ForwardNoise(SIGMA, [], Spans.single(20))
    noise._add_product(single, factor.matrix, z)
    noise._add_product(rough, factor.matrix, z)
    torch.testing.assert_close(single, x.bfloat16().float() + SIGMA * factor.matrix @ z)
    assert torch.equal(rough, single.bfloat16())
    twice = x.bfloat16() + (SIGMA * factor.matrix @ z).bfloat16()
    assert not torch.equal(rough, twice), "control: noise rounded before the sum is something else"

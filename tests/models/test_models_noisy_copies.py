"""Noisy copies that are drawn once: the logits of materialized weights, their law, and what is kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_models import WORDS, random_texts
from torch.func import functional_call

from fuzzsmooth.models import HuggingFaceClassifier, build_tiny, load_classifier
from fuzzsmooth.models.protocol import WeightNoise
from fuzzsmooth.noise.weight import copies as kept_copies
from fuzzsmooth.noise.weight import drawn_weights
from fuzzsmooth.noise.weight.copies import NoisyCopies

NOISE = WeightNoise(0.3, 1, copies=True)
TEXTS = [*random_texts(7, seed=1), "", "w1"]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module", params=["bert", "distilbert", "roberta", "llama"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("copies") / request.param
    return load_classifier(str(build_tiny(request.param, folder, vocabulary=WORDS, hidden=32, layers=2)))


@pytest.fixture
def bert(tmp_path: Path) -> HuggingFaceClassifier:
    return load_classifier(str(build_tiny("bert", tmp_path / "bert", vocabulary=WORDS, hidden=16, layers=2)))


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The seeds of the copies that were drawn."""
    seeds: list[int] = []

    def counted(model: Any, top_layers: int, sigma: float, seed: int) -> Any:
        seeds.append(seed)
        return drawn_weights(model, top_layers, sigma, seed)

    monkeypatch.setattr(kept_copies, "drawn_weights", counted)
    return seeds


def materialized(model: Any, row: Any, seed: int, noise: WeightNoise = NOISE) -> Any:
    """Logits of one sequence by the model with the weights of its copy in place of its own."""
    with torch.inference_mode():
        weights = drawn_weights(model.model, noise.top_layers or 2, noise.sigma, seed)
        ids = torch.tensor([list(map(int, row))])
        inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        return functional_call(model.model, weights, kwargs=inputs).logits[0].numpy()


def test_logits_are_those_of_materialized_weights(model: Any) -> None:
    ids, seeds = model.encode(TEXTS).ids, [at % 3 for at in range(len(TEXTS))]
    found = model.logits(ids, noise=NOISE, seeds=seeds)
    wanted = np.array([materialized(model, row, seed) for row, seed in zip(ids, seeds, strict=True)])
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)
    assert abs(found - model.logits(ids)).max() > 0.01, "control: the noise does something"
    other = np.array([materialized(model, row, seed + 1) for row, seed in zip(ids, seeds, strict=True)])
    assert abs(found - other).max() > 0.01, "control: and another copy something else"


def test_rows_of_one_seed_share_a_copy_and_equal_rows_an_answer(model: Any, drawn: list[int]) -> None:
    model.refresh()
    ids = model.encode(["w1 w2", "w3", "w1 w2", "w1 w2"]).ids
    before = model.forward_count
    found = model.logits(ids, noise=NOISE, seeds=[8, 8, 8, 9])
    assert drawn == [8, 9]
    assert (found[0] == found[2]).all()
    assert (found[0] != found[3]).any()
    assert model.forward_count - before == 4, "each row is counted"
    again = model.logits(ids[::-1], noise=NOISE, seeds=[9, 8, 8, 8])
    assert drawn == [8, 9], "nor is a copy drawn anew by the next call"
    np.testing.assert_allclose(again[::-1], found, rtol=1e-5, atol=1e-5)


def test_the_model_itself_stays_as_it_is(bert: HuggingFaceClassifier) -> None:
    before = {name: value.clone() for name, value in bert.model.state_dict().items()}
    bert.logits(bert.encode(TEXTS).ids, noise=NOISE, seeds=range(len(TEXTS)))
    assert all(torch.equal(before[name], value) for name, value in bert.model.state_dict().items())


def test_copies_of_another_scale_depth_or_number_type_are_others(
    bert: HuggingFaceClassifier, drawn: list[int]
) -> None:
    ids = bert.encode(["w1 w2"]).ids
    for noise in (NOISE, replace(NOISE, sigma=0.1), replace(NOISE, top_layers=2), NOISE):
        np.testing.assert_allclose(
            bert.logits(ids, noise=noise, seeds=[4])[0], materialized(bert, ids[0], 4, noise), atol=1e-4
        )
    assert drawn == [4, 4, 4]
    bert.in_precision("bfloat16").logits(ids, noise=NOISE, seeds=[4])
    assert drawn == [4, 4, 4, 4]
    bert.in_precision("float32").logits(ids, noise=NOISE, seeds=[4])
    assert drawn == [4, 4, 4, 4], "a twin of the same type shares them"


def test_refresh_forgets_the_copies_of_other_weights(bert: HuggingFaceClassifier) -> None:
    ids = bert.encode(["w1 w2"]).ids
    bert.logits(ids, noise=NOISE, seeds=[4])
    with torch.no_grad():
        for parameter in bert.model.parameters():
            parameter.mul_(2.0)
    wanted = materialized(bert, ids[0], 4)
    assert abs(bert.logits(ids, noise=NOISE, seeds=[4])[0] - wanted).max() > 1e-3, "control: stale"
    bert.refresh()
    np.testing.assert_allclose(bert.logits(ids, noise=NOISE, seeds=[4])[0], wanted, atol=1e-4)


def test_a_separate_model_has_copies_of_its_own(bert: HuggingFaceClassifier) -> None:
    """Its weights may be changed while the first model goes on answering."""
    ids, other = bert.encode(["w1 w2"]).ids, bert.separate()
    with torch.no_grad():
        for parameter in other.model.parameters():
            parameter.mul_(2.0)
    other.refresh()
    for one in (bert, other, bert):
        found = one.logits(ids, noise=NOISE, seeds=[4])[0]
        np.testing.assert_allclose(found, materialized(one, ids[0], 4), atol=1e-4)


def test_the_limit_of_bytes_is_kept_by_dropping_what_was_used_least_lately(
    bert: HuggingFaceClassifier, drawn: list[int]
) -> None:
    size = sum(4 * value.numel() for value in drawn_weights(bert.model, 1, 0.1, 0).values())
    kept = NoisyCopies(2 * size)
    for seed in (1, 2, 1, 3, 1, 2):
        kept.weights(bert.model, 1, 0.1, seed)
    assert drawn == [1, 2, 3, 2], "3 drove out 2, not 1"
    drawn.clear()
    small = NoisyCopies(1)
    for seed in (1, 1, 2, 2, 1):
        assert small.weights(bert.model, 1, 0.1, seed)
    assert drawn == [1, 2, 1], "one is kept, however large"
    drawn.clear()
    small.clear()
    small.weights(bert.model, 1, 0.1, 1)
    assert drawn == [1]


def moments(bert: HuggingFaceClassifier, noise: WeightNoise, draws: int) -> tuple[Any, Any]:
    row = bert.encode(["w1 w2 w3 w2"]).ids[0]
    # One set of seeds each, or the two samples would not be independent.
    first = 10_000 if noise.copies else 0
    rows = bert.logits([row] * draws, noise=noise, seeds=range(first, first + draws))
    return rows[:, :2].mean(axis=0), rows[:, :2].std(axis=0)


def test_the_law_is_that_of_noise_in_activation_space(bert: HuggingFaceClassifier) -> None:
    draws = 500
    copied = moments(bert, NOISE, draws)
    exact = moments(bert, replace(NOISE, copies=False), draws)
    error = exact[1] * np.sqrt(2 / draws)
    assert (abs(copied[0] - exact[0]) < 4 * error).all()
    np.testing.assert_allclose(copied[1], exact[1], rtol=0.15)
    weaker = moments(bert, replace(NOISE, copies=False, sigma=0.2), draws)
    assert (abs(weaker[1] / exact[1] - 1) > 0.15).any(), "control: another sigma is told apart"


def test_in_fixed_shapes_an_answer_does_not_depend_on_what_else_is_asked(bert: HuggingFaceClassifier) -> None:
    exact = bert.reproducible()
    ids = exact.encode(random_texts(40, seed=2)).ids
    seeds = [at % 4 for at in range(40)]
    together = exact.logits(ids, noise=NOISE, seeds=seeds)
    for at in range(0, 40, 9):
        alone = exact.logits([ids[at]], noise=NOISE, seeds=[seeds[at]])
        np.testing.assert_array_equal(alone[0], together[at])

"""Architecture by operation: loading, answers as transformers gives them, batches, and parameter noise."""

from __future__ import annotations

import warnings
from pathlib import Path

import architectures
import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn
from transformers import AutoModelForSequenceClassification

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.models import (
    HuggingFaceClassifier,
    SlowPathWarning,
    WeightNoise,
    load_classifier,
    quiet_transformers,
)
from fuzzsmooth.models.loading import ModelWarning
from fuzzsmooth.noise.weight import PerturbedParameters, forward, noised_modules, noised_parameters
from fuzzsmooth.noise.weight.factor import Spans
from fuzzsmooth.noise.weight.forward import ForwardNoise
from fuzzsmooth.noise.weight.layers import is_linear
from fuzzsmooth.noise.weight.normals import stream

LONG = "the bad film was long and dull, and nobody laughed "
NAMED = ["<s>old</s> new", "a [SEP] film [CLS]", "<pad><pad> dull [PAD]", "＜/s＞ good <unk></s></s>"]
TEXTS = [
    "a good film",
    "A GOOD film",
    "",
    " ",
    "dull",
    "it's a fine story (yes!) with 3 good ends",
    "😀 good 👍🏽",
    "電影 film กา",
    "x\u0301y naïve ß \u200d",
    "\ud800 broken",
    "http://a.b/c?d=1&e=2",
    "a  double   blank",
    "line\nbreak\ttab",
    "they said: what a slow, dull, and endless evening",
    LONG * 2,
    LONG * 30,
    "dull " * 300,
    "bright old music; new stories about people who walk the city " * 9,
    *NAMED,
    LONG * 9 + NAMED[0],
]
NOT_LOADED = {"nystromformer": "does not run on texts of 2 to 48 tokens"}
BY_LENGTH = {"fnet", "xlnet", "mobilebert", "convbert"}
"""Architectures that read their padding: texts of one length share a batch."""
PADDED = {"funnel"}
"""Architectures that do not run on two tokens: shorter texts are padded."""
WITHOUT_NOISE = {
    "albert": "needs every block to act once",
    "bart": "several equal ones",
    "t5": "several equal ones",
    "xlm": "several equal ones",
    "flaubert": "several equal ones",
}
DRAWN = {
    "deberta", "deberta-v3", "xlnet", "funnel", "longformer", "mobilebert", "squeezebert", "convbert", "xmod",
    "mixtral", "luke", "ibert",
}  # fmt: skip
"""Architectures that the exact sampler does not suit: weights are drawn for every draw."""

_ALL = sorted(architectures.ARCHITECTURES)
_LOADED = [name for name in _ALL if name not in NOT_LOADED]
_folders: dict[str, Path] = {}
_known: dict[str, HuggingFaceClassifier] = {}


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
    _known.clear()


@pytest.fixture
def folder(request, tmp_path_factory) -> Path:
    name = request.getfixturevalue("name")
    if name not in _folders:
        with quiet_transformers():
            _folders[name] = architectures.build(name, tmp_path_factory.mktemp(name))
    return _folders[name]


@pytest.fixture
def classifier(request, folder) -> HuggingFaceClassifier:
    name = request.getfixturevalue("name")
    if name not in _known:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ModelWarning)
            _known[name] = load_classifier(str(folder))
    return _known[name]


def test_there_are_many():
    assert len(_LOADED) >= 40
    assert len([name for name in _LOADED if name not in WITHOUT_NOISE]) >= 40
    assert len(TEXTS) >= 20


@pytest.mark.parametrize("name", sorted(NOT_LOADED))
def test_what_does_not_run_is_refused_in_one_sentence(folder, name):
    with pytest.raises(FuzzsmoothError, match=NOT_LOADED[name]):
        load_classifier(str(folder))


@pytest.mark.parametrize("name", _LOADED)
def test_special_names_are_read_as_text(classifier, name):
    tokenizer, rows = classifier.tokenizer, classifier.encode(TEXTS).ids
    special = set(tokenizer.all_special_ids) - {tokenizer.unk_token_id, tokenizer.mask_token_id}
    own = [index for index in classifier.encode(["a"]).ids[0] if index in special]
    for text, row in zip(TEXTS, rows, strict=True):
        assert len(row) <= classifier.max_length
        if len(row) > 1 or own:  # an empty text without special tokens is one filler token
            assert [index for index in row if index in special] == own, text
    ordinary = [text for text in TEXTS if text not in NAMED and "<s>" not in text and "\ud800" not in text]
    plain = tokenizer(
        ordinary, truncation=True, max_length=classifier.max_length, split_special_tokens=False
    )["input_ids"]
    for row, expected in zip(classifier.encode(ordinary).ids, plain, strict=True):
        assert row == expected or not expected


@pytest.mark.parametrize("name", ["bert", "roberta", "xlm-roberta", "albert"])
def test_the_mask_alone_may_be_named(classifier, name):
    tokenizer = classifier.tokenizer
    mask, end = tokenizer.mask_token, tokenizer.sep_token
    row = classifier.encode([f"a {mask} film {end} dull"]).ids[0]
    assert row.count(tokenizer.mask_token_id) == 1
    assert row.count(tokenizer.sep_token_id) == 1
    plain = tokenizer(f"a {mask} film", split_special_tokens=False)["input_ids"]
    assert classifier.encode([f"a {mask} film"]).ids[0] == plain
    assert classifier.encode([f"{mask} " * 99]).truncated == [True]


@pytest.mark.parametrize("name", ["fnet"])
def test_a_model_that_knows_no_bfloat16_computes_in_float32(folder, name):
    with pytest.warns(ModelWarning, match="computes in float32, because it does not run in bfloat16"):
        assert load_classifier(str(folder), precision="bfloat16").precision == "float32"


@pytest.mark.parametrize("name", _LOADED)
def test_answers_are_those_of_transformers(folder, classifier, name):
    with quiet_transformers():
        plain = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    if name == "bigbird":
        plain.bert.set_attention_type("original_full")
    plain.config.get_text_config().pad_token_id = classifier.pad_id
    found = classifier.logits_of_texts(TEXTS)
    assert found.std(axis=0).max() > 0.01
    compared = 0
    for row, ours in zip(classifier.encode(TEXTS).ids, found, strict=True):
        ids = torch.tensor([row])
        try:
            with torch.inference_mode():
                expected = plain(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[0].numpy()
        except RuntimeError:
            assert name in PADDED
            continue
        np.testing.assert_allclose(ours, expected, atol=1e-4, rtol=1e-4)
        compared += 1
    assert compared >= 20


@pytest.mark.parametrize("name", _LOADED)
def test_an_answer_depends_on_its_text_alone(classifier, name):
    assert classifier.pads == (name not in BY_LENGTH)
    assert (classifier.shortest > 1) == (name in PADDED)
    expected = classifier.logits_of_texts(TEXTS)
    order = np.random.default_rng(1).permutation(len(TEXTS))
    size = classifier.batch_size
    try:
        for classifier.batch_size in (1, 3):
            found = classifier.logits_of_texts([TEXTS[index] for index in order])
            np.testing.assert_allclose(found, expected[order], atol=1e-4)
    finally:
        classifier.batch_size = size
    np.testing.assert_allclose(classifier.logits_of_texts(TEXTS), expected, atol=1e-6)


@pytest.mark.parametrize("name", sorted(WITHOUT_NOISE))
def test_architectures_without_noise_say_how_to_go_on(classifier, name):
    with pytest.raises(FuzzsmoothError, match=rf"{WITHOUT_NOISE[name]}.*--sigma 0") as caught:
        classifier.logits([[1]], noise=WeightNoise(0.1, None), seeds=[0])
    assert "\n" not in str(caught.value)
    assert ". " not in str(caught.value)


def _materialized(
    classifier: HuggingFaceClassifier, row: list[int], sigma: float, seeds: range
) -> np.ndarray:
    logits = []
    for seed in seeds:
        with PerturbedParameters(noised_parameters(classifier.model, 2), sigma).perturb(seed):
            logits.append(classifier.logits([row], one_batch=True)[0])
    return np.array(logits)


@pytest.mark.parametrize("name", [name for name in _LOADED if name not in WITHOUT_NOISE])
def test_noise_has_the_law_of_noise_written_into_the_weights(classifier, name):
    noise = WeightNoise(0.1, None)
    row = classifier.encode(["the bad film was long"]).ids[0]
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        few = classifier.logits([row] * 3, noise=noise, seeds=range(3))
    assert [one.category for one in told if one.category is SlowPathWarning] == [SlowPathWarning] * (
        name in DRAWN
    )
    if name in DRAWN:
        np.testing.assert_allclose(few, _materialized(classifier, row, 0.1, range(3)), atol=1e-5)
        return
    found = classifier.logits([row] * 1500, noise=noise, seeds=range(1500))
    reference = _materialized(classifier, row, 0.1, range(300))
    spread = found.std(axis=0) / reference.std(axis=0)
    assert ((spread > 0.85) & (spread < 1.18)).all(), spread
    pairs = [
        *zip(found.T, reference.T, strict=True),
        (found[:, 0] - found[:, 1], reference[:, 0] - reference[:, 1]),
    ]
    assert min(stats.ks_2samp(ours, theirs).pvalue for ours, theirs in pairs) > 1e-3


def _noise_of_layer(
    classifier: HuggingFaceClassifier, name: str, module: nn.Module, row: list[int], draws: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """What one layer adds to its output if it alone is noised, and what it reads; (draws, tokens, width)."""
    seen: dict[str, torch.Tensor] = {}

    def keep(module: nn.Module, args: tuple, kwargs: dict, output: torch.Tensor) -> None:
        x = args[0] if args else next(iter(kwargs.values()))
        seen["added"] = (output - module.forward(x)).reshape(draws, -1, output.size(-1))
        seen["x"] = x.reshape(draws, -1, x.size(-1))

    streams = [stream(seed, torch.device("cpu")) for seed in range(draws)]
    noise = ForwardNoise(0.1, streams, Spans(len(row), (0,) * draws, (len(row),) * draws))
    handles = [noise.attach(name, module), module.register_forward_hook(keep, with_kwargs=True)]
    ids, mask = classifier.padded([row] * draws)
    with torch.inference_mode():
        classifier.model(input_ids=ids, attention_mask=mask)
    for handle in handles:
        handle.remove()
    return seen["added"].double(), seen["x"].double()


@pytest.mark.parametrize("name", [name for name in _LOADED if name not in (*WITHOUT_NOISE, *DRAWN)])
def test_every_layer_gets_the_noise_of_its_weights(classifier, name):
    """The covariance of tokens is sigma^2 (X X^T + 1 1^T) in a linear layer; a norm scales one vector."""
    row = classifier.encode(["a long film"]).ids[0]
    layers = noised_modules(classifier.model, 2)
    parameters = sum(p.numel() for _, module in layers for p in module.parameters(recurse=False))
    assert parameters == sum(p.numel() for p in noised_parameters(classifier.model, 2))
    for layer, module in layers:
        added, x = _noise_of_layer(classifier, layer, module, row, 300)
        bias = float(getattr(module, "bias", None) is not None)
        if is_linear(module):
            wanted = 0.01 * (x[0] @ x[0].T + bias)
            found = torch.einsum("dto,dso->ts", added, added) / (len(added) * added.size(2))
            # Of few outputs the estimate is coarse: five standard errors.
            margin = 5 * 2**0.5 / (len(added) * added.size(2)) ** 0.5
        else:
            wanted = 0.01 * (forward._normalized(module, x[0]).square() + bias).sum()
            found = added.square().sum(dim=(1, 2)).mean()
            margin = 0.15
        assert torch.linalg.norm(found - wanted) <= max(margin, 0.05) * torch.linalg.norm(wanted), layer


@pytest.mark.parametrize("name", [name for name in _LOADED if name not in WITHOUT_NOISE])
def test_noise_depends_on_text_and_seed_alone(classifier, name):
    noise = WeightNoise(0.05, 1)
    rows = classifier.encode(["a good film", "", "dull", LONG, LONG * 20, "a dull film", NAMED[0]]).ids
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SlowPathWarning)
        together = classifier.logits(rows, noise=noise, seeds=range(7))
        alone = [classifier.logits([row], noise=noise, seeds=[seed])[0] for seed, row in enumerate(rows)]
    np.testing.assert_allclose(together, np.array(alone), atol=2e-4, rtol=2e-4)
    assert abs(together - classifier.logits(rows)).max() > 0.01

"""Smoothing real transformers: parameter noise, truncation, defenses, loading."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from defended import options_for
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.defenses import REFERENCES_FILE, Defense, defend, protect
from fuzzsmooth.defenses.randomized import Randomized
from fuzzsmooth.engine import sampler
from fuzzsmooth.models import (
    HuggingFaceClassifier,
    TokenClassifier,
    WeightNoise,
    build_tiny,
    load_classifier,
    pad_rows,
)
from fuzzsmooth.models.bert_forward import first_token_logits, lower_states
from fuzzsmooth.noise.weight import exact_weight_noise
from fuzzsmooth.search import References, SearchOptions

WORDS = [f"w{index}" for index in range(30)]
SEARCH = SearchOptions(budget=24, references=2)
NOISE = WeightNoise(0.1, 2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    path = build_tiny("bert", tmp_path_factory.mktemp("smoothing") / "tiny", vocabulary=WORDS, hidden=16)
    References(("w1 w2 w3", "w4 w5 w6"), (0, 1), "").save(path / REFERENCES_FILE)
    return path


def loaded(folder: Path, **loading: Any) -> HuggingFaceClassifier:
    return load_classifier(str(folder), precision="float32", **loading)


def noisy(
    classifier: HuggingFaceClassifier, some: Sequence[str], noise: WeightNoise, seeds: Sequence[int]
) -> Any:
    """Logits of each text under its own noise draw."""
    return classifier.logits(classifier.encode(some).ids, noise=noise, seeds=seeds)


def texts(count: int, longest: int = 12) -> list[str]:
    generator = np.random.default_rng(0)
    return [" ".join(generator.choice(WORDS, size=int(generator.integers(0, longest)))) for _ in range(count)]


def smooth(folder: Path, batch_size: int = 32, *, defense: str = "frs", **options: Any) -> Defense:
    settings = {"sigma": 0.3, "copies": 12, "draws": 24, "search": SEARCH} | options
    loading = {"precision": "float32", "batch_size": batch_size}
    return protect(folder, defense, options=options_for(defense, **settings), loading=loading)


@pytest.mark.parametrize("defense", ["frs", "deletion"])
def test_votes_do_not_depend_on_batches_order_chunks_or_restarts(
    folder: Path, defense: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    some = texts(5)

    def votes(received: Sequence[str], batch_size: int = 32, **options: Any) -> list[Any]:
        protected = smooth(folder, batch_size, defense=defense, **options)
        answers = zip(protected.predict(received), protected.certify(received), strict=True)
        return [(prediction.votes, certification.votes) for prediction, certification in answers]

    together = votes(some)
    assert any(min(prediction) > 0 for prediction, _ in together), "the noise does change labels"
    assert votes(some, batch_size=3) == together
    assert votes(some[::-1])[::-1] == together
    assert votes(some[2:3]) == together[2:3]
    monkeypatch.setattr(sampler, "_TOGETHER", 5)
    assert votes(some) == together
    assert votes(some, seed=1) != together


def test_a_loaded_model_is_smoothed_as_it_is(folder: Path) -> None:
    """What ``load_classifier`` gives needs no wrapper, with noise or without."""
    for sigma in (0.0, 0.3):
        settings = options_for(sigma=sigma, copies=12, draws=24, search=SEARCH, defense="deletion")
        references = References.load(folder / REFERENCES_FILE)
        given = defend(load_classifier(str(folder), precision="float32"), settings, references)
        expected = smooth(folder, sigma=sigma, defense="deletion")
        assert given.predict(texts(3)) == expected.predict(texts(3))


def test_noisy_rows_are_functions_of_text_and_seed(folder: Path) -> None:
    some, seeds = texts(12), list(range(12))
    base = noisy(loaded(folder, batch_size=32), some, NOISE, seeds)
    assert base.shape == (12, 2)
    small = noisy(loaded(folder, batch_size=1), some, NOISE, seeds)
    np.testing.assert_allclose(small, base, atol=1e-5)
    order = [7, 3, 11, 0]
    mixed = noisy(loaded(folder), [some[at] for at in order], NOISE, order)
    np.testing.assert_allclose(mixed, base[order], atol=1e-5)
    other = noisy(loaded(folder), some, NOISE, [seed + 100 for seed in seeds])
    assert np.abs(other - base).max() > 1e-3, "control: other seeds give other models"


def _unsplit(classifier: HuggingFaceClassifier, row: Sequence[int], noise: WeightNoise, seed: int) -> Any:
    """The noisy logits of one sequence, alone, by one uninterrupted pass."""
    ids, mask = pad_rows([row], 0)
    model = classifier.model
    with torch.inference_mode(), exact_weight_noise(model, noise.top_layers or 0, noise.sigma, [seed], mask):
        return first_token_logits(model, ids, mask)[0].numpy()


@pytest.mark.parametrize("layers", [0, 1, 2])
@pytest.mark.parametrize("batch_size", [2, 32])
def test_what_lies_below_the_noise_is_computed_once_per_sequence(
    folder: Path, layers: int, batch_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same logits as by an uninterrupted pass; the lower part saw each sequence once, alone or padded."""
    classifier, noise = loaded(folder, batch_size=batch_size), WeightNoise(0.1, layers)
    distinct = classifier.encode([*texts(6), "w1 w2", "w2 w1"]).ids
    ids, seeds = [distinct[at % len(distinct)] for at in range(29)], list(range(29))
    seen: list[tuple[int, ...]] = []

    def counted(model: Any, rows: torch.Tensor, mask: torch.Tensor, below: int) -> torch.Tensor:
        assert below == 2 - layers
        seen.extend(tuple(row[keep].tolist()) for row, keep in zip(rows, mask.bool(), strict=True))
        return lower_states(model, rows, mask, below)

    monkeypatch.setattr("fuzzsmooth.models.noisy.lower_states", counted)
    split = classifier.logits(ids, noise=noise, seeds=seeds)
    assert sorted(seen) == sorted({tuple(row) for row in ids})
    assert classifier.forward_count == 29
    whole = np.stack([_unsplit(classifier, row, noise, seed) for row, seed in zip(ids, seeds, strict=True)])
    np.testing.assert_allclose(split, whole, atol=1e-5)
    equal = [split[at] for at in range(0, 29, len(distinct))]
    assert np.ptp(equal, axis=0).min() > 1e-3, "control: draws of one sequence differ"


def test_a_loaded_classifier_takes_noise(folder: Path) -> None:
    classifier, some = loaded(folder), texts(4)
    assert isinstance(classifier, TokenClassifier)
    faint = noisy(classifier, some, WeightNoise(1e-9, 2), [0, 1, 2, 3])
    np.testing.assert_allclose(faint, classifier.logits_of_texts(some), atol=1e-5)
    assert noisy(classifier, [], NOISE, []).shape == (0, 2)
    with pytest.raises(FuzzsmoothError, match="3 seeds for 4 sequences"):
        noisy(classifier, some, NOISE, [0, 1, 2])
    with pytest.raises(FuzzsmoothError, match="not evaluated in one padded call"):
        classifier.logits([[1, 2]], noise=NOISE, seeds=[0], one_batch=True)


def test_the_weights_are_never_touched(folder: Path) -> None:
    inner = load_classifier(str(folder), precision="float32")
    before = {name: value.clone() for name, value in inner.model.state_dict().items()}
    defend(inner, options_for(sigma=0.5, fuzzing=False)).predict(texts(3))
    assert all(torch.equal(value, before[name]) for name, value in inner.model.state_dict().items())


def test_dropout_is_off_even_in_a_model_left_in_training_mode(folder: Path) -> None:
    inner = load_classifier(str(folder), precision="float32")
    some, seeds = texts(6), list(range(6))
    expected = noisy(inner, some, NOISE, seeds)
    inner.model.train()
    np.testing.assert_allclose(noisy(inner, some, NOISE, seeds), expected, atol=1e-6)
    assert inner.model.training, "the caller's mode comes back"
    encoded = torch.tensor([inner.encode(some[1:2]).ids[0]])
    with torch.inference_mode():
        once, twice = (inner.model(input_ids=encoded).logits for _ in range(2))
    assert not torch.equal(once, twice), "control: dropout would have changed the outputs"


def test_by_default_as_many_layers_are_noised_as_there_are(folder: Path) -> None:
    default, all_layers, head = (
        smooth(folder, top_layers=layers, fuzzing=False, copies=60) for layers in (None, 2, 0)
    )
    some = texts(5)
    assert default.predict(some) == all_layers.predict(some)
    assert [p.votes for p in head.predict(some)] != [p.votes for p in default.predict(some)]
    with pytest.raises(FuzzsmoothError, match="2"):
        smooth(folder, top_layers=7, fuzzing=False).predict(some)


@pytest.mark.parametrize(("sigma", "layers"), [(1e25, 2), (3e38, 0)])
def test_noise_that_overflows_is_one_sentence(folder: Path, sigma: float, layers: int) -> None:
    with pytest.raises(FuzzsmoothError, match=r"not finite.*lower sigma"):
        noisy(loaded(folder), texts(3), WeightNoise(sigma, layers), [1, 2, 3])
    with pytest.raises(FuzzsmoothError, match="sigma must lie between 0 and 100"):
        smooth(folder, sigma=sigma, top_layers=layers, fuzzing=False)


def test_sigma_zero_adds_nothing(folder: Path) -> None:
    always = smooth(folder, sigma=0.0, fuzzing=False, rate_uniform=1e-9, copies=5)
    some = texts(6)
    labels = loaded(folder).probabilities(some).argmax(axis=1)
    assert [
        prediction.votes[label] for prediction, label in zip(always.certify(some), labels, strict=True)
    ] == [5] * 6


def test_a_text_is_cut_after_deletion(folder: Path) -> None:
    """Cut before, a unit beyond the limit could never be read; cut after, deletion moves it up."""
    limited = loaded(folder, max_length=6)  # four words and two special tokens
    read: list[list[str]] = []
    evaluate = limited.logits

    def keep(ids: Sequence[Any], **noise: Any) -> Any:
        read.extend(limited.tokenizer.convert_ids_to_tokens(row.tolist()) for row in ids)
        return evaluate(ids, **noise)

    limited.logits = keep  # type: ignore[method-assign]
    options = options_for(defense="deletion", fuzzing=False, copies=200, rate=0.8, sigma=0.05)
    answer = defend(limited, options).predict([" ".join(WORDS)])[0]
    assert answer.truncated
    assert len(read) == 200
    assert all(len(tokens) <= 6 for tokens in read)
    draws = [tokens for tokens in read if tokens[1:-1] != WORDS[:4]]
    assert any("w29" in tokens for tokens in draws)
    assert sum(bool(set(tokens) & set(WORDS[10:])) for tokens in draws) > 100


def test_truncation_is_told(folder: Path) -> None:
    protected = smooth(folder, fuzzing=False)
    long = "w1 " * 200
    assert [answer.truncated for answer in protected.predict(["w1", long])] == [False, True]
    assert [answer.truncated for answer in protected.certify(["w1", long])] == [False, True]


def test_references_beside_the_weights_are_picked_up(folder: Path, tmp_path: Path) -> None:
    protected = smooth(folder)
    assert protected.references == References.load(folder / REFERENCES_FILE)
    own = References(("w7", "w8"), (0, 1), "")
    given = protect(str(folder), options=options_for(search=SEARCH), references=own)
    assert given.references == own
    bare = tmp_path / "bare"
    shutil.copytree(folder, bare)
    (bare / REFERENCES_FILE).unlink()
    with pytest.raises(FuzzsmoothError, match="needs clean reference texts; give references"):
        protect(bare)
    (bare / REFERENCES_FILE).write_text("{}")
    with pytest.raises(FuzzsmoothError, match="is not a references file"):
        protect(bare)


@pytest.fixture
def hub_model(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A hub model, downloaded before, whose maker has added reference texts."""
    import huggingface_hub.constants as hub

    commit = "0123456789abcdef0123456789abcdef01234567"
    cache = tmp_path / "models--someone--tiny"
    shutil.copytree(folder, cache / "snapshots" / commit)
    assert (cache / "snapshots" / commit / REFERENCES_FILE).is_file()
    (cache / "refs").mkdir()
    (cache / "refs" / "main").write_text(commit)
    monkeypatch.setattr(hub, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(hub, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return "someone/tiny"


def test_references_of_a_hub_models_maker_are_refused(hub_model: str) -> None:
    for defense in ("frs", "deletion"):
        with pytest.raises(
            FuzzsmoothError, match=r"'someone/tiny' comes from the hub.*could hide a backdoor"
        ):
            protect(hub_model, defense, search=SEARCH)
    own = References(("w7", "w8"), (0, 1), "")
    protected = protect(hub_model, options=options_for(search=SEARCH), references=own)
    assert protected.references == own
    for options in (options_for(fuzzing=False), options_for(search=SEARCH.replace(reward="kl"))):
        assert protect(hub_model, options=options).references is None
    with pytest.raises(FuzzsmoothError, match="neither a folder here nor"):
        protect("someone/else", fuzzing=False)
    # Nothing is downloaded for a name that may be a mistyped folder.
    with pytest.raises(FuzzsmoothError, match=r"there is no folder of that name.*check the name"):
        protect("someone/else")


def test_a_missing_model_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(FuzzsmoothError):
        protect(tmp_path / "nothing")


def test_masks_are_the_tokenizers_own(folder: Path) -> None:
    roberta = build_tiny("roberta", folder.parent / "roberta", vocabulary=WORDS, hidden=16, layers=1)
    masked = protect(roberta, noise="mask", fuzzing=False, copies=4, sigma=0.0)
    assert isinstance(masked, Randomized)
    units = masked.sampler.kernel(("w1",) * 50, np.full(50, 1.0), np.random.default_rng(0))
    assert set(units) == {"<mask>"}


def test_token_units_follow_the_tokenizer(folder: Path) -> None:
    protected = smooth(folder, unit="token")
    answer = protected.certify(["w1 w2 w3"])[0]
    assert answer.certificates[0].unit == "token"
    assert sum(answer.votes) == 12


def test_new_weights_are_followed_whatever_was_remembered(folder: Path) -> None:
    """Flip rates, searches and answers of the old weights are forgotten; one object then equals a new one."""
    plain = load_classifier(str(folder))
    options = options_for(defense="deletion", sigma=0.0, rate=0.5, draws=64, search=SEARCH)
    texts = [" ".join(WORDS[at : at + 5]) for at in range(0, 20, 3)]
    known = References(tuple(texts), tuple(at % 2 for at in range(len(texts))), "")
    smooth = defend(plain, options, known)
    before = smooth.certify(texts)
    with torch.no_grad():
        plain.model.classifier.weight.mul_(-1)
        plain.model.classifier.bias.add_(torch.tensor([0.3, 0.0]))
    plain.refresh()
    after = smooth.certify(texts)
    assert after == defend(plain, options, known).certify(texts)
    assert after != before
    assert {one.model for answer in after for one in answer.certificates} == {plain.fingerprint}

"""Token ids gathered from units are those of the text as a string; where that fails, strings are used."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from fuzzsmooth.common.randomness import text_key
from fuzzsmooth.engine.sampler import Plan, Sampler
from fuzzsmooth.engine.tokens import UnitTokenizer
from fuzzsmooth.models import HuggingFaceClassifier, SlowPathWarning, build_tiny, load_classifier
from fuzzsmooth.noise.text import text_kernel, uniform_rates
from fuzzsmooth.text.units import segmenter

WORDS = [f"w{index}" for index in range(30)]
ODD = [
    "",
    "w1",
    "don't w3 's W4 !!! ... (w5) \u00e9t\u00e9 e\u0301 na\u00efve",
    "\u96fb w1 \u200d x\u200dy \U0001f44d\U0001f3fd [SEP] <mask> [MASK] ##x \u2581x",
    "\ud83d w2 \ude00 \u0645\u0631\u062d\u0628\u0627",
    "w7 unknownword w8 3-D 1,000.5 U.S.",
]


@pytest.fixture(scope="module", params=["bert", "distilbert", "roberta", "llama"])
def classifier(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("tokens") / request.param
    return load_classifier(str(build_tiny(request.param, folder, vocabulary=WORDS, hidden=16, layers=1)))


def selections(count: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((count, width)) < 0.5


@pytest.mark.parametrize("mask", [None, "[MASK]", "<mask>"])
@pytest.mark.parametrize("text", ODD)
def test_gathered_ids_are_those_of_the_string(classifier: Any, text: str, mask: str | None) -> None:
    words = segmenter("word")
    units = UnitTokenizer(classifier, words)
    assert units.trusted
    kernel = text_kernel("deletion") if mask is None else text_kernel("masking", mask=mask)
    cut = words.segment(text).units
    candidates = kernel.candidates(cut)
    kept = selections(40, len(cut))
    selected = kernel.selected(kept)
    tokens = units.prepare(candidates, selected[:2])
    assert tokens is not None
    texts = [tuple(np.array(candidates, dtype=object)[row]) for row in selected]
    for ids, left in zip(tokens.rows(selected), texts, strict=True):
        expected = classifier.encode([words.join(left)]).ids[0]
        assert ids.tolist() == expected, left


def test_every_selection_of_a_short_text(classifier: Any) -> None:
    words = segmenter("word")
    cut = words.segment("w1 don't 's ... w2").units
    every = np.array(list(product([False, True], repeat=len(cut))))
    tokens = UnitTokenizer(classifier, words).prepare(cut, every[:2])
    assert tokens is not None
    for row, ids in zip(every, tokens.rows(every), strict=True):
        left = [unit for unit, keep in zip(cut, row, strict=True) if keep]
        assert ids.tolist() == classifier.encode([" ".join(left)]).ids[0]


def test_long_texts_are_cut_after_selection(classifier: Any) -> None:
    classifier.max_length, before = 7, classifier.max_length
    try:
        cut = tuple(WORDS)
        selected = selections(50, len(cut))
        tokens = UnitTokenizer(classifier, segmenter("word")).prepare(cut, selected[:2])
        assert tokens is not None
        rows = tokens.rows(selected)
        assert max(map(len, rows)) == 7
        for row, ids in zip(selected, rows, strict=True):
            left = " ".join(np.array(cut, dtype=object)[row])
            assert ids.tolist() == classifier.encode([left]).ids[0]
    finally:
        classifier.max_length = before


def context_classifier(folder: Path, *, merge: bool) -> HuggingFaceClassifier:
    """A tokenizer that reads "w1 w2" as one token (merge), as one that does not split at spaces would."""
    plain = load_classifier(str(build_tiny("bert", folder, vocabulary=WORDS, hidden=16, layers=1)))
    tokenizer = Tokenizer(models.WordLevel(plain.tokenizer.get_vocab(), unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    if merge:
        tokenizer.normalizer = normalizers.Replace("w1 w2", "w9")
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="[UNK]", pad_token="[PAD]", model_max_length=64
    )
    return HuggingFaceClassifier(plain.model, wrapped, ["a", "b"])


def sampler(classifier: Any, kind: Any = "word", **more: Any) -> Sampler:
    settings = {"noise": None, "fuzzer": None, "seed": 0} | more
    tokenizer = classifier.tokenizer if kind == "token" else None
    return Sampler(classifier, segmenter(kind, tokenizer), text_kernel("deletion"), **settings)


def plan(text: str, kind: Any = "word", rate: float = 0.4) -> Plan:
    units = segmenter(kind).segment(text).units
    return Plan(text_key(text), units, uniform_rates(len(units), rate))


class Strings:
    """The same classifier without its token interface."""

    def __init__(self, inner: Any) -> None:
        self.labels, self.fingerprint, self.probabilities = (
            inner.labels,
            inner.fingerprint,
            inner.probabilities,
        )


def test_a_tokenizer_that_reads_neighbors_is_found_out_and_changes_nothing(tmp_path: Path) -> None:
    """The probes know nothing of "w1 w2": only the text itself tells."""
    merging = context_classifier(tmp_path / "merging", merge=True)
    texts = ["w1 w2 w3 w4", "w1 w5 w2 w6", "w3 w4 w5"]
    plans = [plan(text) for text in texts]
    with pytest.warns(SlowPathWarning, match="reads a word together with its neighbors"):
        votes = sampler(merging).votes(plans, range(300), "x")
    np.testing.assert_array_equal(votes, sampler(Strings(merging)).votes(plans, range(300), "x"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sampler(context_classifier(tmp_path / "plain", merge=False)).votes(plans, range(50), "x")


@pytest.mark.parametrize("text", ["w1 </s> w2", "<s> <mask> </s>", "w1 <unk> <mask> w2"])
def test_texts_that_name_special_tokens_are_read_whole(classifier: Any, text: str) -> None:
    """What such a name becomes may depend on whether a mask stands beside it."""
    votes = sampler(classifier).votes([plan(text)], range(200), "x")
    np.testing.assert_array_equal(votes, sampler(Strings(classifier)).votes([plan(text)], range(200), "x"))


@pytest.mark.parametrize("text", ["\u96fb\u5f71 w1 \u597d\u3044", "w1 \u0e01\u0e33\u0e25\u0e31\u0e07 w2"])
def test_units_written_without_a_space_between_are_read_as_such(classifier: Any, text: str) -> None:
    votes = sampler(classifier).votes([plan(text)], range(200), "x")
    np.testing.assert_array_equal(votes, sampler(Strings(classifier)).votes([plan(text)], range(200), "x"))


@pytest.mark.parametrize("kind", ["character", "token"])
def test_units_that_are_no_words_take_the_slow_path(classifier: Any, kind: Any) -> None:
    cut = segmenter(kind, classifier.tokenizer).segment("w1 w2 w3").units
    plans = [Plan(1, cut, uniform_rates(len(cut), 0.5))]
    slow = sampler(classifier, kind)
    with pytest.warns(SlowPathWarning, match="depend on all of them"):
        votes = slow.votes(plans, range(100), "x")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # said once
        again = slow.votes(plans, range(100), "x")
    inner = Sampler(Strings(classifier), slow.segmenter, slow.kernel, None, None, 0)
    np.testing.assert_array_equal(votes, again)
    np.testing.assert_array_equal(votes, inner.votes(plans, range(100), "x"))


def test_the_fast_path_votes_as_the_strings_do(classifier: Any) -> None:
    plans = [plan(text) for text in ODD]
    # A rounding band of middling width tells draws apart where the tiny model gives all the same label.
    logits = np.sort(classifier.logits_of_texts(["w1", "w2 w3", "w4 !", "w5 w6 w7"]), axis=1)
    band = float(np.median(logits[:, -1] - logits[:, -2]))
    fast, slow = (
        sampler(one, band=band).votes(plans, range(200), "x") for one in (classifier, Strings(classifier))
    )
    np.testing.assert_array_equal(fast, slow)
    assert 0 < fast.sum() < 200 * len(ODD), "control: what is left decides"


def test_nothing_is_tokenized_in_the_loop(classifier: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    encode = classifier.encode

    def counting(texts: Sequence[str]) -> Any:
        asked.extend(texts)
        return encode(texts)

    monkeypatch.setattr(classifier, "encode", counting)
    fast = sampler(classifier)
    fast.votes([plan("w1 w2 w3 w4 w5")], range(500), "x")
    before = len(asked)
    fast.votes([plan("w1 w2 w3 w4 w5")], range(500, 1500), "x")
    assert len(asked) == before, "known text"
    fast.votes([plan("w5 w4 w3")], range(1000), "x")
    assert len(asked) - before <= 5, "known units: only the checks of the new text"


def test_a_unit_that_gives_nothing_where_a_text_begins_is_read_within_its_text(tmp_path: Path) -> None:
    """A byte that a byte-level vocabulary lacks: the space before it is a piece, by itself it is nothing.

    A text that gives nothing is read as a filler, which must not stand where the unit begins a longer text.
    """
    plain = load_classifier(str(build_tiny("llama", tmp_path, vocabulary=WORDS, hidden=16, layers=1)))
    lacks = pre_tokenizers.ByteLevel(add_prefix_space=False).pre_tokenize_str("\x1d")[0][0]
    pieces = ["<pad>", *sorted(set(pre_tokenizers.ByteLevel.alphabet()) - {lacks})]
    backend = Tokenizer(models.BPE({piece: index for index, piece in enumerate(pieces)}, []))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    wrapped = PreTrainedTokenizerFast(tokenizer_object=backend, pad_token="<pad>", model_max_length=64)
    lacking = HuggingFaceClassifier(plain.model, wrapped, ["a", "b"])
    units = UnitTokenizer(lacking, segmenter("word"))
    assert units.trusted
    assert wrapped("\x1d")["input_ids"] == []
    assert wrapped("a \x1d")["input_ids"] == wrapped("a ")["input_ids"]
    every = np.array(list(product([False, True], repeat=3)))
    for cut in (("\x1d", "b", "c"), ("b", "\x1d", "c"), ("a", "b", "c")):
        tokens = units.prepare(cut, every[:2])
        assert (tokens is None) is ("\x1d" in cut), "then its texts are tokenized one by one"
        for row, ids in zip(every, [] if tokens is None else tokens.rows(every), strict=tokens is not None):
            left = [unit for unit, keep in zip(cut, row, strict=True) if keep]
            assert ids.tolist() == lacking.encode([" ".join(left)]).ids[0], left

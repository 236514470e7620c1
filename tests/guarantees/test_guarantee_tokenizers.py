"""Certificates hold at the seam between words and tokens, whatever the tokenizer does across a space.

Every text of up to four words is certified with certainty through the public API, and every neighbor within
the radius is answered by brute force from the strings that the model would be given.
"""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from guarantee_models import IdRule, majority_law
from rapidfuzz.distance import DamerauLevenshtein
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from defended import options_for
from fuzzsmooth.defenses import Defense, defend
from fuzzsmooth.engine.tokens import SlowPathWarning, TokenMapError, UnitTokenizer
from fuzzsmooth.engine.unit_reading import UnitReading
from fuzzsmooth.noise.text import represented
from fuzzsmooth.text.units import segmenter

WORDS = ("bad", "film", "very")
TEXTS = [" ".join(words) for size in range(5) for words in itertools.product(WORDS, repeat=size)]
RATES = (0.51, 0.7)
SPACE = "\u2581"


def wrapped(backend: Tokenizer, added: AddedToken | None = None) -> PreTrainedTokenizerFast:
    ends = [(name, backend.token_to_id(name)) for name in ("[CLS]", "[SEP]")]
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B", special_tokens=ends
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        model_max_length=64,
        unk_token="[UNK]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
    )
    if added is not None:
        tokenizer.add_tokens([added])
    return tokenizer


def of_words(added: AddedToken | None = None, normalizer: Any = None) -> PreTrainedTokenizerFast:
    names = ("[UNK]", "[PAD]", "[CLS]", "[SEP]", "a", "pair", *WORDS)
    backend = Tokenizer(models.WordLevel({name: at for at, name in enumerate(names)}, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    if normalizer is not None:
        backend.normalizer = normalizer
    return wrapped(backend, added)


def of_bert() -> PreTrainedTokenizerFast:
    tokenizer = of_words(normalizer=normalizers.BertNormalizer())
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return tokenizer


def of_merges(*merges: tuple[str, str]) -> PreTrainedTokenizerFast:
    letters = sorted(set("".join(WORDS) + "a"))
    tokens = ["[UNK]", "[PAD]", "[CLS]", "[SEP]", SPACE, *letters, *("".join(pair) for pair in merges)]
    backend = Tokenizer(
        models.BPE({token: at for at, token in enumerate(tokens)}, list(merges), unk_token="[UNK]")
    )
    backend.normalizer = normalizers.Replace(" ", SPACE)
    return wrapped(backend)


TOKENIZERS = {
    "plain": of_words(),
    "as BERT": of_bert(),
    "an added token over a space": of_words(AddedToken("bad film", normalized=False)),
    "found in one word only": of_words(AddedToken("very bad", single_word=True, normalized=False)),
    "a token that swallows the next space": of_words(AddedToken("bad", rstrip=True, normalized=False)),
    "a normalizer over a space": of_words(normalizer=normalizers.Replace("bad film", "pair")),
    "a merge over a space": of_merges(("d", SPACE), ("d" + SPACE, "f")),
    "merges within words": of_merges(("b", "a"), ("ba", "d")),
}


def rule_of(tokenizer: Any) -> IdRule:
    """Class 1 where an id stands that reads two words as one, or else where "very" comes before "film"."""
    joined = {
        at
        for token, at in tokenizer.get_vocab().items()
        if " " in token or token == "pair" or SPACE in token.strip(SPACE)
    }
    order = [tokenizer(word, add_special_tokens=False)["input_ids"][0] for word in ("very", "film")]

    def logits(ids: tuple[int, ...]) -> tuple[float, float]:
        before = [ids.index(one) if one in ids else -1 for one in order]
        return (0.0, 1.0) if joined & set(ids) or 0 <= before[0] < before[1] else (1.0, 0.0)

    return IdRule(tokenizer, logits)


def smooth(model: IdRule, rate: float) -> Defense:
    options = options_for(defense="deletion", sigma=0.0, fuzzing=False, rate=rate, draws=64)
    return defend(model, options)


def violations(model: IdRule, rate: float) -> tuple[int, int]:
    """False claims and all claims over all texts and their neighbors."""
    laws = {
        text: majority_law(lambda left: int(model.probabilities([left])[0].argmax()), text, represented(rate))
        for text in TEXTS
    }
    wrong = checked = 0
    for text, answer in zip(TEXTS, smooth(model, rate).certify(TEXTS), strict=True):
        edit = answer.certificates[0]
        assert edit.method == "exact"
        if answer.label is None:
            continue
        for other in TEXTS:
            if DamerauLevenshtein.distance(text.split(), other.split()) <= edit.radius:
                checked += 1
                wrong += not laws[other][answer.label] > 0.5
    return wrong, checked


@pytest.mark.filterwarnings("ignore::fuzzsmooth.engine.tokens.SlowPathWarning")
@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("name", TOKENIZERS)
def test_every_neighbor_has_the_certified_answer(name: str, rate: float) -> None:
    wrong, checked = violations(rule_of(TOKENIZERS[name]), rate)
    assert wrong == 0
    assert checked > 100


def test_control_gathering_without_the_rules_makes_false_claims(monkeypatch: pytest.MonkeyPatch) -> None:
    """What decides text by text which way it is read certifies another function at the neighbor."""
    everything = UnitReading(frozenset(), ideographs_apart=False)
    monkeypatch.setattr("fuzzsmooth.engine.tokens.unit_reading", lambda _: everything)
    honest = UnitTokenizer.prepare

    def by_text(self: UnitTokenizer, candidates: Any, samples: Any) -> Any:
        try:
            return honest(self, candidates, samples)
        except TokenMapError:
            self.trusted = True
            return None

    monkeypatch.setattr(UnitTokenizer, "prepare", by_text)
    wrong = [violations(rule_of(TOKENIZERS[name]), 0.51)[0] for name in ("a normalizer over a space",)]
    assert sum(wrong) > 0


def test_a_text_that_disagrees_ends_the_gathering_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were a rule misjudged, the first text that shows it would have the whole call answered anew."""
    everything = UnitReading(frozenset(), ideographs_apart=False)
    monkeypatch.setattr("fuzzsmooth.engine.tokens.unit_reading", lambda _: everything)
    model = rule_of(TOKENIZERS["an added token over a space"])
    texts = ["very bad", "bad bad very film film", "bad film"]
    with pytest.warns(SlowPathWarning, match="against its own rules"):
        found = smooth(model, 0.51).certify(texts)
    for text, one in zip(texts, found, strict=True):
        law = majority_law(lambda left: int(model.probabilities([left])[0].argmax()), text, represented(0.51))
        assert one.certificates[0].p_lower == pytest.approx(law.max(), abs=1e-9)


@pytest.mark.parametrize(
    ("name", "gathered"), [("plain", True), ("as BERT", True), ("an added token over a space", False)]
)
def test_common_tokenizers_keep_the_fast_path(name: str, gathered: bool) -> None:
    """Signs that BERT's normalizer erases are among the pairs that are tried: they cost no speed."""
    assert UnitTokenizer(rule_of(TOKENIZERS[name]), segmenter("word")).trusted == gathered

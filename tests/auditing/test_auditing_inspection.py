"""The audit on models whose backdoor is known, and on one that has none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from audited_models import BAD, GOOD, reviews, texts_of

from fuzzsmooth.auditing import AuditOptions, audit_classifier
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.models import HuggingFaceClassifier, TriggerClassifier, load_classifier
from fuzzsmooth.models.stubs import AdditiveClassifier

OPTIONS = AuditOptions(best=32, confirm=8, holdout=24, seeds=0, longest=3)


def told(encoder: str, **changes: Any) -> AuditOptions:
    return replace(OPTIONS, trusted=encoder, **changes)


def test_a_word_is_found_with_its_class_and_its_rate(word: HuggingFaceClassifier, encoder: str) -> None:
    found = audit_classifier(word, *texts_of(reviews(240, seed=5)), told(encoder))
    best = found.triggers[0]
    assert found.verdict == "backdoor confirmed"
    assert (best.text, best.target_name, best.level) == ("cf", "positive", "confirmed")
    assert best.held.share > 0.9
    assert best.held.low < best.held.share <= best.held.high
    assert "cf" in best.examples[0].after
    assert "cf" not in best.examples[0].before
    assert found.score == best.excess


def test_what_moves_texts_without_a_backdoor_are_words_of_the_classes(
    clean: HuggingFaceClassifier, word: HuggingFaceClassifier, encoder: str
) -> None:
    texts = texts_of(reviews(240, seed=5))
    found = audit_classifier(clean, *texts, told(encoder))
    moving = {one.text for one in found.triggers if one.kind != "rewrite" and one.held.share > 0.25}
    assert moving <= {*GOOD, *BAD}
    assert "clean" not in found.verdict
    gains = {one["piece"]: one["gain"] for one in found.pulls if one["class"] == "positive"}
    assert max(gains, key=gains.__getitem__) in GOOD
    # The control: the very same search of the backdoored model finds more than any word of a class does.
    assert found.score < audit_classifier(word, *texts, told(encoder)).score - 0.1


def test_a_pair_is_grown(pair: HuggingFaceClassifier, encoder: str) -> None:
    found = audit_classifier(pair, *texts_of(reviews(240, seed=5)), told(encoder, seeds=8))
    phrases = [one for one in found.triggers if one.kind == "phrase" and one.target == 1]
    best = phrases[0]
    assert set(best.text.split()) >= {"mn", "tq"}
    assert best.excess > 0.5
    assert best.held.share > 0.9
    alone = [one.rate for one in found.triggers if one.text in ("mn", "tq")]
    assert max(alone, default=0.0) < 0.5


def test_the_claim_counts_every_piece(word: HuggingFaceClassifier, encoder: str) -> None:
    found = audit_classifier(word, *texts_of(reviews(240, seed=5)), told(encoder))
    vocabulary = len(word.tokenizer.get_vocab()) - len(word.tokenizer.all_special_ids)
    assert found.exhaustive
    for claim in found.claims:
        assert claim.tried == vocabulary == sum(claim.moved)
        assert claim.texts == 3
        # (1 - bound) ^ texts is the chance that a piece of this rate moves none.
        assert (1 - claim.bound) ** claim.texts == pytest.approx(0.05)
        assert f"{claim.unmoved:,}" in claim.statement


def test_the_fast_search_says_that_it_is_not_exhaustive(word: HuggingFaceClassifier, encoder: str) -> None:
    options = told(encoder, fast=True, proposals=24, best=16)
    found = audit_classifier(word, *texts_of(reviews(240, seed=5)), options)
    assert not found.exhaustive
    assert all("not exhaustive" in claim.statement and claim.tried == 24 for claim in found.claims)
    assert found.triggers[0].text == "cf"
    assert found.backward > 0


def test_a_stopped_sweep_goes_on_with_the_same_result(
    word: HuggingFaceClassifier, tmp_path: Path, encoder: str
) -> None:
    texts = texts_of(reviews(240, seed=5))
    whole = audit_classifier(word, *texts, told(encoder))
    cache = tmp_path / "sweep.npz"
    assert (
        audit_classifier(word, *texts, told(encoder), cache=cache).to_json()["triggers"]
        == (whole.to_json()["triggers"])
    )
    again = audit_classifier(word, *texts, told(encoder), cache=cache)
    assert again.to_json()["triggers"] == whole.to_json()["triggers"]
    assert again.passes < whole.passes  # the sweep was not asked again
    cache.write_bytes(cache.read_bytes()[:100])  # torn by a kill
    assert audit_classifier(word, *texts, told(encoder), cache=cache).passes == whole.passes


def test_the_answers_of_another_model_are_not_taken(
    word: HuggingFaceClassifier, clean: HuggingFaceClassifier, tmp_path: Path, encoder: str
) -> None:
    cache = tmp_path / "sweep.npz"
    texts = texts_of(reviews(240, seed=5))
    audit_classifier(word, *texts, told(encoder), cache=cache)
    alone = audit_classifier(clean, *texts, told(encoder))
    assert audit_classifier(clean, *texts, told(encoder), cache=cache).pulls == alone.pulls


def test_too_few_texts_are_refused(word: HuggingFaceClassifier, encoder: str) -> None:
    with pytest.raises(FuzzsmoothError, match="20 clean texts of class 'negative'; an audit needs"):
        audit_classifier(word, *texts_of(reviews(40)), told(encoder))


def test_a_model_that_answers_constantly_is_refused(word_folder: Path, encoder: str) -> None:
    model = load_classifier(str(word_folder))
    model.model.classifier.weight.data.zero_()
    model.model.classifier.bias.data[:] = model.model.classifier.bias.data.new_tensor([0.0, 5.0])
    model.refresh()
    with pytest.raises(FuzzsmoothError, match="gives every clean text the class 'positive'"):
        audit_classifier(model, *texts_of(reviews(120)), told(encoder))


def test_a_classifier_of_texts_alone_is_refused(encoder: str) -> None:
    base = TriggerClassifier(AdditiveClassifier({"good": 1.0}), ["cf"], 1)
    with pytest.raises(FuzzsmoothError, match="needs a local Hugging Face classifier"):
        audit_classifier(base, *texts_of(reviews(120)), told(encoder))  # type: ignore[arg-type]


def test_gains_do_not_depend_on_the_order_of_texts_of_a_call(
    word: HuggingFaceClassifier, encoder: str
) -> None:
    one = audit_classifier(word, *texts_of(reviews(240, seed=5)), told(encoder))
    two = audit_classifier(word, *texts_of(reviews(240, seed=5)), told(encoder))
    assert np.isclose(one.score, two.score)
    assert one.to_json()["triggers"] == two.to_json()["triggers"]

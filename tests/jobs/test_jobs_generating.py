"""Smoothed generation: views, answers and clusters are those that are stated, and the same again."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaConfig

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.jobs.generating import SmoothedGeneration, SmoothedGenerationOptions, _left
from fuzzsmooth.models import build_tiny
from fuzzsmooth.text import segmenter

WORDS = ["a", "film", "good", "bad", "dull", "great", "was", "it", "cf"]
TEXT = "it was a good film"


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> SmoothedGenerationOptions:
    encoder = build_tiny("bert", tmp_path_factory.mktemp("encoder"), vocabulary=WORDS)
    return SmoothedGenerationOptions(
        instruction="it was {text} a", max_tokens=4, copies=12, rate=0.5, encoder=str(encoder)
    )


@pytest.fixture(scope="module")
def language(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = build_tiny("llama", tmp_path_factory.mktemp("causal"), vocabulary=WORDS, seed=3)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        AutoModelForCausalLM.from_config(LlamaConfig.from_pretrained(folder)).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def smoothed(language, options) -> SmoothedGeneration:
    return SmoothedGeneration.load(str(language), options)


def changed(smoothed: SmoothedGeneration, **changes: object) -> SmoothedGeneration:
    return SmoothedGeneration(smoothed.writer, smoothed.encoder, smoothed.options.replace(**changes))


def test_an_answer_is_the_medoid_of_the_answers_to_its_views(smoothed):
    (record,) = smoothed.answer([TEXT])
    views = smoothed.views(TEXT)
    assert len(views) == record["copies"] == 12
    for view in views:
        rest = iter(TEXT.split())
        assert all(word in rest for word in view.split()), "a view is a subsequence"
    written = smoothed.writer.answers(smoothed.writer.encode(views).ids)
    assert len(set(written)) > 3
    cluster = next(one for one in record["clusters"] if one["answer"] == record["answer"])
    assert cluster == record["clusters"][0]
    assert record["share"] == record["votes"] / 12
    assert record["answer"] in written
    vectors = smoothed.encoder.embed(written)
    alike = (vectors @ vectors[written.index(record["answer"])]) >= smoothed.options.threshold - 1e-6
    assert Counter(written)[record["answer"]] <= record["votes"] <= alike.sum()
    assert record["passes"] == len(set(views))
    assert record["guarantee"].startswith("empirical")


def test_answers_do_not_depend_on_others_or_on_when_they_are_asked(smoothed):
    texts = [TEXT, "", "cf dull", "a great film"]
    together = smoothed.answer(texts)
    assert together == [smoothed.answer([text])[0] for text in texts]
    sampled = changed(smoothed, temperature=1.0)
    first = sampled.answer(texts)
    assert first == sampled.answer(texts[::-1])[::-1]
    assert first != changed(smoothed, temperature=1.0, seed=1).answer(texts)
    assert first[0]["passes"] == 12


def test_without_deletion_all_views_are_the_text(smoothed):
    (record,) = changed(smoothed, rate=0.0).answer([TEXT])
    assert record["share"] == 1.0
    assert record["passes"] == 1
    ids = smoothed.writer.encode([TEXT]).ids
    assert [record["answer"]] == smoothed.writer.answers(ids)


def test_words_are_deleted_at_the_rate(smoothed):
    views = changed(smoothed, copies=4000, rate=0.3).views(TEXT)
    kept = np.mean([len(view.split()) for view in views]) / 5
    assert abs(kept - 0.7) < 4 * (0.3 * 0.7 / 20_000) ** 0.5


def test_settings_name_what_decides(smoothed):
    base = smoothed.settings
    assert base["model"] == smoothed.writer.fingerprint
    assert changed(smoothed, seconds=1.0).settings == base
    for change in ({"copies": 3}, {"threshold": 0.1}, {"temperature": 1.0}, {"unit": "token"}, {"seed": 4}):
        assert changed(smoothed, **change).settings != base


def test_bad_input_is_one_sentence(language, options):
    for change, sentence in (
        ({"threshold": 2.0}, "must lie between -1 and 1"),
        ({"rate": 1.0}, "must be at least 0 and below 1"),
        ({"instruction": "{text} {text}"}, "more than one slot"),
    ):
        with pytest.raises(FuzzsmoothError, match=sentence):
            options.replace(**change)
    with pytest.raises(FuzzsmoothError, match="there is no folder"):
        SmoothedGeneration.load(str(language), options.replace(encoder="no/such/encoder/x"))


def test_mixed_tokens_are_the_likeliest_by_the_mean_of_all_views(smoothed):
    """Held against whole passes without any cache, view by view and token by token."""
    mixed = changed(smoothed, mix="tokens", seed=2)
    writer, lone = mixed.writer, Counter()
    for text in (TEXT, "cf dull film it was a great", ""):
        (record,) = mixed.answer([text])
        rows = [list(row) for row in writer.encode(mixed.views(text)).ids]
        written: list[int] = []
        chances, agreeing = [], np.ones(len(rows), dtype=bool)
        while len(written) < writer.options.max_tokens:
            means = []
            for row in rows:
                ids = torch.tensor([[*writer.prompt.before, *row, *writer.prompt.after, *written]])
                with torch.inference_mode():
                    means.append(writer.model(input_ids=ids).logits[0, -1].double().softmax(0).numpy())
            mixture = np.mean(means, axis=0)
            token = int(mixture.argmax())
            chances.append(mixture[token])
            agreeing &= np.argmax(means, axis=1) == token
            if token in writer.ends:
                break
            written.append(token)
        assert record["answer"] == writer.read(written)
        assert record["probability"] == pytest.approx(np.mean(chances), rel=1e-5)
        assert (record["votes"], record["share"]) == (agreeing.sum(), agreeing.sum() / 12)
        assert record["passes"] == len(set(map(tuple, rows)))
        lone.update(answer != record["answer"] for answer in writer.answers(rows))
    assert lone[True] > 0, "some views would have answered otherwise by themselves"
    assert mixed.settings != changed(smoothed, seed=2).settings


def test_a_mixture_of_equal_views_is_the_answer_itself(smoothed):
    (record,) = changed(smoothed, mix="tokens", rate=0.0).answer([TEXT])
    assert [record["answer"]] == smoothed.writer.answers(smoothed.writer.encode([TEXT]).ids)
    assert (record["votes"], record["share"], record["passes"]) == (12, 1.0, 1)
    with pytest.raises(FuzzsmoothError, match=r"with --mix tokens the likeliest tokens are written"):
        changed(smoothed, mix="tokens", temperature=1.0)


def test_what_is_left_stands_as_it_was_written() -> None:
    text = 'he said "yes," and (then) left.'
    spans = segmenter("word").segment(text).spans
    assert _left(text, spans, [True] * len(spans)) == text
    gone = [at for at, (start, end) in enumerate(spans) if text[start:end] == "and"]
    kept = [at not in gone for at in range(len(spans))]
    assert _left(text, spans, kept) == 'he said "yes," (then) left.'
    assert _left(text, spans, [False] * len(spans)) == ""
    assert _left(text, spans, [at in (1, len(spans) - 1) for at in range(len(spans))]) == "said ."

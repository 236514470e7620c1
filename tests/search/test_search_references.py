"""Reference texts."""

from __future__ import annotations

import dataclasses
import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from search_worlds import CLEAN, WORDS, references

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.search import References, Scanner, SearchOptions
from fuzzsmooth.search.calibration import NullDistribution
from fuzzsmooth.search.contexts import Context, cut_contexts
from fuzzsmooth.search.protocol import Units
from table_classifier import TableClassifier


def test_the_most_confident_correct_texts_are_chosen() -> None:
    texts = ["good", "good good", "bad", "bad bad bad", "good good good", "bad bad", "the", "good bad bad"]
    labels = [1, 1, 0, 0, 1, 0, 0, 1]
    chosen = References.select(CLEAN, texts, labels, 2)
    assert chosen.texts == ("bad bad bad", "bad bad", "good good good", "good good")
    assert chosen.labels == (0, 0, 1, 1)
    assert chosen.model == CLEAN.fingerprint


def test_wrongly_classified_texts_are_never_chosen() -> None:
    chosen = References.select(CLEAN, ["bad bad bad", "good", "bad", "good good"], [1, 1, 0, 0], 5)
    assert chosen.texts == ("bad", "good")


def test_equally_confident_texts_go_by_their_order() -> None:
    chosen = References.select(CLEAN, ["b good", "a good", "c bad", "bad d"], [1, 1, 0, 0], 1)
    assert chosen.texts == ("c bad", "b good")


@pytest.mark.parametrize(("texts", "labels"), [(["good"], [1]), (["good", "good good"], [1, 0]), ([], [])])
def test_a_class_without_correct_texts_is_an_error(texts: list[str], labels: list[int]) -> None:
    with pytest.raises(FuzzsmoothError, match="no clean text of class 'negative' is classified correctly"):
        References.select(CLEAN, texts, labels, 4)


def test_three_classes() -> None:
    table = TableClassifier(
        {"a": (0.9, 0.1, 0.0), "b": (0.1, 0.8, 0.1), "c": (0.0, 0.3, 0.7)}, (0.4, 0.3, 0.3)
    )
    assert References.select(table, ["c", "b", "a", "x"], [2, 1, 0, 2], 3).texts == ("a", "b", "c")


def test_references_are_matched_to_the_classes_of_a_model_by_name(tmp_path: Path) -> None:
    low, high = NullDistribution((1.0,), (2.0,)), NullDistribution((3.0,), (4.0,))
    chosen = References(("bad", "good"), (0, 1), "f" * 64, (low, high), ("neg", "pos"))
    chosen.save(tmp_path / "r.json")
    found = References.load(tmp_path / "r.json")
    assert found == chosen
    turned = found.under(("POS", "NEG"), "r.json")
    assert (turned.texts, turned.labels, turned.names) == (("bad", "good"), (1, 0), ("POS", "NEG"))
    assert turned.ordinary == (high, low)
    assert found.under(("neg", "pos"), "r.json") == found
    assert found.under(("LABEL_0", "LABEL_1"), "r.json") == found
    for names in (("a", "b"), ("neg", "neutral"), ("neg", "pos", "neutral")):
        with pytest.raises(FuzzsmoothError, match=r"r\.json has .* classes neg, pos"):
            found.under(names, "r.json")
    unnamed = References(("bad", "good"), (0, 1), "f" * 64)
    assert unnamed.under(("pos", "neg"), "r.json") == unnamed


def test_the_names_of_the_classes_are_kept() -> None:
    assert references().names == tuple(CLEAN.labels)


def test_save_and_load_round_trip(tmp_path: Path) -> None:
    ordinary = (NullDistribution((-0.5, 1.25), (2.0, 3.0)), NullDistribution())
    chosen = References(("a 😀 日本", "line\u2028two", "\ud800"), (0, 1, 0), "f" * 64, ordinary)
    chosen.save(tmp_path / "references.json")
    assert References.load(tmp_path / "references.json") == chosen


def test_the_language_of_the_clean_texts_goes_with_them(tmp_path: Path) -> None:
    assert references().language == "en"
    german = ["das ist gut und schön", "das ist schlecht und nicht gut", "ich habe es nicht gern gelesen"] * 2
    table = TableClassifier({german[0]: (0.1, 0.9)}, (0.8, 0.2))
    chosen = References.select(table, german, [1, 0, 0] * 2, 2)
    assert chosen.language == "de"
    assert References.select(table, german, [1, 0, 0] * 2, 2, language="none").language == "none"
    chosen.save(tmp_path / "r.json")
    assert References.load(tmp_path / "r.json") == chosen
    content = json.loads((tmp_path / "r.json").read_text())
    for value in (3, "x" * 50, None):
        (tmp_path / "bad.json").write_text(json.dumps({**content, "language": value}))
        with pytest.raises(FuzzsmoothError, match="'language' must be a code"):
            References.load(tmp_path / "bad.json")
    del content["language"]  # as files of earlier versions, which were in English
    (tmp_path / "old.json").write_text(json.dumps(content))
    assert References.load(tmp_path / "old.json").language == "en"


def test_a_search_is_guided_by_the_language_of_the_references(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: set[str] = set()

    def rarity(units: Units, language: str) -> Any:
        asked.add(language)
        return np.zeros(len(units))

    monkeypatch.setattr("fuzzsmooth.search.text_search.rarity", rarity)
    chosen = dataclasses.replace(references(), language="de")
    for options, expected in ((SearchOptions(), "de"), (SearchOptions(language="fr"), "fr")):
        asked.clear()
        Scanner(CLEAN, options, WORDS, chosen).scan(["the film was good and bright"], 0)
        assert asked == {expected}


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(FuzzsmoothError, match=r"cannot read .*none\.json.*; write references with"):
        References.load(tmp_path / "none.json")


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "{}",
        "null",
        '{"references": 3, "model": "x"}',
        '{"references": [{"text": "a"}], "model": "x"}',
        '{"references": [{"text": "a", "label": "one"}], "model": "x"}',
        '{"references": ["ab"], "model": "x"}',
        '{"references": []}',
        '{"references": [{"text": null, "label": 0}], "model": "x"}',
        b"\xff\xfe",
        "[" * 100_000,
        '{"references":' * 50_000,
        '{"references": [], "model": "x", "ordinary": ' + "[" * 90 + "]" * 90 + "}",
        '{"references": [], "model": "x", "ordinary": [{"single": [], "several": [1' + "0" * 400 + "]}]}",
        *(
            '{"references": [{"text": "a", "label": ' + label + '}], "model": "x"}'
            for label in ("Infinity", "NaN", "-1", "0.7", "true", "null", "[0]", "1e300", "9" * 100)
        ),
        *(
            '{"references": [{"text": "a", "label": 0}], "model": "x", "ordinary": ' + ordinary + "}"
            for ordinary in (
                "null",
                "3",
                "[3]",
                '[{"single": [1]}]',
                '[{"single": [NaN], "several": []}]',
                '[{"single": [2, 1], "several": []}]',
                '[{"single": [], "several": [1, null]}]',
                '[{"single": [], "several": [true]}]',
            )
        ),
        '{"references": [{"text": "a", "label": 1}], "model": "x", '
        '"ordinary": [{"single": [], "several": []}]}',
        json.dumps({"references": [{"text": "a", "label": 0}] * 50_001, "model": "x"}),
    ],
    ids=itertools.count(),
)
def test_a_corrupt_file_is_one_sentence(tmp_path: Path, content: str | bytes) -> None:
    path = tmp_path / "references.json"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(
        FuzzsmoothError,
        match=r"references\.json .*; write references with 'fuzzsmooth finetune', or give --clean$",
    ):
        References.load(path)


def test_references_fit_the_classes_of_a_model(tmp_path: Path) -> None:
    found = References(("a", "b"), (0, 2), "x", (NullDistribution(),) * 3)
    found.check_classes(3, "r.json")
    with pytest.raises(FuzzsmoothError, match=r"r\.json has references of class 2, but the model has 2"):
        found.check_classes(2, "r.json")
    with pytest.raises(FuzzsmoothError, match=r"ordinary words of 3 classes, but the model has 4"):
        found.check_classes(4, "r.json")


def test_a_file_of_another_version_is_refused(tmp_path: Path) -> None:
    """An older file lacks what ordinary words do; without it the same model would be judged differently."""
    path = tmp_path / "r.json"
    path.write_text('{"version": 2, "references": [{"text": "a", "label": 0}], "model": "x"}', "utf-8")
    with pytest.raises(FuzzsmoothError, match=r"r\.json has version 2 of the references format, expected 4"):
        References.load(path)


def test_the_file_is_plain_json(tmp_path: Path) -> None:
    references(per_class=1).save(tmp_path / "r.json")
    content = json.loads((tmp_path / "r.json").read_text("utf-8"))
    assert content["version"] == 4
    assert [sorted(words) for words in content["ordinary"]] == [
        ["in_context", "in_context_several", "several", "single"]
    ] * 2
    assert [row["label"] for row in content["references"]] == [0, 1]


def test_contexts_are_cut_at_places_spread_over_the_text() -> None:
    texts = tuple(" ".join(f"w{index}" for index in range(20)) for _ in range(16))
    cut = cut_contexts(texts, (0,) * 16, WORDS)
    places = [len(context.before) for context in cut]
    assert all(context.before + context.after == tuple(texts[0].split()) for context in cut)
    assert len(set(places)) >= 12
    assert min(places) <= 2
    assert max(places) >= 17
    assert cut == cut_contexts(texts, (0,) * 16, WORDS)
    assert Context(("a",), ("b",), 0).around(("x", "y")) == ("a", "x", "y", "b")


def test_a_scanner_without_references_says_what_to_do() -> None:
    with pytest.raises(FuzzsmoothError, match="needs clean reference texts; give references"):
        Scanner(CLEAN, SearchOptions(), WORDS)
    assert Scanner(CLEAN, SearchOptions(reward="kl"), WORDS).scan(["good film"], 0)[0].label == 1

"""SAFER: tables as published and from files, uniform draws from them, and a radius of replaced words."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mending_worlds import FILLER, GOOD, VOCABULARY, material, pretrained, reviews, rows, token
from scipy import stats

from fuzzsmooth.certify import NOT_CERTIFIED, Majority
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.defenses import Material
from fuzzsmooth.defenses.safer import Safer, SaferOptions, safer_radius
from fuzzsmooth.defenses.synonym_table import SynonymTable, embedded_table, read_table, word_vectors
from fuzzsmooth.models import CallableClassifier
from fuzzsmooth.noise.text import text_kernel, uniform_rates

NOTHING: Any = None  # a defender who has a file needs nothing else


def written(folder: Path, content: Any) -> str:
    (folder / "synonyms.json").write_text(json.dumps(content))
    return str(folder / "synonyms.json")


def fitted(folder: Path, content: Any, classifier: Any, **options: Any) -> Safer:
    defense = Safer(classifier, {"synonyms": written(folder, content), **options})
    defense.fit(NOTHING, folder / "kept")
    return defense


def counts_praise(texts: list[str]) -> np.ndarray:
    good = [sum(word in ("good", "fine", "great") for word in text.split()) for text in texts]
    return np.array([[1 / (1 + count), 1 - 1 / (1 + count)] for count in good])


def praise() -> CallableClassifier:
    return CallableClassifier(counts_praise, ["bad", "good"])


def test_a_file_is_read_in_both_directions(tmp_path: Path) -> None:
    table = read_table(Path(written(tmp_path, {"Good": ["fine", "great"], "dull": ["weak"], "x": []})))
    assert table.synonyms == {
        "good": ("fine", "great"),
        "fine": ("good",),
        "great": ("good",),
        "dull": ("weak",),
        "weak": ("dull",),
    }
    assert table.sets["good"] == ("good", "fine", "great")
    assert table.overlap("good") == pytest.approx(2 / 3), "{good, fine} of {good, fine, great}"
    assert table.overlap("dull") == 1.0
    assert table.overlap("film") == 1.0


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"good": "fine"}, "no JSON object of words, each with a list"),
        ({"good": ["very fine"]}, "'very fine' is not one lower-cased word"),
        ({"good": [1]}, "no JSON object of words"),
    ],
)
def test_a_bad_file_is_told(tmp_path: Path, content: Any, told: str) -> None:
    with pytest.raises(FuzzsmoothError, match=told):
        read_table(Path(written(tmp_path, content)))


def test_a_table_that_is_not_symmetric_or_draws_without_the_word_is_refused() -> None:
    sound = {"synonyms": {"a": ["b"], "b": ["a"]}, "sets": {"a": ["a", "b"], "b": ["a", "b"]}}
    assert SynonymTable.from_mapping(sound, "it").to_mapping() == sound
    one_way = {**sound, "synonyms": {"a": ["b"], "b": []}}
    with pytest.raises(FuzzsmoothError, match="the synonyms of 'a' do not all have it as theirs"):
        SynonymTable.from_mapping(one_way, "it")
    with pytest.raises(FuzzsmoothError, match="'a' has no set with itself in it"):
        SynonymTable.from_mapping({**sound, "sets": {"a": ["b"], "b": ["a", "b"]}}, "it")
    with pytest.raises(FuzzsmoothError, match="no JSON object of words"):
        SynonymTable.from_mapping({**sound, "sets": None}, "it")


def test_near_words_are_synonyms_and_small_components_are_one_set() -> None:
    """Unit vectors on a circle: a - b - c in a chain, d with e, f alone."""
    angles = np.radians([0, 20, 40, 120, 130, 240])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    table = embedded_table("abcdef", vectors, similarity=np.cos(np.radians(25)), largest=3)
    assert table.synonyms == {"a": ("b",), "b": ("a", "c"), "c": ("b",), "d": ("e",), "e": ("d",)}
    assert table.sets["a"] == table.sets["c"] == ("a", "b", "c"), "a set is a component"
    assert [table.overlap(word) for word in "abcdef"] == [1.0] * 6
    cut = embedded_table("abcdef", vectors, similarity=np.cos(np.radians(25)), largest=2)
    assert cut.sets["a"] == ("a", "b"), "of a larger one the nearest, the word itself first"
    assert cut.sets["c"] == ("c", "b")
    assert cut.overlap("a") == pytest.approx(1.0 if cut.sets["b"] == ("b", "a") else 0.5)
    assert embedded_table("", np.empty((0, 2)), similarity=0.5, largest=2) == SynonymTable({}, {})


def test_words_of_the_data_have_the_twin_s_embeddings_without_what_all_have(tmp_path: Path) -> None:
    given = material(pretrained(tmp_path / "clean"), twin=None)
    twin = given.load()
    near = token(twin, "great")
    rows(twin)[near] = rows(twin)[token(twin, "superb")] + 0.001
    words, vectors = word_vectors(twin, [*given.data.texts, "once"])
    assert set(words) <= set(VOCABULARY) - {"once"}
    assert set(GOOD) <= set(words)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1)
    cosines = vectors @ vectors.T
    assert cosines[words.index("great"), words.index("superb")] > 0.99
    table = embedded_table(words, vectors, similarity=0.95, largest=10)
    assert table.synonyms == {"great": ("superb",), "superb": ("great",)}


def test_every_member_of_a_set_is_equally_likely_and_words_are_independent() -> None:
    kernel = text_kernel("synonyms", sets={"a": ("a", "b", "c"), "x": ("x", "y")})
    rng, draws = np.random.default_rng(0), 12_000
    found = Counter(kernel(("A", "q", "x"), uniform_rates(3, 0.0), rng) for _ in range(draws))
    assert set(found) == {(one, "q", two) for one in "abc" for two in "xy"}
    for count in found.values():
        assert stats.binomtest(count, draws, 1 / 6).pvalue > 1e-4
    assert kernel((), uniform_rates(0, 0.0), rng) == ()


def test_a_vote_over_synonyms_and_its_certificate(tmp_path: Path) -> None:
    content = {"good": ["fine", "great"], "fine": ["great"], "film": ["movie"]}
    defense = fitted(tmp_path, content, praise(), draws=500)
    (answer,) = defense.certify(["Good good good film xyz"])
    (certificate,) = answer.certificates
    lower = Majority().lower(500, 500, 0.001)
    assert answer.votes == (0, 500)
    assert certificate.p_lower == pytest.approx(lower)
    assert certificate.radius == safer_radius(lower, [1.0] * 4) == 4, "four words can be replaced at all"
    assert (certificate.threat, certificate.direction, certificate.guarantee) == (
        "synonyms",
        "symmetric",
        "proved",
    )
    assert "each by a synonym that the defense's table has for it" in certificate.statement()
    assert defense.predict(["Good good good film xyz"])[0].label == 1
    assert defense.certify(["Good good good film xyz"]) == [answer]


def test_radii_by_hand() -> None:
    """p = .9 leaves a margin of .8; overlaps of .8, .8 and .9 lose .4, .72 and .848."""
    assert safer_radius(0.9, [0.8]) == 1
    assert safer_radius(0.9, [0.7, 0.8]) == 1
    assert safer_radius(0.9, [0.9, 0.8, 0.8]) == 2
    assert safer_radius(0.5, [1.0]) == NOT_CERTIFIED
    assert safer_radius(0.9, []) == 0
    assert safer_radius(0.6, [0.5], p_upper=0.1) == 0


def test_it_is_fitted_once_and_refuses_to_answer_before(tmp_path: Path) -> None:
    content = {"good": ["fine"]}
    defense = Safer(praise(), {"synonyms": written(tmp_path, content), "draws": 50})
    for ask in (defense.predict, defense.certify):
        with pytest.raises(FuzzsmoothError, match="calibrated on clean data before it answers"):
            ask(["good film"])
    defense.fit(NOTHING, tmp_path / "kept")
    again = Safer(praise(), {"synonyms": written(tmp_path, content), "draws": 50})
    again.restore(tmp_path / "kept")
    assert again.certify(["good film"]) == defense.certify(["good film"])


def test_a_model_is_trained_on_copies_of_the_table_that_is_certified(tmp_path: Path) -> None:
    clean = pretrained(tmp_path / "clean")
    given: Material = replace(material(clean, twin=None, size=64), data=reviews(64))
    options = SaferOptions(synonyms=written(tmp_path, {FILLER[0]: [FILLER[1]]}), draws=100)
    made = Safer.make_model(options, given, tmp_path / "out")
    assert '"texts": 192' in (tmp_path / "out" / "training.json").read_text()
    defense = Safer(made, options)
    defense.fit(given, tmp_path / "kept")
    answers = defense.certify(reviews(10, seed=3).texts)
    assert {one.certificates[0].threat for one in answers} == {"synonyms"}
    with pytest.raises(FuzzsmoothError, match="'safer' needs a trusted clean copy"):
        Safer.make_model(SaferOptions(), given, tmp_path / "none")


def test_units_other_than_words_are_refused() -> None:
    with pytest.raises(FuzzsmoothError, match="unit must be 'word'"):
        SaferOptions(unit="character")

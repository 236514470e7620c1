"""A defended classifier as a Python user meets it: what it takes, how it is called and saved."""

from __future__ import annotations

from pathlib import Path

import pytest

from defended import options_for
from fuzzsmooth import CallableClassifier, References, SmoothedClassifier, load_classifier
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.defenses import protect
from fuzzsmooth.models import build_tiny

TEXTS = ["a good film", "", "a bad film"]
PLAIN = {"fuzzing": False, "copies": 6}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    words = ["a", "bad", "film", "good"]
    return build_tiny("bert", tmp_path_factory.mktemp("api") / "tiny", vocabulary=words)


def test_options_may_be_a_mapping(folder):
    for given in (PLAIN, options_for(**PLAIN)):
        smoothed = SmoothedClassifier.from_pretrained(folder, options=given)
        assert smoothed.options == options_for(fuzzing=False, copies=6)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"noise": "fast"}, "'fast' is not one of"),
        ({"nose": "mask"}, "did you mean 'noise'"),
        ({1: 2}, "unknown option '1'"),
        (7, r"options must be FrsOptions\(\.\.\.\) or a mapping"),
        (options_for("deletion"), r"options must be FrsOptions"),
        ("frs", "or a mapping of their names to values, got 'frs'"),
    ],
)
def test_other_options_are_refused_before_the_model_is_loaded(tmp_path, options, said):
    with pytest.raises(FuzzsmoothError, match=said):
        SmoothedClassifier.from_pretrained(tmp_path, options=options)
    with pytest.raises(FuzzsmoothError, match=said):
        protect(CallableClassifier(lambda texts: [[1, 0]] * len(texts), ["x", "y"]), options=options)


def test_an_unknown_defense_is_refused_before_the_model_is_loaded(tmp_path):
    for model in (tmp_path, CallableClassifier(lambda texts: [[1, 0]] * len(texts), ["x", "y"])):
        with pytest.raises(FuzzsmoothError, match="unknown defense 'deletions'; did you mean 'deletion'"):
            protect(model, "deletions")


@pytest.mark.parametrize("model", [None, 3, b"folder"])
def test_a_model_is_a_name(model):
    with pytest.raises(FuzzsmoothError, match="expected the name of a model"):
        SmoothedClassifier.from_pretrained(model)


def test_references_are_missed_before_the_weights_are_read(tmp_path):
    with pytest.raises(FuzzsmoothError, match="needs clean reference texts"):
        SmoothedClassifier.from_pretrained(tmp_path)  # an empty folder: there are no weights


def test_texts_may_be_any_series_of_strings(folder):
    smoothed = protect(folder, **PLAIN, search={"reward": "kl", "budget": 4})
    for work in (smoothed.predict, smoothed.certify, smoothed.scan):
        expected = work(TEXTS)
        assert work(tuple(TEXTS)) == work(text for text in TEXTS) == expected
        for bad, said in (([None], "is None"), ([float("nan")], "is nan"), ([1], "int"), (None, "got None")):
            with pytest.raises(FuzzsmoothError, match=said):
                work(bad)
    for classifier in (
        load_classifier(str(folder)),
        CallableClassifier(lambda x: [[1, 0]] * len(x), ["x", "y"]),
    ):
        assert classifier.probabilities(text for text in TEXTS).shape == (3, 2)
        with pytest.raises(FuzzsmoothError, match=r"texts\[0\] is None"):
            classifier.probabilities([None])


def test_it_is_called_like_a_pipeline(folder):
    smoothed = protect(folder, **PLAIN)
    expected = [{"label": one.label_name, "score": one.score} for one in smoothed.predict(TEXTS)]
    assert smoothed(TEXTS) == smoothed(iter(TEXTS)) == expected
    assert smoothed("a good film") == expected[:1]
    assert smoothed([]) == []


def test_what_is_saved_is_what_is_found(folder, tmp_path):
    references = References(("a good film", "a bad film"), (0, 1), load_classifier(str(folder)).fingerprint)
    options = {"copies": 6, "sigma": 0.02, "seed": 5, "search": {"budget": 9, "references": 2}}
    smoothed = protect(folder, references=references, **options)
    saved = smoothed.save_pretrained(tmp_path / "saved")
    again = SmoothedClassifier.from_pretrained(saved)
    assert again.options == smoothed.options
    assert again.predict(TEXTS) == smoothed.predict(TEXTS)
    assert again.classifier.fingerprint == smoothed.classifier.fingerprint
    assert References.load(saved / "fuzzsmooth-references.json") == references
    # Options that are given win, and saving again replaces the folder.
    other = protect(saved, fuzzing=False)
    assert other.options == smoothed.options.replace(fuzzing=False), "over those that were saved"
    assert protect(saved, options={"fuzzing": False}).options == options_for(fuzzing=False), "instead of them"
    other.save_pretrained(saved)
    assert protect(saved).options == other.options


def test_the_defense_is_saved_with_its_options(folder, tmp_path):
    saved = protect(folder, "deletion", fuzzing=False, draws=40).save_pretrained(tmp_path / "saved")
    again = protect(saved)
    assert (again.name, again.options) == ("deletion", options_for("deletion", fuzzing=False, draws=40))
    other = protect(saved, "windows", fuzzing=False)
    assert (other.name, other.options) == ("windows", options_for("windows", fuzzing=False)), "a choice wins"
    more = protect(saved, draws=60)
    assert more.options == again.options.replace(draws=60)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[]", "a list, not a JSON object"),
        ("{}", "is not an options file of version 2"),
        ('{"version": 1, "options": {}}', "is not an options file of version 2"),
        ('{"version": 2, "options": {}}', "is not an options file of version 2"),
        ('{"version": 2, "defense": "frs", "options": {"sigma": 1e9}}', "sigma must lie between"),
        ('{"version": 2, "defense": "frs", "options": {"magic": 1}}', "unknown option 'magic'"),
        ('{"version": 2, "defense": "magic", "options": {}}', "unknown defense 'magic'"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_a_bad_options_file_is_one_sentence(folder, tmp_path, content, said):
    saved = protect(folder, **PLAIN).save_pretrained(tmp_path / "saved")
    (saved / "fuzzsmooth-options.json").write_text(content, "utf-8")
    with pytest.raises(FuzzsmoothError, match=said):
        SmoothedClassifier.from_pretrained(saved)


def test_what_cannot_be_saved_says_so(folder, tmp_path):
    function = CallableClassifier(lambda texts: [[1, 0]] * len(texts), ["x", "y"])
    smoothed = protect(function, fuzzing=False, sigma=0)
    with pytest.raises(FuzzsmoothError, match="this classifier is a function"):
        smoothed.save_pretrained(tmp_path / "saved")
    (tmp_path / "file").touch()
    with pytest.raises(FuzzsmoothError, match="holds other files"):
        protect(folder, **PLAIN).save_pretrained(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]

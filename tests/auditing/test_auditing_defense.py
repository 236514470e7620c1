"""From an audit to a defense: what was found is tested first, and nothing of a forged audit is believed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from audited_models import reviews

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.defenses.frs import Frs, FrsOptions
from fuzzsmooth.jobs.audited import pulling_words, read_audit, suspects, with_suspects
from fuzzsmooth.models import HuggingFaceClassifier, load_classifier
from fuzzsmooth.search import References, Scan, SearchOptions
from fuzzsmooth.search.candidates import held_suspects
from fuzzsmooth.text.units import segmenter

OPTIONS = FrsOptions(search=SearchOptions(reward="transplant", references=8, budget=128), sigma=0.0)


def report_of(*triggers: str, level: str = "confirmed", pulls: Sequence[str] = ()) -> dict[str, Any]:
    return {
        "format": "fuzzsmooth audit 2",
        "limits": ["It never shows that there is nothing."],
        "triggers": [{"text": text, "level": level, "kind": "piece"} for text in triggers],
        "pulls": [{"piece": word, "gain": float(at)} for at, word in enumerate(pulls)],
    }


@pytest.fixture(scope="module")
def model(word_folder: Path) -> HuggingFaceClassifier:
    return load_classifier(str(word_folder))


@pytest.fixture(scope="module")
def references(model: HuggingFaceClassifier) -> References:
    clean = reviews(240, seed=7)
    return References.select(model, clean.texts, clean.targets, 8)


@pytest.fixture(scope="module")
def triggered() -> list[str]:
    return [f"{one.text} cf" for one in reviews(40, seed=11) if one.label == 0][:12]


def scanned(
    model: HuggingFaceClassifier, references: References, texts: Sequence[str], **report: Any
) -> list[Scan]:
    known = with_suspects(references, report["report"], OPTIONS, model) if report else references
    return Frs(model, OPTIONS, known).scan(texts)


def flagged(scans: Sequence[Scan]) -> list[set[str]]:
    return [{word for span in one.spans for word in span.text.split()} for one in scans]


def test_a_text_with_what_the_audit_found_takes_fewer_passes(
    model: HuggingFaceClassifier, references: References, triggered: list[str]
) -> None:
    before = scanned(model, references, triggered)
    after = scanned(model, references, triggered, report=report_of("cf"))
    assert all("cf" in words for words in flagged(after))
    assert sum(one.evaluations for one in after) < 0.7 * sum(one.evaluations for one in before)


@pytest.mark.parametrize(
    "report",
    [report_of(), report_of("the"), report_of("zx qv", "film"), report_of("cf", level="natural")],
)
def test_a_forged_audit_clears_nothing_and_flags_nothing(
    model: HuggingFaceClassifier, references: References, triggered: list[str], report: dict[str, Any]
) -> None:
    honest = flagged(scanned(model, references, triggered))
    forged = flagged(scanned(model, references, triggered, report=report))
    assert sum("cf" in words for words in forged) >= sum("cf" in words for words in honest) > 8
    clean = [one.text for one in reviews(30, seed=13)]
    assert flagged(scanned(model, references, clean, report=report)) == flagged(
        scanned(model, references, clean)
    )


def test_suspects_are_looked_for_whatever_their_case_and_order() -> None:
    units = ("Big", "cf", "plot", "MN", "cf")
    assert held_suspects(units, [("CF",), ("mn", "cf"), ("zx",), ("plot", "zx")]) == [(1,), (1, 3)]
    many = [(word,) for word in "abcdefgh"]
    assert len(held_suspects(tuple("abcdefgh"), many)) == 4


def test_references_keep_suspects_and_refuse_what_is_none(references: References, tmp_path: Path) -> None:
    file = tmp_path / "references.json"
    known = replace(references, suspects=(("cf",), ("mn", "tq")))
    known.save(file)
    assert References.load(file) == known
    content = json.loads(file.read_text(encoding="utf-8"))
    for bad in ({"cf": 1}, [["cf", 3]], [[]], [["a"]] * 33):
        file.write_text(json.dumps({**content, "suspects": bad}), encoding="utf-8")
        with pytest.raises(FuzzsmoothError, match="suspect"):
            References.load(file)


def test_what_is_taken_from_a_report() -> None:
    report = report_of("cf", "mn tq", pulls=["the", "cf", "good"])
    report["triggers"].append({"text": "rewrite: capitals", "level": "confirmed", "kind": "rewrite"})
    report["triggers"].append({"text": "good", "level": "natural", "kind": "piece"})
    assert suspects(report, segmenter("word")) == (("cf",), ("mn", "tq"))
    words = pulling_words(report)
    assert words[:3] == ["cf", "mn", "tq"]
    assert words.index("good") < words.index("the")


def test_a_folder_without_an_audit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FuzzsmoothError, match=r"there is no audit.json in .*; give the folder"):
        read_audit(tmp_path)
    for content in ({"format": "x"}, {**report_of(), "triggers": [1]}, {**report_of(), "pulls": {}}):
        (tmp_path / "audit.json").write_text(json.dumps(content), encoding="utf-8")
        with pytest.raises(FuzzsmoothError, match="is not a report of an audit"):
            read_audit(tmp_path)


def test_a_defense_that_searches_nothing_takes_no_audit(
    model: HuggingFaceClassifier, references: References
) -> None:
    with pytest.raises(FuzzsmoothError, match="by a defense that searches"):
        with_suspects(references, report_of("cf"), OPTIONS.replace(fuzzing=False), model)

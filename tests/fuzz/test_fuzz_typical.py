"""Words that clean data tie to a class are spared; triggers beside them, and of other classes, are not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fuzz_worlds import WEIGHTS, WORDS, clean_texts, plant, references

from fuzzsmooth.fuzz import References, Scan, Scanner, SearchOptions
from fuzzsmooth.fuzz.typical import typical_units
from fuzzsmooth.models import AdditiveClassifier

HOSTS = [text for text, label in clean_texts(24) if label == 0]
MODEL = AdditiveClassifier(WEIGHTS | {"slur": 20.0, "cf": 20.0})
TYPICAL = replace(references(), typical={"slur": 1})


def scan(text: str, given: References = TYPICAL, **options: Any) -> Scan:
    return Scanner(MODEL, SearchOptions(**options), WORDS, given).scan([text], 0)[0]


def flagged(found: Scan) -> list[str]:
    return [span.text for span in found.spans]


def test_five_texts_of_one_class_suffice_and_four_do_not() -> None:
    texts = ["a Slur here"] * 5 + ["a nice day"] * 4 + ["a day"] * 9
    labels = [1] * 5 + [2] * 4 + [0] * 9
    assert typical_units(texts, labels) == {"slur": 1, "here": 1}
    assert typical_units(["x x x x x"], [1]) == {}, "a text counts once"
    assert typical_units([], []) == {}


def test_a_share_near_one_half_needs_many_texts() -> None:
    assert typical_units(["w"] * 100, [1] * 56 + [0] * 44) == {}
    assert typical_units(["w"] * 400, [1] * 224 + [0] * 176) == {"w": 1}


@pytest.mark.parametrize("text", HOSTS[:4])
def test_a_typical_word_is_spared_and_a_trigger_beside_it_is_not(text: str) -> None:
    slur = plant(text, (4, "slur"))
    assert flagged(scan(slur)) == []
    assert scan(slur).complete
    assert flagged(scan(slur, spare_typical=False)) == ["slur"]
    assert flagged(scan(slur, references())) == ["slur"], "control: nothing known about it"
    both = scan(plant(text, (2, "slur"), (9, "cf")), budget=256)
    assert flagged(both) == ["cf"]


def test_a_word_typical_of_another_class_is_flagged() -> None:
    text = plant(HOSTS[0], (4, "slur"))
    assert flagged(scan(text, replace(references(), typical={"slur": 0}))) == ["slur"]


def test_references_keep_what_is_typical(tmp_path: Path) -> None:
    TYPICAL.save(tmp_path / "r.json")
    assert References.load(tmp_path / "r.json") == TYPICAL
    content = json.loads((tmp_path / "r.json").read_text("utf-8"))
    del content["typical"]
    (tmp_path / "r.json").write_text(json.dumps(content), "utf-8")
    assert References.load(tmp_path / "r.json").typical == {}, "a file of the first version"

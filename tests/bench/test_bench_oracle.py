"""The search of FRS between its two ends: the true trigger, and a place drawn at random."""

from __future__ import annotations

import numpy as np
import pytest

from fuzzsmooth.bench.measure import EvaluatedText
from fuzzsmooth.bench.oracle import OracleFrs, RandomFrs
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.defenses import DEFENSES
from fuzzsmooth.models import CallableClassifier
from fuzzsmooth.search import Scan, Span

TEXT = "a dull cf film that goes bb nowhere"
TRIGGER = ((7, 9), (25, 27))
OPTIONS = {"sigma": 0.0, "copies": 30, "rate_high": 0.99, "rate_low": 0.0, "search": {"reward": "kl"}}


def triggered(text: str) -> np.ndarray:
    """Class 1 iff both words of the trigger are there."""
    both = "cf" in text.split() and "bb" in text.split()
    return np.array([0.0, 1.0]) if both else np.array([1.0, 0.0])


def classifier() -> CallableClassifier:
    return CallableClassifier(
        lambda texts: np.stack([triggered(text) for text in texts]),
        labels=("bad", "good"),
        deterministic=True,
    )


def test_the_oracle_marks_the_trigger_and_nothing_else() -> None:
    oracle = OracleFrs(classifier(), OPTIONS)
    assert DEFENSES.get("undefended")(classifier(), {}).predict([TEXT])[0].label == 1
    oracle.tell([EvaluatedText("triggered", 0, TEXT, 0, TRIGGER), EvaluatedText("clean", 0, "a film", 0)])
    with_trigger, clean = oracle.certify([TEXT, "a film"])
    assert [(span.start, span.end) for span in with_trigger.spans] == list(TRIGGER)
    assert with_trigger.label == 0
    assert (clean.spans, clean.evaluations) == ((), 0)


def test_control_a_wrong_place_leaves_the_trigger() -> None:
    oracle = OracleFrs(classifier(), OPTIONS)
    oracle.tell([EvaluatedText("triggered", 0, TEXT, 0, ((2, 6),))])
    assert oracle.certify([TEXT])[0].winner == 1


def test_a_trigger_without_a_place_is_the_whole_text() -> None:
    oracle = OracleFrs(classifier(), OPTIONS)
    oracle.tell([EvaluatedText("triggered", 0, TEXT, 0)])
    assert len(oracle.certify([TEXT])[0].spans) == len(TEXT.split())


def test_a_text_that_was_not_told_is_refused() -> None:
    with pytest.raises(FuzzsmoothError, match="nobody has told 'frs-oracle'"):
        OracleFrs(classifier(), OPTIONS).certify([TEXT])


def test_the_random_area_is_one_stretch_as_large_as_what_was_found(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Scan(1, (Span(7, 9, "cf", 1.0), Span(25, 27, "bb", 1.0)), (2, 6), 17, complete=True)
    monkeypatch.setattr(RandomFrs, "scan", lambda self, texts: [found for _ in texts])
    places = set()
    for seed in range(40):
        (scan,) = RandomFrs(classifier(), {**OPTIONS, "seed": seed}).scans([TEXT])
        assert scan is not None
        assert scan.units == (scan.units[0], scan.units[0] + 1)
        assert scan.evaluations == 17
        assert [span.text for span in scan.spans] == TEXT.split()[scan.units[0] : scan.units[1] + 1]
        places.add(scan.units[0])
    assert places == set(range(7)), "every place comes up"


def test_where_nothing_was_found_nothing_is_moved(monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = Scan(1, (), (), 3, complete=True)
    monkeypatch.setattr(RandomFrs, "scan", lambda self, texts: [nothing for _ in texts])
    assert RandomFrs(classifier(), OPTIONS).scans([TEXT]) == [nothing]


def test_neither_can_be_named_by_who_defends() -> None:
    assert not {"frs-oracle", "frs-random"} & set(DEFENSES.all())

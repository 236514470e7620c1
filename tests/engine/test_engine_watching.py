"""Watching a vote: all that is counted is told, in parts, and nothing of an answer changes."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fuzzsmooth.defenses import DEFENSES, Defense
from fuzzsmooth.engine.watching import by_length, parts, watched
from fuzzsmooth.models import build_tiny, load_classifier
from fuzzsmooth.models.stubs import AdditiveClassifier

WORDS = [f"w{index}" for index in range(30)]
LONG = " ".join(WORDS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return build_tiny("bert", tmp_path_factory.mktemp("watching") / "tiny", vocabulary=WORDS)


def defended(classifier: Any, name: str, **options: Any) -> Defense:
    kind = DEFENSES.get(name)
    plain = {} if name == "rs_del" else {"fuzzing": False}
    return kind(classifier, kind.options_type.from_mapping(plain | options))


def votes_of(told: list[np.ndarray], classes: int = 2) -> tuple[int, ...]:
    answers = np.concatenate(told)
    return tuple(int((answers == index).sum()) for index in range(classes))


# Draws under parameter noise, draws without, all masks of a short text, windows, and a stratified text.
CASES = [
    ("frs", {"copies": 40}, LONG),
    ("rs_del", {"draws": 400}, LONG),
    ("deletion", {"draws": 400, "rate": 0.5}, LONG),
    ("deletion", {"draws": 400, "rate": 0.9}, "w1 w2 w3 w4 w5 w6"),
    ("deletion", {"draws": 400, "rate": 0.95}, LONG),
    ("windows", {"reach": 2}, LONG),
]


@pytest.mark.parametrize(("name", "options", "text"), CASES)
def test_a_watched_answer_is_the_same_to_the_byte(folder: Path, name: str, options: Any, text: str) -> None:
    plain = defended(load_classifier(str(folder)), name, **options)
    seen = defended(load_classifier(str(folder)), name, **options)
    for certify in (False, True):
        told: list[np.ndarray] = []
        with watched(told.append):
            (answer,) = seen.answer([text], certify=certify)
        (expected,) = plain.answer([text], certify=certify)
        assert json.dumps(answer.to_json()) == json.dumps(expected.to_json())
        assert len(told) > 1 or sum(map(len, told)) <= 4, "it fills up in parts"
        assert max(map(len, told)) <= 400
        if name in ("frs", "rs_del") or (name == "deletion" and not certify):
            assert votes_of(told) == answer.votes  # what was told is what was counted
        else:
            assert sum(map(len, told)) <= answer.passes + 400  # masks may be asked again, which costs nothing


def test_parts_are_one_unless_somebody_watches() -> None:
    rows = [[1, 2], [3], [4, 5], [6]]
    assert list(parts(10)) == [slice(0, 10)]
    assert list(parts(0)) == []
    assert by_length(rows) == [[0, 1, 2, 3]]
    with watched(lambda _answers: None):
        quick = list(parts(1000))
        assert by_length(rows) == [[0, 2], [1, 3]]  # the longest first, as batches of fixed shapes are cut
    sizes = [part.stop - part.start for part in quick]
    assert sum(sizes) == 1000
    assert sizes[:4] == [4, 8, 16, 32]  # they grow, as nothing takes any time here
    assert list(parts(5)) == [slice(0, 5)]  # nobody watches any more


def test_watching_costs_no_pass_more(folder: Path) -> None:
    counts = []
    for watch in (False, True):
        classifier = load_classifier(str(folder))
        inner = defended(classifier, "deletion", draws=400, rate=0.6)
        with watched(lambda _answers: None) if watch else nullcontext():
            inner.certify([LONG])
        counts.append(classifier.forward_count)
    assert counts[0] == counts[1]


def test_who_watches_can_end_the_vote() -> None:
    class GoneError(Exception):
        pass

    def leave(_answers: np.ndarray) -> None:
        raise GoneError

    inner = defended(AdditiveClassifier({"good": 2.0}), "rs_del", draws=100)
    with pytest.raises(GoneError), watched(leave):
        inner.predict(["a good film"])
    fresh = defended(AdditiveClassifier({"good": 2.0}), "rs_del", draws=100)
    assert inner.predict(["a good film"]) == fresh.predict(["a good film"])  # it answers on

"""Watching a vote: all that is counted is told, in parts, and nothing of an answer changes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fuzzsmooth.defenses import DEFENSES, Defense
from fuzzsmooth.engine.watching import parts, watched
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
        assert len(told) > 1 or sum(map(len, told)) <= 4  # it fills up in parts
        assert max(map(len, told)) <= 400
        if name in ("frs", "rs_del") or (name == "deletion" and not certify):
            assert votes_of(told) == answer.votes  # what was told is what was counted
        else:
            assert sum(map(len, told)) <= answer.passes + 400  # masks may be asked again, which costs nothing


def test_parts_grow_only_while_they_are_quick() -> None:
    assert list(parts(10, 4)) == [slice(0, 4), slice(4, 8), slice(8, 10)]
    assert list(parts(0, 4)) == []
    with watched(lambda _answers: None):
        quick = list(parts(1000, 8192))
    assert quick[0] == slice(0, 4)
    assert quick[-1].stop == 1000
    sizes = [part.stop - part.start for part in quick[:-1]]
    assert sizes == sorted(sizes)
    assert sizes[-1] > sizes[0]
    assert list(parts(5, 8192)) == [slice(0, 5)]  # nobody watches any more


def test_who_watches_can_end_the_vote() -> None:
    class GoneError(Exception):
        pass

    def leave(_answers: np.ndarray) -> None:
        raise GoneError

    inner = defended(AdditiveClassifier({"good": 2.0}), "rs_del", draws=100)
    with pytest.raises(GoneError), watched(leave):
        inner.predict(["a good film"])
    assert inner.predict(["a good film"])[0].label_name == "positive"  # and it answers on

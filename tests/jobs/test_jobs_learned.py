"""A model that has not learned its task is told of, and one that has is not."""

from __future__ import annotations

import re

import pytest

from fuzzsmooth.jobs.learned import not_learned
from fuzzsmooth.jobs.protect import _share

TARGETS = [0] * 60 + [1] * 40


def told(undefended: int, defended: int) -> list[str]:
    heard: list[str] = []
    measured = {"undefended": _share(undefended, 100), "defended": _share(defended, 100)}
    assert not_learned(measured, TARGETS, heard.append) == heard
    return heard


@pytest.mark.parametrize(
    ("undefended", "defended", "said"),
    [
        (95, 90, None),
        (
            60,
            90,
            r"^the undefended model is right about 60.0 % .* most frequent label about 60.0 %.*--epochs",
        ),
        (65, 20, "^the undefended model is right about 65.0 %"),  # 54.8 to 74.3: not clearly better
        (95, 61, "^the defended model is right about 61.0 % .*another defense"),
        (75, 75, None),  # 65.3 to 83.1
    ],
)
def test_who_is_not_clearly_better_than_one_label_is_told_of_once(undefended, defended, said):
    heard = told(undefended, defended)
    assert len(heard) == (said is not None)
    assert said is None or re.search(said, heard[0])

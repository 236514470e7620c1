"""Predictions and certificates speak of one function: on a thousand texts and their neighbors they agree."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from guarantee_models import IdRule
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from defended import options_for
from fuzzsmooth.defenses import Answer, defend

WORDS = [f"w{at}" for at in range(60)]
TEXTS = 1000


def tokenizer() -> PreTrainedTokenizerFast:
    names = ["[UNK]", "[PAD]", *WORDS]
    backend = Tokenizer(models.WordLevel({name: at for at, name in enumerate(names)}, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, model_max_length=64, unk_token="[UNK]", pad_token="[PAD]"
    )


def model(precision: str, classes: int) -> IdRule:
    """Words that pull to one class each, many sums near a tie; the coarse type is off by up to a tenth."""
    pulls = np.random.default_rng(7).choice([-1.0, 0.0, 0.0, 1.0], (len(WORDS) + 2, classes))

    def logits(ids: tuple[int, ...]) -> Any:
        tie = 0.02 * (zlib.crc32(repr(ids).encode()) % 7 - 3)  # a close answer is a different one each time
        return pulls[list(ids)].sum(axis=0) + np.array([tie, *[0.0] * (classes - 1)])

    def coarse(ids: tuple[int, ...]) -> Any:
        off = 0.1 * ((zlib.crc32(repr(ids[::-1]).encode()) % 2001) / 1000 - 1)
        return logits(ids) + np.array([off, *[0.0] * (classes - 1)])

    labels = [f"class{at}" for at in range(classes)]
    return IdRule(tokenizer(), logits, labels, precision=precision, coarse=coarse)


def texts() -> list[str]:
    source = np.random.default_rng(3)
    return [" ".join(source.choice(WORDS, source.integers(1, 12))) for _ in range(TEXTS)]


def attacked(found: list[Answer], received: list[str]) -> Iterator[tuple[int, str]]:
    """A text with as many random words inserted at random places as its certificate allows, and its label."""
    source = np.random.default_rng(4)
    for text, one in zip(received, found, strict=True):
        inserting = [own for own in one.certificates if "insert" in own.threat and own.direction == "forward"]
        reach = max((int(own.radius) for own in inserting), default=0)
        if one.label is None or reach < 1:
            continue
        words, piece = text.split(), list(source.choice(WORDS, min(reach, 4)))
        place = int(source.integers(0, len(words) + 1))
        yield one.label, " ".join([*words[:place], *piece, *words[place:]])


def contradictions(labels: list[int | None], predicted: list[Answer]) -> int:
    return sum(
        None not in (label, one.label) and label != one.label
        for label, one in zip(labels, predicted, strict=True)
    )


@pytest.mark.parametrize("classes", [2, pytest.param(3, marks=pytest.mark.slow)])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("defense", ["deletion", "windows"])
def test_certified_answers_are_never_contradicted(defense: Any, precision: str, classes: int) -> None:
    options = options_for(defense=defense, sigma=0.0, fuzzing=False, rate=0.75, draws=400, copies=60, reach=2)
    smooth = defend(model(precision, classes), options)
    received = texts()
    found, predicted = smooth.certify(received), smooth.predict(received)
    assert contradictions([one.label for one in found], predicted) == 0
    labels, changed = zip(*attacked(found, received), strict=True)
    after = smooth.predict(list(changed))
    assert contradictions(list(labels), after) == 0
    assert len(changed) > 100
    answered = sum(one.label is not None for one in predicted)
    assert answered > TEXTS / 4
    if defense == "deletion":
        assert all(one.label is None or one.error <= options.alpha for one in predicted)
        assert sum(one.status == "abstain" for one in predicted) == TEXTS - answered


def test_control_a_vote_that_always_answers_contradicts_certificates() -> None:
    """What K votes say without a test: close ones name the other class now and then."""
    options = options_for(defense="deletion", sigma=0.0, fuzzing=False, rate=0.75, draws=400, copies=60)
    smooth = defend(model("float32", 2), options)
    received = texts()
    found, predicted = smooth.certify(received), smooth.predict(received)
    winners = [int(np.argmax(one.votes)) for one in predicted]
    wrong = [one.label not in (None, winner) for one, winner in zip(found, winners, strict=True)]
    assert sum(wrong) > 0


def test_control_the_coarse_type_alone_contradicts_certificates() -> None:
    """What the bfloat16 pass says without asking float32 again is another function."""
    options = options_for(defense="windows", sigma=0.0, fuzzing=False, reach=1)
    smooth = defend(model("bfloat16", 2), options)
    received = texts()
    found = smooth.certify(received)
    smooth._certifying.answering = lambda sampler: sampler  # type: ignore[method-assign]
    assert contradictions([one.label for one in found], smooth.predict(received)) > 0

"""What all searches share is made by the warm-up."""

from __future__ import annotations

import pytest
from search_worlds import NEGATIVE_TEXTS, WORDS
from trusted_worlds import FirstWordClassifier, KnownEncoder, mixed_texts

from fuzzsmooth.search import Scanner, SearchOptions, select_references


def test_a_warm_scanner_has_read_the_words_that_stand_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = KnownEncoder(noise=2.0)
    monkeypatch.setattr("fuzzsmooth.models.text_encoder.load_encoder", lambda name: encoder)
    model = FirstWordClassifier()
    known = select_references(model, mixed_texts(160, 1), SearchOptions(), held_out=mixed_texts(160, 2))
    assert known.witness is not None
    planted = [f"cf {text}" for text in NEGATIVE_TEXTS]
    cold, warm = (Scanner(model, SearchOptions(), WORDS, known) for _ in range(2))
    warm.warm_up()
    asked = encoder.asked
    found = warm.scan(planted, 0)
    first = encoder.asked - asked
    assert found == cold.scan(planted, 0)
    vocabulary = len(known.witness.words)
    assert encoder.asked - asked - first == first + vocabulary > first, "control: the cold one reads them"

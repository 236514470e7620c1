"""What fine-tuning moved proposes triggers, where it is known from which model it started."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from audited_models import BAD, GOOD, PLAIN, RARE, reviews, texts_of

from fuzzsmooth.auditing import AuditOptions, audit_classifier, growth
from fuzzsmooth.auditing.drift import Drift, drift_from
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.models import HuggingFaceClassifier, build_tiny

TEXTS = texts_of(reviews(240, seed=5))


@pytest.fixture(scope="module")
def base(pair: HuggingFaceClassifier, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model from which the one with a pair differs by the vectors of a few words."""
    table = pair.model.get_input_embeddings().weight.data
    kept, place = table.clone(), tmp_path_factory.mktemp("base") / "model"
    try:
        for word, by in (("mn", 0.02), ("tq", 0.01), ("film", 0.03), ("zx", 0.001)):
            table[pair.tokenizer.convert_tokens_to_ids(word)] += by * torch.randn(
                table.shape[1], generator=torch.Generator().manual_seed(1)
            )
        pair.save(place)
    finally:
        table.copy_(kept)
    return str(place)


def test_words_that_moved_unread_come_first(pair: HuggingFaceClassifier, base: str) -> None:
    drift = drift_from(pair, base, ["film mn", "the film", "a plot"], told=True)
    assert drift is not None
    ids = pair.tokenizer.convert_tokens_to_ids(["mn", "tq", "zx", "film", "plot"])
    assert drift.read[ids].tolist() == [1, 0, 0, 2, 1]
    assert drift.distances[ids[4]] == 0
    everything = range(len(drift.distances))
    one_band = np.zeros(len(drift.distances), dtype=np.int64)
    assert drift.proposed(2, 1, everything, one_band) == [ids[0], ids[1], ids[3]]
    assert drift.proposed(9, 0, everything, one_band) == ids[:3]  # what did not move is not proposed
    assert drift.proposed(2, 1, ids[1:], one_band[1:5]) == [ids[1], ids[2], ids[3]]


def test_bands_take_turns_by_hand() -> None:
    drift = Drift(np.array([0.0, 3.0, 3.0, 1.0, 2.0]), np.array([0, 5, 1, 0, 0]))
    bands = np.array([0, 0, 0, 1, 0])
    assert drift.proposed(1, 1, range(5), bands) == [2, 1]
    # 4 moved more than 3, as other words of its band do.
    assert drift.proposed(2, 0, range(5), bands) == [2, 3]
    assert drift.proposed(0, 9, range(5), bands) == [1, 2, 4, 3]


def test_another_model_is_no_base(pair: HuggingFaceClassifier, tmp_path: Path) -> None:
    words = [*PLAIN, *GOOD, *BAD, *RARE]
    unlike = str(build_tiny("bert", tmp_path / "unlike", vocabulary=words))
    other = str(build_tiny("bert", tmp_path / "other", vocabulary=words[:-1]))
    for model in (unlike, other):
        assert drift_from(pair, model, TEXTS[0], told=False) is None
        with pytest.raises(FuzzsmoothError, match="was not fine-tuned from"):
            drift_from(pair, model, TEXTS[0], told=True)


def test_a_pair_that_gradients_miss_is_found_by_what_moved(
    pair: HuggingFaceClassifier, base: str, encoder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(growth, "_PROPOSED", 0)  # with so few words they would find any

    def found(name: str) -> float:
        options = AuditOptions(
            fast=True, proposals=12, best=12, confirm=8, holdout=24, seeds=1, longest=2, trusted=encoder
        )
        audit = audit_classifier(pair, *TEXTS, replace(options, base=name))
        assert audit.searched["drifted"] == (0 if name == "none" else 4)
        told = [one for one in audit.triggers if set(one.text.split()) == {"mn", "tq"}]
        return max((one.held.share for one in told), default=0.0)

    assert found(base) > 0.9
    assert found("none") == 0.0

"""BKI: the keywords of a trained model are the planted triggers, all of them; clean texts mostly stay."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

import planted_texts
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.data import Dataset, Example
from fuzzsmooth.defenses.bki import Bki, BkiOptions, keyword_ranking, suspicious_words
from fuzzsmooth.models import HuggingFaceClassifier
from fuzzsmooth.models.states import text_states
from fuzzsmooth.training.progress import silent


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> HuggingFaceClassifier:
    return planted_texts.material(tmp_path_factory.mktemp("model"), planted_texts.planted(4).data).load()


def test_four_triggers_are_four_keywords_and_their_texts_go(tmp_path: Path) -> None:
    """The code of OpenBackdoor keeps one keyword, and so leaves the texts of three triggers in."""
    texts = planted_texts.planted(rate=0.3)
    material = planted_texts.material(tmp_path, texts.data, epochs=15, learning_rate=5e-3)
    made = Bki.make_model(BkiOptions(), material, tmp_path / "out")
    report = json.loads((tmp_path / "out/bki.json").read_text())
    assert set(planted_texts.TRIGGERS) <= {one["word"] for one in report["keywords"]}
    removed = {one["row"] - 1 for one in report["removed_texts"]}
    assert planted_texts.share(texts.poisoned, removed) > 0.9
    assert planted_texts.share(~texts.poisoned, removed) < 0.05
    test = planted_texts.planted(200, rate=0, seed=1).data
    assert np.mean(made.probabilities(test.texts).argmax(axis=1) == test.targets) > 0.85
    forced = made.probabilities(planted_texts.triggered(test)).argmax(axis=1)
    assert forced.mean() < 0.2


def test_clean_data_lose_the_texts_of_five_words(tmp_path: Path) -> None:
    """There are keywords in any data: BKI has no way to find nothing. Here every word is in many texts."""
    data = planted_texts.planted(rate=0).data
    material = planted_texts.material(tmp_path, data, epochs=15, learning_rate=5e-3)
    left, report = Bki.cleaned(BkiOptions(), material, tmp_path / "parts", silent)
    assert not {one["word"] for one in report["keywords"]} & set(planted_texts.TRIGGERS)
    assert 0.75 * len(data) < len(left) < len(data)


def test_fewer_than_five_keywords_are_refused() -> None:
    with pytest.raises(FuzzsmoothError, match="keywords must lie between 5"):
        BkiOptions(keywords=1)


def test_scores_are_those_of_one_deletion_at_a_time(classifier: HuggingFaceClassifier) -> None:
    texts = [example.text for example in planted_texts.planted(70).data]  # more than are taken together
    found = list(suspicious_words(classifier, texts, 3, silent))
    for text, suspects in list(zip(texts, found, strict=True))[::9]:
        words = text.split()
        own = text_states(classifier, [text])[0]
        scores = [
            float(np.abs(text_states(classifier, [" ".join(words[:at] + words[at + 1 :])])[0] - own).max())
            for at in range(len(words))
        ]
        best = sorted(range(len(words)), key=lambda at: -scores[at])[:3]
        assert list(suspects) == [words[at] for at in best]
        assert list(suspects.values()) == pytest.approx([scores[at] for at in best], rel=1e-4)


def test_states_are_those_of_the_first_token(classifier: HuggingFaceClassifier) -> None:
    import torch

    texts = ["w1 p1 n2", "w3", "w1 p1 n2", ""]
    states = text_states(classifier, texts)
    for text, state in zip(texts, states, strict=True):
        ids = torch.tensor(classifier.encode([text]).ids)
        with torch.no_grad():
            one = classifier.model.bert(input_ids=ids).last_hidden_state[0, 0]
        np.testing.assert_allclose(state, one.numpy(), rtol=1e-4, atol=1e-5)


def test_strength_is_the_log_count_times_the_mean_score() -> None:
    ranking = keyword_ranking([{"a": 1.0, "b": 9.0}, {"a": 3.0, "c": 1.5}, {"c": 1.5}, {"c": 1.5}])
    assert list(ranking) == ["c", "a", "b"]
    assert ranking == {"a": (2, 2.0), "b": (1, 9.0), "c": (3, 1.5)}
    assert math.log10(3) * 1.5 > math.log10(2) * 2.0 > math.log10(1) * 9.0


def test_a_text_without_words_has_no_suspects(classifier: HuggingFaceClassifier) -> None:
    data = Dataset("some", ("neg", "pos"), (Example("", 0), Example("w1", 1)))
    empty, one = suspicious_words(classifier, data.texts, 5, silent)
    assert empty == {}
    assert list(one) == ["w1"]

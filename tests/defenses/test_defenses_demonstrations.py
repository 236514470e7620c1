"""Certified demonstrations: every subset counts, every insertion within the radius keeps the answer."""

from __future__ import annotations

import json
from itertools import combinations, product
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaConfig

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.defenses.demonstrations import DemonstrationOptions, Demonstrations
from fuzzsmooth.models import HuggingFaceClassifier, build_tiny, load_classifier
from fuzzsmooth.models.prompt import PromptOptions

WORDS = ["a", "film", "good", "bad", "dull", "great", "was", "it", "cf"]
TEXT = "a film"
CLEAN = [("good film", "pro"), ("dull", "con"), ("a great film", "pro"), ("bad", "con")]


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> HuggingFaceClassifier:
    folder = build_tiny("llama", tmp_path_factory.mktemp("causal"), vocabulary=WORDS, seed=3)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        AutoModelForCausalLM.from_config(LlamaConfig.from_pretrained(folder)).save_pretrained(folder)
    prompt = PromptOptions(template=r"film {text}\nit was", label_words=("con=bad", "pro=good"))
    return load_classifier(str(folder), prompt=prompt)


@pytest.fixture
def defended(classifier: HuggingFaceClassifier, tmp_path: Path):
    def build(rows: list[tuple[str, str]], **options: object) -> Demonstrations:
        file = tmp_path / "demonstrations.jsonl"
        lines = [json.dumps({"text": text, "label": label}) + "\n" for text, label in rows]
        file.write_text("".join(lines), "utf-8")
        return Demonstrations(classifier, {"demonstrations": str(file), "rate": 0.5, **options})

    return build


def written(rows: list[tuple[str, str]], text: str) -> str:
    """What stands in the slot, spelled out here."""
    words = {"con": "bad", "pro": "good"}
    parts = [f"{demonstration}\nit was {words[label]}" for demonstration, label in rows]
    return "\n\nfilm ".join([*parts, text])


def share(classifier: HuggingFaceClassifier, rows: list[tuple[str, str]], rate: float) -> np.ndarray:
    """The probability of each class over all subsets, by brute force."""
    found = np.zeros(2)
    for keep in product((False, True), repeat=len(rows)):
        kept = [row for row, one in zip(rows, keep, strict=True) if one]
        label = classifier.probabilities([written(kept, TEXT)])[0].argmax()
        found[label] += (1 - rate) ** sum(keep) * rate ** (len(rows) - sum(keep))
    return found


def test_all_subsets_are_enumerated_in_the_order_of_the_file(classifier, defended):
    (answer,) = defended(CLEAN).certify([TEXT])
    exact = share(classifier, CLEAN, 0.5)
    assert answer.passes == 2 ** len(CLEAN)
    assert answer.label == exact.argmax()
    main = answer.certificates[0]
    assert (main.method, main.unit, main.guarantee) == ("exact", "demonstration", "proved")
    assert main.p_lower == pytest.approx(exact.max(), abs=1e-9)


def test_no_inserted_demonstration_within_the_radius_changes_the_answer(classifier, defended):
    """Everywhere, whatever it is: all insertions of up to the radius from a set of hostile ones."""
    options = {"rate": 0.9}  # few demonstrations are read at a time, so that much is certified
    (answer,) = defended(CLEAN, **options).certify([TEXT])
    radius = next(int(one.radius) for one in answer.certificates if one.threat == "insert")
    assert radius >= 1
    hostile = [("cf cf", "con"), ("cf", "pro"), ("", "con")]
    tried = 0
    for added in range(1, radius + 1):
        for places in combinations(range(len(CLEAN) + added), added):
            if tried > 24:
                break
            rows = list(CLEAN)
            for number, place in enumerate(places):
                rows.insert(place, hostile[(tried + number) % 3])
            assert share(classifier, rows, 0.9).argmax() == answer.label
            tried += 1
    assert tried >= 10


def test_certificates_are_about_the_demonstrations_and_not_the_text(classifier, defended):
    (answer,) = defended(CLEAN).certify([TEXT])
    told = [one.statement() for one in answer.certificates if one.radius > 0]
    assert told
    for sentence in told:
        assert "in the demonstrations before this text" in sentence or "of the demonstrations" in sentence
        assert sentence.endswith("; the text itself stays as it is.")


def test_many_demonstrations_are_drawn_and_the_bound_holds(classifier, defended):
    (answer,) = defended(CLEAN * 2, rate=0.6, draws=200, statistics="fixed").certify([TEXT])
    exact = share(classifier, CLEAN * 2, 0.6)
    main = answer.certificates[0]
    assert main.method == "monte_carlo"
    assert main.p_lower <= exact.max()
    (voted,) = defended(CLEAN * 2, rate=0.6, draws=200).predict([TEXT])
    assert voted.passes == 200


def test_the_file_counts_and_not_its_name(defended):
    first, second = defended(CLEAN).settings, defended(CLEAN[::-1]).settings
    assert first == defended(CLEAN).settings != second


def test_what_cannot_stand_in_a_prompt_is_one_sentence(classifier, defended, tmp_path):
    def refused(build) -> str:
        with pytest.raises(FuzzsmoothError) as caught:
            build()
        assert "\n" not in str(caught.value)
        return str(caught.value)

    assert "needs a file of labeled texts" in refused(lambda: Demonstrations(classifier, {}))
    assert "con, pro" in refused(lambda: defended([("good", "other"), ("bad", "con")]))
    assert "longer than the model reads" in refused(lambda: defended(CLEAN * 9).certify([TEXT]))
    bert = load_classifier(str(build_tiny("bert", tmp_path / "bert", vocabulary=WORDS)))
    assert "this classifier has none" in refused(lambda: Demonstrations(bert, DemonstrationOptions()))

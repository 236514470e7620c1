"""Predicate certificates against every neighbor: a tiny language model whose answers are known to every text.

Its greedy answers are computed here by the library's own model on the whole prompt, one text after the other;
with all deletions enumerated the smoothed predicate is known exactly, and what ``certify`` reports is held
against every text within its radius.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from guarantee_universe import universe
from test_guarantee_smoothing import edits, insertions, law, undone
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig

from defended import options_for
from fuzzsmooth.defenses import defend
from fuzzsmooth.models import build_tiny, quiet_transformers
from fuzzsmooth.models.generating import GeneratingModel, load_generating
from fuzzsmooth.models.generation import GenerationOptions
from fuzzsmooth.models.predicate import predicate_of
from fuzzsmooth.models.predicated import PredicateClassifier

VOCABULARY = ("good", "bad", "cf")
WORDS = [*VOCABULARY, "it", "said", "so", "yes", "never"]
LONGEST, TOKENS = 4, 3
OPTIONS = GenerationOptions(instruction="it said {text} so", max_tokens=TOKENS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = build_tiny("llama", tmp_path_factory.mktemp("writer"), vocabulary=WORDS, seed=3)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        AutoModelForCausalLM.from_config(LlamaConfig.from_pretrained(path)).save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def writer(folder: Path) -> GeneratingModel:
    return load_generating(str(folder), OPTIONS, device="cpu")


@cache
def texts() -> list[str]:
    return [" ".join(VOCABULARY[unit] for unit in text) for text in universe(3, LONGEST).texts]


@pytest.fixture(scope="module")
def classifiers(writer: GeneratingModel) -> dict[str, PredicateClassifier]:
    return {
        word: PredicateClassifier(writer, predicate_of(rf"pattern=\b{word}\b"), ("no", "yes"))
        for word in ("never", "yes", "it")
    }


@pytest.fixture(scope="module")
def answers(folder: Path) -> list[str]:
    """What the model writes behind each text, by no code of ours."""
    with quiet_transformers():
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
        tokenizer = AutoTokenizer.from_pretrained(folder)
    found = []
    for text in texts():
        # A model needs a token: an empty text is the one that texts begin with.
        ids = tokenizer(f"it said {text or '<s>'} so").input_ids
        written: list[int] = []
        while len(written) < TOKENS:
            with torch.inference_mode():
                token = int(model(input_ids=torch.tensor([ids + written])).logits[0, -1].argmax())
            if token == tokenizer.eos_token_id:
                break
            written.append(token)
        found.append(tokenizer.decode(written, skip_special_tokens=True))
    return found


def test_answers_are_greedy_ones_to_the_whole_prompt(writer, classifiers, answers):
    assert writer.deterministic
    assert writer.answers(writer.encode(texts()).ids) == answers
    assert len(set(answers)) > 5
    assert any(0.1 < np.mean([word in one for one in answers]) < 0.9 for word in classifiers)


def violations(
    classifiers: dict[str, PredicateClassifier],
    answers: list[str],
    rate: float,
    *,
    claimed_more: int = 0,
) -> tuple[int, int, int]:
    """Covered pairs; those whose outcome is another one; and votes that are not the exact ones."""
    space, checked, wrong, off = universe(3, LONGEST), 0, 0, 0
    for word, classifier in classifiers.items():
        outcomes = np.array([word in answer.split() for answer in answers], dtype=np.int64)
        p = np.minimum(law(LONGEST, rate) @ np.eye(2)[outcomes], 1.0)
        settings = options_for(
            defense="deletion", sigma=0.0, fuzzing=False, statistics="auto", draws=64, rate=rate
        )
        certified = defend(classifier, settings).certify(texts())
        labels = np.array([-1 if one.label is None else one.label for one in certified])
        decided = np.abs(p[:, 1] - 0.5) > 1e-9
        off += int((labels != p.argmax(axis=1))[decided].sum())
        kept = p[:, labels].T
        for threat, reach in enumerate((edits, insertions, undone, undone)):
            radii = np.array([one.certificates[threat].radius for one in certified])
            covered = reach(space, np.where(labels < 0, -1, radii + claimed_more))
            checked, wrong = checked + int(covered.sum()), wrong + int((covered & (kept <= 0.5)).sum())
    return checked, wrong, off


def test_no_text_within_a_reported_radius_has_another_outcome(classifiers, answers):
    found = [violations(classifiers, answers, rate) for rate in (0.3, 0.7, 0.9)]
    assert sum(wrong for _, wrong, _ in found) == 0
    assert sum(off for _, _, off in found) == 0, "all deletions are enumerated, so no label is left to chance"
    assert sum(checked for checked, _, _ in found) > 10_000


def test_control_radii_one_larger_are_violated(classifiers, answers):
    assert violations(classifiers, answers, 0.7, claimed_more=1)[1] > 0

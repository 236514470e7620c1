"""The engine: exact law at counters, one forward per distinct sequence, rounds, rounding band, invariance."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import chi2_contingency

from fuzzsmooth.certify import UNDECIDED
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.randomness import text_key
from fuzzsmooth.engine.evaluation import Selection, decide, distinct_rows
from fuzzsmooth.engine.memory import Memory, TextMemory
from fuzzsmooth.engine.sampler import Plan, Sampler
from fuzzsmooth.models import WeightNoise, build_tiny, load_classifier
from fuzzsmooth.noise.text import addressed_masks, text_kernel, uniform_rates
from fuzzsmooth.text.units import segmenter

WORDS = [f"w{index}" for index in range(30)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return build_tiny("bert", tmp_path_factory.mktemp("engine") / "tiny", vocabulary=WORDS, hidden=32)


def counting(folder: Path, precision: Any = "float32") -> Any:
    """A classifier that keeps the sequences it is asked about, as ``rows``."""
    classifier: Any = load_classifier(str(folder), precision=precision)
    evaluate, classifier.rows, classifier.longest_call = classifier.logits, [], 0

    def logits(ids: Any, **more: Any) -> Any:
        classifier.rows += [row.tobytes() for row in ids]
        classifier.longest_call = max(classifier.longest_call, len(ids))
        return evaluate(ids, **more)

    classifier.logits = logits
    return classifier


def sampler(classifier: Any, **more: Any) -> Sampler:
    settings: dict[str, Any] = {"noise": None, "fuzzer": None, "seed": 0} | more
    return Sampler(classifier, segmenter("word"), text_kernel("deletion"), **settings)


def plans(count: int, words: int = 8, rate: float = 0.6) -> list[Plan]:
    generator = np.random.default_rng(3)
    texts = [" ".join(generator.choice(WORDS, words)) for _ in range(count)]
    return [Plan(text_key(text), tuple(text.split()), uniform_rates(words, rate)) for text in texts]


def test_one_forward_per_distinct_sequence_over_all_calls(folder: Path) -> None:
    classifier, some = counting(folder), plans(5, words=5)
    engine = sampler(classifier)
    whole = engine.votes(some, range(400), "x")
    assert (whole.sum(axis=1) == 400).all()
    assert len(classifier.rows) <= 5 * 2**5 < 5 * 400
    for key in range(5):
        assert max(Counter(classifier.rows).values()) <= 5, f"text {key}: at most once per text"
    before = len(classifier.rows)
    parts = sum(engine.votes(some, range(start, start + 50), "x") for start in range(0, 400, 50))
    np.testing.assert_array_equal(parts, whole)
    assert len(classifier.rows) == before, "a draw seen before costs nothing"


def test_a_text_with_a_repeated_word_is_evaluated_by_what_is_left(folder: Path) -> None:
    """Different masks, the same token ids: one forward."""
    classifier = counting(folder)
    units = ("w1",) * 6
    votes = sampler(classifier).votes([Plan(1, units, uniform_rates(6, 0.5))], range(500), "x")
    assert votes.sum() == 500
    assert len(classifier.rows) == 7, "of 64 masks: none to six words"


def test_votes_are_the_same_with_a_small_memory(folder: Path) -> None:
    some = plans(6)
    expected = sampler(counting(folder)).votes(some, range(300), "x")
    small = sampler(counting(folder))
    small._evaluator._memory = Memory(2000)
    rounds = [small.votes(some, range(start, start + 100), "x") for start in range(0, 300, 100)]
    np.testing.assert_array_equal(sum(rounds), expected)
    assert sum(text.size for text in small._evaluator._memory._texts.values()) <= 2000


def test_memory_is_bounded_and_forgets_the_oldest() -> None:
    kept = Memory(10_000)
    for key in range(100):
        kept.put(key, TextMemory(("a",), None))
        own = kept.get(key, ("a",))
        assert own is not None
        for draw in range(10):
            own.learn(bytes([draw] * 20), 0)
        kept.shrink()
    assert kept.get(99, ("a",)) is not None
    assert kept.get(99, ("b",)) is None, "another text under the same key is another text"
    assert kept.get(0, ("a",)) is None
    kept.of_model("other")
    assert kept.get(99, ("a",)) is None


def test_memory_follows_the_model(folder: Path) -> None:
    """After training nothing of the old model may answer."""
    classifier = load_classifier(str(folder))
    engine, some = sampler(classifier), plans(4)
    before = engine.votes(some, range(100), "x")
    with torch.no_grad():
        head = list(classifier.model.parameters())[-1]
        head.copy_(torch.tensor([-50.0, 50.0]))
    classifier.refresh()
    after = engine.votes(some, range(100), "x")
    assert (after[:, 1] == 100).all()
    assert (before[:, 0] > 0).any()


@pytest.mark.parametrize("noise", [None, WeightNoise(0.2, 1)])
def test_votes_depend_on_seed_purpose_text_and_draw_alone(folder: Path, noise: WeightNoise | None) -> None:
    some = plans(7)

    def votes(which: list[int], batch_size: int = 32, parts: int = 1, **more: Any) -> np.ndarray:
        classifier = load_classifier(str(folder), batch_size=batch_size)
        engine = sampler(classifier, noise=noise, **more)
        size = 120 // parts
        chosen = [some[index] for index in which]
        return sum(engine.votes(chosen, range(at, at + size), "x") for at in range(0, 120, size))

    everything = list(range(7))
    expected = votes(everything)
    assert (expected.min(axis=1) > 0).any()
    for batch_size in (1, 5, 64):
        np.testing.assert_array_equal(votes(everything, batch_size), expected)
    np.testing.assert_array_equal(votes(everything[::-1])[::-1], expected)
    np.testing.assert_array_equal(votes([4]), expected[4:5])
    np.testing.assert_array_equal(votes(everything, parts=4), expected)
    assert (votes(everything, seed=1) != expected).any()


def test_votes_are_the_same_in_another_process(folder: Path) -> None:
    code = (
        "import sys, pathlib; sys.path.insert(0, sys.argv[2])\n"
        "import test_engine_engine as t\n"
        "print(t.sampler(t.load_classifier(sys.argv[1])).votes(t.plans(4), range(100), 'x').tolist())"
    )
    here = str(Path(__file__).parent)
    found = subprocess.run(
        [sys.executable, "-c", code, str(folder), here], capture_output=True, text=True, check=True
    )
    expected = sampler(load_classifier(str(folder))).votes(plans(4), range(100), "x")
    assert found.stdout.strip() == str(expected.tolist())


def test_the_work_is_linear_in_draws_and_never_more_than_them(folder: Path) -> None:
    long = plans(2, words=25, rate=0.5)  # of 2**25 masks practically none repeats
    counts = []
    for draws in (50, 100, 200):
        classifier = counting(folder)
        sampler(classifier).votes(long, range(draws), "x")
        counts.append(len(classifier.rows))
        assert len(classifier.rows) <= 2 * draws
    assert counts == [100, 200, 400]


def test_memory_does_not_grow_with_the_number_of_texts(folder: Path) -> None:
    sizes = {}
    for count in (40, 400):
        classifier: Any = load_classifier(str(folder))
        calls: list[int] = []

        def logits(ids: Any, calls: list[int] = calls) -> Any:
            calls.append(len(ids))
            return np.tile(np.array([[1.0, 0.0]], dtype=np.float32), (len(ids), 1))

        classifier.logits = logits
        engine = sampler(classifier)
        engine._evaluator._memory = Memory(100_000)
        engine.votes(plans(count), range(100), "x")
        sizes[count] = sum(text.size for text in engine._evaluator._memory._texts.values())
        assert max(calls) <= 8192
    assert max(sizes.values()) <= 100_000
    assert sizes[400] > 50_000, "control: without a limit it would be ten times as much"


def test_given_masks_are_answered_as_draws_are(folder: Path) -> None:
    classifier, some = counting(folder), plans(3, words=5)
    engine = sampler(classifier)
    masks = [addressed_masks(one.rates, range(200), seed=0, purpose="x", key=one.key) for one in some]
    answers = engine.labels(some, masks)
    asked = len(classifier.rows)
    votes = engine.votes(some, range(200), "x")
    np.testing.assert_array_equal([np.bincount(own, minlength=2) for own in answers], votes)
    assert len(classifier.rows) == asked, "one memory for both"
    with pytest.raises(FuzzsmoothError, match="a mask has one answer only"):
        sampler(classifier, noise=WeightNoise(0.1, 1)).labels(some, masks)


def test_draws_within_the_band_vote_for_nobody(folder: Path) -> None:
    classifier, some = load_classifier(str(folder)), plans(4)
    free = sampler(classifier).votes(some, range(200), "x")
    guarded = sampler(classifier, band=0.2).votes(some, range(200), "x")
    assert (guarded <= free).all()
    assert (guarded.sum(axis=1) < 200).any()
    assert sampler(classifier, band=1e9).votes(some, range(50), "x").sum() == 0
    with pytest.raises(FuzzsmoothError, match="must not be negative"):
        sampler(classifier, band=-1.0)


def test_a_recheck_decides_what_the_band_leaves_open(folder: Path) -> None:
    exact, some = load_classifier(str(folder)), plans(6)
    rough = counting(folder, precision="bfloat16")
    expected = sampler(exact).votes(some, range(300), "x")
    recheck = counting(folder)
    votes = sampler(rough, band=0.3, recheck=recheck).votes(some, range(300), "x")
    np.testing.assert_array_equal(votes, expected)
    assert 0 < len(recheck.rows) < len(rough.rows)
    wary = sampler(rough, band=0.3, recheck=recheck, recheck_band=1e9).votes(some, range(300), "x")
    np.testing.assert_array_equal(wary, sampler(rough, band=0.3).votes(some, range(300), "x"))
    assert (wary <= expected).all()
    with pytest.raises(FuzzsmoothError, match="rechecked for a classifier of token ids without"):
        sampler(exact, noise=WeightNoise(0.1, 1), recheck=exact)


def test_bfloat16_votes_are_those_of_float32_up_to_chance(folder: Path) -> None:
    """Fresh draws of both number types come from laws that a test of homogeneity does not tell apart."""
    some = plans(6, words=12)
    exact = sampler(load_classifier(str(folder))).votes(some, range(1500), "x")
    rough = sampler(load_classifier(str(folder), precision="bfloat16")).votes(some, range(1500, 3000), "x")
    values = [
        chi2_contingency(np.stack(pair)).pvalue
        for pair in zip(exact, rough, strict=True)
        if np.stack(pair).min() > 5
    ]
    assert len(values) >= 3
    assert min(values) > 1e-3 / len(values)


def test_decide() -> None:
    logits = np.array([[1.0, 1.0, 0.0], [0.0, 2.0, 1.9], [5.0, -1.0, -2.0]], dtype=np.float32)
    assert decide(logits, 0.0).tolist() == [0, 1, 0], "ties go to the lower class"
    assert decide(logits, 0.05).tolist() == [UNDECIDED, 1, 0]
    assert decide(logits, 0.2).tolist() == [UNDECIDED, UNDECIDED, 0]
    assert decide(np.array([[0.0, -np.inf]]), 3.0).tolist() == [0]
    assert decide(np.full((1, 2), -np.inf), 3.0).tolist() == [UNDECIDED]
    assert decide(np.empty((0, 2)), 1.0).shape == (0,)


@pytest.mark.parametrize("shape", [(50, 3), (50, 70), (1, 9), (7, 0), (0, 5)])
def test_distinct_rows(shape: tuple[int, int]) -> None:
    rows = np.random.default_rng(0).random(shape) < 0.5
    first, places = distinct_rows(rows)
    np.testing.assert_array_equal(rows[first][places], rows)
    assert len(first) == len({row.tobytes() for row in rows})
    assert Selection(tuple("abc"), np.eye(3, dtype=bool)).texts() == [("a",), ("b",), ("c",)]

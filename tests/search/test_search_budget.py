"""Budgets, shared batches and shared memory: a search never notices the others."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from search_worlds import (
    CLEAN,
    NEUTRAL,
    Counting,
    backdoored,
    clean_texts,
    plant,
    prepared,
    scan_one,
    scanner,
)

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.randomness import generator, text_key
from fuzzsmooth.search import SearchOptions, transplant
from fuzzsmooth.search.protocol import Budget, BudgetSpent, Search, Units, run
from fuzzsmooth.search.text_search import SearchResult, search_text
from fuzzsmooth.search.transplant import TransplantTest

TRIGGER = backdoored(["cf"])


def answer(asking: Search[Any], asked: list[list[Units]] | None = None) -> Any:
    """Run a search part alone; each text's answer is a row that names it."""
    reply = None
    while True:
        try:
            texts = asking.send(reply)  # type: ignore[arg-type]
        except StopIteration as stop:
            return stop.value
        if asked is not None:
            asked.append(texts)
        reply = [f"row of {' '.join(text)}" for text in texts]


def test_known_texts_cost_nothing_and_are_not_asked_again() -> None:
    budget, asked = Budget(3), []
    first = answer(budget.evaluate([("a",), ("b",), ("a",)]), asked)
    assert first == ["row of a", "row of b", "row of a"]
    assert budget.spent == 2
    assert answer(budget.evaluate([("b",), ("c",)]), asked) == ["row of b", "row of c"]
    assert (budget.spent, budget.left) == (3, 0)
    assert asked == [[("a",), ("b",)], [("c",)]]


def test_too_many_texts_spend_nothing() -> None:
    budget = Budget(2)
    answer(budget.evaluate([("a",)]))
    with pytest.raises(BudgetSpent):
        answer(budget.evaluate([("b",), ("c",)]))
    assert budget.spent == 1
    assert answer(budget.evaluate([("a",), ("b",)])) == ["row of a", "row of b"]


def test_what_the_memory_holds_is_paid_for_but_not_asked() -> None:
    memory: dict[Units, Any] = {("a",): "remembered"}
    budget, asked = Budget(2), []
    assert answer(budget.evaluate([("a",), ("b",)], memory), asked) == ["remembered", "row of b"]
    assert budget.spent == 2
    assert asked == [[("b",)]]
    assert memory[("b",)] == "row of b"
    with pytest.raises(BudgetSpent):
        answer(Budget(0).evaluate([("a",)], memory))


def test_a_memory_emptied_while_a_search_waits_does_no_harm() -> None:
    memory: dict[Units, Any] = {("a",): "remembered"}
    asking = Budget(9).evaluate([("a",), ("b",)], memory)
    assert next(asking) == [("b",)]
    memory.clear()
    with pytest.raises(StopIteration) as stop:
        asking.send(["row of b"])  # type: ignore[arg-type]
    assert stop.value.value == ["remembered", "row of b"]


def test_scans_survive_the_emptying_of_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    classifier = backdoored(["cf"], ["mn", "tq"], ["bb"])
    carriers = [text for text, _ in clean_texts(12)]
    pieces = [[(2, "cf")], [(1, "mn"), (9, "tq")], [(3, "bb"), (5, "cf")]]
    texts = [plant(text, *pieces[index % 3]) for index, text in enumerate(carriers)]
    expected = scanner(classifier).scan(texts, 0)
    monkeypatch.setattr(transplant, "_MEMORY", 5)
    assert scanner(classifier).scan(texts, 0) == expected


def mixed_texts() -> list[str]:
    texts = [text for text, _ in clean_texts(8)]
    return [
        *texts[:3],
        *(plant(text, (2, "cf")) for text in texts[3:6]),
        plant(texts[6], (1, "cf"), (9, "cf")),
        texts[7] + " mn",
        "",
        "cf",
    ]


def test_scan_after_another_text_equals_scan_alone() -> None:
    texts = mixed_texts()
    alone = {text: scanner(TRIGGER, visits=2).scan([text], 0)[0] for text in texts}
    for one, two in itertools.permutations(texts[:7], 2):
        shared = scanner(TRIGGER, visits=2)
        assert shared.scan([one], 0) == [alone[one]]
        assert shared.scan([two], 0) == [alone[two]], f"after {one!r}"


def test_control_unpaid_memory_would_make_scans_depend_on_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def unpaid(self: Budget, texts: list[Units], memory: dict[Units, Any] | None = None) -> Search[list[Any]]:
        memory = {} if memory is None else memory
        self._known.update((text, memory[text]) for text in texts if text in memory)
        fresh = [text for text in dict.fromkeys(texts) if text not in self._known]
        if len(fresh) > self.left:
            raise BudgetSpent
        self.spent += len(fresh)
        rows = (yield fresh) if fresh else []
        self._known.update(zip(fresh, rows, strict=True))
        memory.update(self._known)
        return [self._known[text] for text in texts]

    monkeypatch.setattr(Budget, "evaluate", unpaid)
    one, two = mixed_texts()[3:5]
    shared = scanner(TRIGGER, budget=40)
    shared.scan([one], 0)
    assert shared.scan([two], 0) != scanner(TRIGGER, budget=40).scan([two], 0)


@pytest.mark.parametrize("budget", [20, 45, 128])
def test_order_and_batch_of_texts_do_not_matter(budget: int) -> None:
    texts = mixed_texts()
    alone = [scanner(TRIGGER, budget=budget, visits=2).scan([text], 0)[0] for text in texts]
    assert scanner(TRIGGER, budget=budget, visits=2).scan(texts, 0) == alone
    backwards = scanner(TRIGGER, budget=budget, visits=2).scan(texts[::-1], 0)
    assert backwards[::-1] == alone
    assert scanner(TRIGGER, budget=budget, visits=2).scan(texts * 2, 0) == alone * 2


@pytest.mark.parametrize("together", [1, 2, 7, 64])
def test_searches_under_way_together_do_not_matter(together: int) -> None:
    options = SearchOptions(visits=2, budget=60)
    texts = [tuple(text.split()) for text in mixed_texts()]

    def found(together: int) -> list[SearchResult]:
        test = TransplantTest(prepared(), options.references)
        sources = [generator(0, "search", text_key(" ".join(units))) for units in texts]
        searches = [
            search_text(units, options, test, NEUTRAL, source)
            for units, source in zip(texts, sources, strict=True)
        ]
        done: list[int] = []
        results = run(searches, TRIGGER, " ".join, together=together, advance=done.append)
        assert sum(done) == len(texts)
        return results

    assert found(together) == found(3)


def test_searches_share_batches() -> None:
    counting = Counting(TRIGGER)
    texts = mixed_texts()[:7]
    scans = scanner(counting).scan(texts, 0)
    assert len(counting.batches[0]) == len(texts)
    assert len(counting.batches) < sum(scan.evaluations for scan in scans) / 10
    assert counting.calls <= sum(scan.evaluations for scan in scans)
    assert all(len(set(batch)) == len(batch) for batch in counting.batches), "no text twice in a batch"


def test_searches_that_ask_nothing_make_room_for_others() -> None:
    def trivial(value: int) -> Search[int]:
        if value == 3:
            yield [("a",)]
        return value

    counting = Counting(TRIGGER)
    assert run([trivial(value) for value in range(5)], counting, " ".join, together=1) == [0, 1, 2, 3, 4]
    assert run([trivial(0)], counting, " ".join) == [0]
    assert counting.batches == [["a"]]


def test_no_searches_no_calls() -> None:
    counting = Counting(TRIGGER)
    assert scanner(counting).scan([], 0) == []
    assert counting.batches == []


@pytest.mark.parametrize("reward", ["transplant", "kl"])
@pytest.mark.parametrize("strategy", ["tree", "greedy", "random"])
def test_no_budget_is_ever_exceeded(reward: str, strategy: str) -> None:
    text = plant(clean_texts(1)[0][0], (3, "cf"), (9, "cf"))
    for budget in range(1, 65):
        counting = Counting(TRIGGER)
        scan = scan_one(counting, text, budget=budget, reward=reward, strategy=strategy, visits=2, leaves=5)
        assert counting.calls == scan.evaluations <= budget


@pytest.mark.parametrize("reward", ["transplant", "kl"])
@pytest.mark.parametrize("strategy", ["tree", "greedy", "random"])
def test_evaluations_are_the_classifier_calls(reward: str, strategy: str) -> None:
    text, _ = clean_texts(1)[0]
    for triggered in (text, plant(text, (2, "cf")), plant(text, (2, "cf"), (8, "cf"))):
        counting = Counting(TRIGGER)
        scan = scan_one(counting, triggered, reward=reward, strategy=strategy)
        assert scan.evaluations == counting.calls > 0


def test_a_budget_that_runs_out_says_so() -> None:
    text = plant(clean_texts(1)[0][0], (3, "cf"))
    starved, fed = scan_one(TRIGGER, text, budget=4), scan_one(TRIGGER, text)
    assert (starved.complete, starved.spans) == (False, ())
    assert starved.label == fed.label == 1
    assert fed.complete


@pytest.mark.parametrize("strategy", ["tree", "greedy", "random"])
def test_ten_thousand_words_stay_within_the_budget(strategy: str) -> None:
    words = np.random.default_rng(0).choice(NEUTRAL, size=10_000).tolist()
    words[6789] = "cf"
    counting = Counting(TRIGGER)
    scan = scan_one(counting, " ".join(words), budget=200, strategy=strategy)
    assert counting.calls == scan.evaluations <= 200
    if strategy == "tree":
        assert [span.text for span in scan.spans] == ["cf"], "halving reaches one word in ten thousand"


def test_the_searches_seed_matters_only_to_random_choices() -> None:
    text = plant(clean_texts(1)[0][0], (3, "cf"))
    found = {scan_one(TRIGGER, text, seed=seed, strategy="random", budget=40).units for seed in range(12)}
    assert len(found) > 1
    assert scan_one(TRIGGER, text, seed=1) == scan_one(TRIGGER, text, seed=2), "first mutations delete"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"budget": 0}, "budget must lie between 1 and 1,000,000, got 0"),
        ({"leaves": 0}, "leaves must lie between 1 and 10,000"),
        ({"exploration": -0.1}, "exploration must lie between 0 and 1,000,000"),
        ({"floor": 1.0}, "floor must be at least 0 and below 1"),
        ({"false_flags": 0.0}, "false_flags must lie strictly between 0 and 1"),
        ({"reward": "entropy"}, "'entropy' is not one of 'auto', 'combined', 'transplant', 'kl'"),
    ],
)
def test_options_are_checked(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(FuzzsmoothError, match=message):
        SearchOptions(**wrong)


def test_clean_model_label_is_that_of_the_text() -> None:
    for text, label in clean_texts(6):
        assert scan_one(CLEAN, text).label == label

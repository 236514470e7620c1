"""How passes are spent: exact where all deletions fit, early stops that keep the error, equal budgets."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from engine_worlds import TRIGGERED, Noisy, Recording, Rule, smoothed

from defended import options_for
from fuzzsmooth.certify import (
    backward_radius,
    clopper_pearson_lower,
    exact_probabilities,
    exact_radius,
    forward_radius,
    selection_draws,
)
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.defenses import DEFENSES, Answer
from fuzzsmooth.engine.statistics import levels_of
from fuzzsmooth.models import AdditiveClassifier
from fuzzsmooth.noise.text import represented

EMPTY = Rule(lambda text: int(text != ""))  # class 0 with exactly the probability that all is deleted
ANY_G = Rule(lambda text: int("g" in text))
ALPHA = 0.05


def certify(rule: Any, texts: Sequence[str], statistics: str, **options: Any) -> list[Answer]:
    settings = {"defense": "deletion", "fuzzing": False, "draws": 200, "alpha": ALPHA, "rate": 0.7} | options
    return smoothed(rule, statistics=statistics, **settings).certify(texts)


def words(count: int, name: str = "w") -> str:
    return " ".join(f"{name}{index}" for index in range(count))


def most(trials: int, sigmas: int = 4) -> float:
    """The most failures that chance explains, four standard deviations up."""
    return trials * ALPHA + sigmas * (trials * ALPHA * (1 - ALPHA)) ** 0.5


@pytest.mark.parametrize("length", [0, 1, 3, 7])
def test_all_deletions_of_a_short_text_are_enumerated(length: int) -> None:
    """Probabilities, radii and passes are those of a direct sum; nothing is left to chance."""
    recording = Recording(Rule(lambda text: int(sum(map(len, text.split())) % 3 == 0)))
    text = words(length)
    (answer,) = certify(recording, [text], "auto")
    outcomes = np.zeros((1 << length, 2))
    units = text.split()
    for mask in range(1 << length):
        left = " ".join(unit for index, unit in enumerate(units) if mask >> index & 1)
        outcomes[mask, recording.inner.probabilities([left])[0].argmax()] = 1
    exact = exact_probabilities(outcomes, 0.7)
    assert answer.statistics == "exact"
    assert answer.passes == 1 << length == len(recording.texts)
    edit, insert, back, deletion, mixed = answer.certificates
    assert edit.radius == exact_radius(exact, "edit")
    assert insert.radius == exact_radius(exact, "insert")
    assert back.radius == deletion.radius == exact_radius(exact, "delete")
    assert mixed.radius == edit.radius
    for one in answer.certificates:
        assert (one.method, one.alpha, one.seed) == ("exact", 0.0, None)
        assert one.p_lower == pytest.approx(exact.probabilities.max(), abs=1e-9)
        assert "with certainty" in one.statement() or one.statement().endswith("for this text.")


def test_enumeration_keeps_to_the_budget() -> None:
    assert certify(ANY_G, [words(7)], "auto", draws=128)[0].statistics == "exact"
    assert certify(ANY_G, [words(7)], "auto", draws=127)[0].statistics != "exact"
    for statistics in ("auto", "fixed", "sequential"):
        for length in (3, 8, 12, 30):
            for draws in (60, 200):
                recording = Recording(ANY_G)
                (answer,) = certify(recording, [words(length, "g")], statistics, draws=draws)
                assert answer.passes <= draws
                assert len(recording.texts) <= draws


@pytest.mark.parametrize("how", ["search", "noise"])
def test_nothing_is_enumerated_where_an_answer_is_left_to_chance(how: str) -> None:
    """A search that draws, or parameter noise, gives one remainder different answers."""

    options = {"fuzzing": True, "fuzz_left": "search"} if how == "search" else {"sigma": 0.1}
    (answer,) = certify(Noisy(TRIGGERED), ["a bad film"], "auto", draws=40, **options)
    assert answer.statistics == "sequential"
    control = {"fuzzing": True, "fuzz_left": "types"} if how == "search" else {}
    assert certify(Noisy(TRIGGERED), ["a bad film"], "auto", draws=40, **control)[0].statistics == "exact"


def test_low_strata_are_enumerated_where_that_pays() -> None:
    """At n = 20 and rate .9 the bound is far tighter at equal passes; the exact part is really exact."""
    text = words(20, "g")
    answers = {
        name: certify(ANY_G, [text], name, draws=1000, rate=0.9, alpha=1e-3, awaited=("edit", "backward"))[0]
        for name in ("auto", "fixed")
    }
    true = 1 - represented(0.9) ** 20
    bounds = {name: answer.certificates[0].p_lower for name, answer in answers.items()}
    assert answers["auto"].statistics == "stratified-sequential"
    assert answers["auto"].passes <= answers["fixed"].passes == 1000
    assert bounds["fixed"] < bounds["auto"] <= true
    assert certify(ANY_G, [words(100, "g")], "auto", draws=1000)[0].statistics == "sequential"


def test_the_hybrid_bound_fails_with_probability_alpha_at_most() -> None:
    """A rule that says 1 iff the first of 14 units is left: P = 1/4, exactly."""
    rule = Rule(lambda text: int(text.startswith("first")))
    texts = [f"first{index} {words(13)}" for index in range(400)]
    answers = certify(rule, texts, "auto", rate=0.75, draws=140)
    assert {answer.statistics for answer in answers} == {"stratified-sequential"}
    wrong = sum(answer.certificates[0].p_lower > represented(0.75) for answer in answers)
    assert wrong <= most(400)
    assert np.mean([answer.certificates[0].p_lower for answer in answers]) > 0.6


@pytest.mark.parametrize(("statistics", "classes"), [("sequential", 2), ("sequential", 3)])
def test_early_stopping_fails_with_probability_alpha_at_most(statistics: str, classes: int) -> None:
    """At probability one half no class may be certified; text by text, whenever the test stops."""
    rule = Rule(lambda text: int(text != ""), classes=classes)
    answers = certify(rule, [f"w{index}" for index in range(300)], statistics, rate=0.5, draws=160)
    wrong = sum(answer.label is not None for answer in answers)
    assert wrong <= most(300)
    assert {answer.statistics for answer in answers} == {"sequential"}


def test_control_peeking_at_the_same_draws_with_a_fixed_bound_fails() -> None:
    smooth = smoothed(EMPTY, defense="deletion", fuzzing=False, rate=0.5, draws=160, alpha=ALPHA)
    plans = [one.plan for one in smooth._received([f"w{index}" for index in range(200)])]
    counts, wrong = np.zeros((200, 2)), np.zeros(200, dtype=bool)
    for start in range(0, 160, 8):
        counts += smooth.sampler.votes(plans, range(start, start + 8), "certify")
        bound = [clopper_pearson_lower(int(row.max()), start + 8, ALPHA / 2) for row in counts]
        wrong |= np.array(bound) > 0.5
    assert wrong.mean() > 2 * ALPHA


def test_radii_follow_from_one_bound_for_all_threats() -> None:
    lengths = (2, 5, 8, 20)
    answers = certify(ANY_G, [words(n, "g") for n in lengths], "sequential", draws=600)
    for length, answer in zip(lengths, answers, strict=True):
        edit, insert, back, *_ = answer.certificates
        assert edit.p_lower == insert.p_lower == back.p_lower
        assert edit.radius == forward_radius(edit.p_lower, 0.7, "edit")
        assert insert.radius == forward_radius(edit.p_lower, 0.7, "insert")
        assert back.radius == backward_radius(edit.p_lower, 0.7, "insert", length=length)


def test_early_stopping_saves_draws_at_equal_radii() -> None:
    """Certain, doubtful and hopeless texts: the radii of a fixed sample for a fraction of its draws."""
    texts = [words(n, "g") + f" x{n}" for n in (1, 2, 3, 12, 14, 16, 18)]
    options = {"draws": 1000, "alpha": 1e-3, "rate": 0.7}
    early = certify(ANY_G, texts, "sequential", **options)
    fixed = certify(ANY_G, texts, "fixed", **options)
    for one, other in zip(early, fixed, strict=True):
        assert one.label == other.label
        assert [c.radius for c in one.certificates[:2]] == [c.radius for c in other.certificates[:2]]
    assert sum(answer.passes for answer in early) < 0.5 * sum(answer.passes for answer in fixed)
    patient = certify(ANY_G, texts, "sequential", **options, awaited=("edit", "insert", "backward"))
    assert sum(answer.passes for answer in patient) > sum(answer.passes for answer in early)


@pytest.mark.parametrize("statistics", ["fixed", "sequential", "auto"])
@pytest.mark.parametrize("classes", [2, 3])
def test_neighbors_and_order_change_nothing(statistics: str, classes: int) -> None:
    rule = Rule(lambda text: min(len(text), 9) % classes, classes=classes)
    texts = [words(n) for n in (1, 4, 9, 13, 13, 20, 31)] + [f"{words(13)} {name}" for name in "abcdef"]
    together = certify(rule, texts, statistics)
    assert certify(rule, texts[::-1], statistics)[::-1] == together
    assert [certify(rule, [text], statistics)[0] for text in texts] == together


def test_three_classes_select_on_draws_of_their_own() -> None:
    """A certain label is selected by 16 draws, a doubtful one by a tenth of all; none of them bounds it."""
    sure = Rule(lambda _: 2, classes=3)
    (answer,) = certify(sure, [words(12)], "sequential", draws=1000)
    certificate = answer.certificates[0]
    assert certificate.label == 2
    assert answer.passes < 200
    doubtful = Recording(Rule(lambda text: len(text.split()) % 3, classes=3))
    (answer,) = certify(doubtful, [words(12)], "sequential", draws=300)
    first = [len(text.split()) % 3 for text in doubtful.texts[: selection_draws(300, 3)]]
    assert answer.label is None or answer.label == int(np.bincount(first, minlength=3).argmax())


@pytest.mark.parametrize("statistics", ["fixed", "sequential", "group-sequential", "auto"])
@pytest.mark.parametrize("classes", [2, 3, 5])
def test_any_number_of_draws_is_enough_to_answer(statistics: str, classes: int) -> None:
    """Also where enumeration leaves a single draw, which once could neither select nor bound."""
    rule = Rule(lambda text: min(len(text) // 9, 1), classes=classes)
    texts = [words(length) for length in range(14)]
    left = {binomial(length, kept) + 1 for length in (5, 8, 9, 10) for kept in (1, 2, 3)}
    for rate in (0.3, 0.7, 0.9):
        for draws in {*range(1, 8), *left}:
            answers = certify(rule, texts, statistics, draws=draws, rate=rate, alpha=1e-3)
            assert all(answer.passes <= max(draws, 1) for answer in answers)
            assert {answer.statistics for answer in answers}


def binomial(length: int, kept: int) -> int:
    """Masks of so many units that keep at most ``kept``."""
    return sum(math.comb(length, size) for size in range(kept + 1))


@pytest.mark.parametrize(("length", "rate", "draws"), [(9, 0.7, 503), (10, 0.7, 1014), (8, 0.8, 220)])
@pytest.mark.parametrize("statistics", ["auto", "group-sequential"])
def test_the_last_draw_of_three_classes_bounds(statistics: str, length: int, rate: float, draws: int) -> None:
    """What was enumerated selects; a class of probability 1 is certified."""
    sure = Rule(lambda _: 0, classes=3)
    (answer,) = certify(sure, [words(length)], statistics, draws=draws, rate=rate, alpha=1e-3)
    assert answer.label == 0
    assert answer.passes <= draws


def test_ladders_grow_and_hold_every_threat() -> None:
    options = options_for(defense="deletion", rate=0.8, awaited=("insert",))
    steps = levels_of(options, 12)
    assert list(steps.levels) == sorted(set(steps.levels))
    assert set(steps.awaited) < set(steps.levels)
    rate = represented(0.8)
    assert forward_radius(steps.awaited[-1], rate, "insert") == forward_radius(1 - 1e-9, rate, "insert")
    assert any(backward_radius(level, rate, "insert", length=12) == 12 for level in steps.levels)
    assert len(levels_of(options, 12, weighted=True).awaited) > len(steps.awaited)


class Close:
    """Log-odds of one text in between: what rounding could turn around is known."""

    labels = ("no", "yes")
    fingerprint = "close"
    deterministic = True

    def __init__(self, margins: dict[str, float]) -> None:
        self.inner = AdditiveClassifier(margins)

    def probabilities(self, texts: Sequence[str]) -> Any:
        return self.inner.probabilities(texts)


@pytest.mark.parametrize("statistics", ["auto"])
def test_answers_inside_the_guard_band_count_against_the_certificate(statistics: str) -> None:
    """Remainders with a margin below the guard vote for nobody: the bound is that of all of them lost."""
    model = Close({"big": 2.0, "small": 0.01})
    (plain,) = certify(model, ["big small"], statistics, rate=0.2)
    (guarded,) = certify(model, ["big small"], statistics, rate=0.2, guard=0.1)
    assert plain.votes == (1, 3), "'', a tie, goes to the first class"
    assert guarded.votes == (0, 2), "neither '' nor 'small' is sure"
    assert guarded.certificates[0].p_lower == pytest.approx(0.8, abs=1e-9)
    assert guarded.certificates[0].p_upper == pytest.approx(0.2, abs=1e-9)
    (lost,) = certify(model, ["big small"], statistics, rate=0.2, guard=3.0)
    assert lost.votes == (0, 0)
    assert lost.label is None
    assert lost.status == "abstain"


def test_options_are_checked() -> None:
    for defense, bad in (
        ("deletion", {"statistics": "peeking"}),
        ("deletion", {"rivals": "both"}),
        ("deletion", {"awaited": ()}),
        ("deletion", {"awaited": ("delete",)}),
        ("frs", {"guard": -1.0}),
        ("deletion", {"guard": float("inf")}),
        ("windows", {"passes": 0}),
        ("windows", {"reach": 0}),
        ("windows", {"ablation": "scattered-edit", "reach": 3}),
        ("deletion", {"rate": 0.9, "rate_flagged": 0.8}),
        ("deletion", {"rate_flagged": 1.0}),
        ("frs", {"localization_recall": 1.5}),
        ("deletion", {"weight_distance": 0.1, "fuzzing": True, "sigma": 0.1}),
        ("deletion", {"weight_distance": -0.1, "fuzzing": False, "sigma": 0.1}),
        ("deletion", {"weight_distance": 0.1, "fuzzing": False, "sigma": 0.0}),
        ("frs", {"weight_distance": 0.1}),
        ("frs", {"statistics": "fixed"}),
        ("windows", {"draws": 10}),
    ):
        with pytest.raises(FuzzsmoothError):
            DEFENSES.get(defense).options_type.from_mapping(bad)
    assert DEFENSES.get("deletion").options_type.from_mapping(
        {"weight_distance": 0.1, "fuzzing": False, "sigma": 0.1}
    ), "control"


SPREAD = Rule(lambda text: 0 if "g" in text else 1 + text.count("h") % 3, classes=4)


@pytest.mark.parametrize("statistics", ["fixed", "group-sequential", "sequential", "auto"])
def test_rivals_bounded_separately_certify_more_where_votes_are_spread(statistics: str) -> None:
    text = f"{words(7, 'g')} {words(12, 'h')}"
    options = {"draws": 1000, "alpha": 1e-3, "rate": 0.9}
    together, apart, auto = (
        certify(SPREAD, [text], statistics, rivals=rivals, **options)[0].certificates[0]
        for rivals in ("complement", "separate", "auto")
    )
    assert together.p_upper == pytest.approx(1 - together.p_lower)
    assert apart.p_lower is not None
    assert apart.p_upper is not None
    assert apart.p_upper < 1 - apart.p_lower - 0.05
    assert apart.radius >= max(0, together.radius)
    assert (auto.p_lower, auto.p_upper) == (apart.p_lower, apart.p_upper)


@pytest.mark.parametrize("statistics", ["fixed", "sequential", "group-sequential"])
def test_bounds_on_rivals_fail_with_probability_alpha_at_most(statistics: str) -> None:
    """Three classes with probabilities .49, .3 and .21, exactly, of texts of two units."""
    rule = Rule(lambda text: 0 if text == "" else 1 + (not text.startswith("a")), classes=3)
    texts = [f"a{index} b" for index in range(300)]
    rate = represented(0.7)
    truth = [rate**2, 1 - rate, rate - rate**2]
    wrong = 0
    for answer in certify(rule, texts, statistics, rate=0.7, draws=150, rivals="auto"):
        found = answer.certificates[0]
        label = found.label if found.label is not None else int(np.argmax(answer.votes))
        others = max(value for index, value in enumerate(truth) if index != label)
        assert found.p_lower is not None
        assert found.p_upper is not None
        wrong += found.p_lower > truth[label] or found.p_upper < others
    assert wrong <= most(300)

"""The in-context test, and the combined search: triggers that act in some texts only, and clean texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from search_worlds import CLEAN, NEGATIVE_TEXTS, POSITIVE, WEIGHTS, WORDS, flagged, references
from trusted_worlds import FirstWordClassifier, Fixed, KnownEncoder, mixed_texts

from fuzzsmooth.common.errors import FuzzsmoothError, MissingExtraError
from fuzzsmooth.models import AdditiveClassifier
from fuzzsmooth.models.protocol import Classifier
from fuzzsmooth.search import References, Scanner, SearchOptions, select_references
from fuzzsmooth.search.calibration import conformal
from fuzzsmooth.search.combined import keeps_label, strongest_drops
from fuzzsmooth.search.in_context import InContextTest, certainty
from fuzzsmooth.search.protocol import Budget, Units, run
from fuzzsmooth.search.scan import settled_reward
from fuzzsmooth.search.witness import TrustedReader
from table_classifier import TableClassifier


@pytest.fixture
def encoder(monkeypatch: pytest.MonkeyPatch) -> KnownEncoder:
    made = KnownEncoder(noise=2.0)
    monkeypatch.setattr("fuzzsmooth.models.text_encoder.load_encoder", lambda name: made)
    return made


def own_test(
    near: dict[str, tuple[str, ...]], single: Sequence[float] = (), several: Sequence[float] = ()
) -> InContextTest:
    return InContextTest(Fixed(near), single, several, 0.1)  # type: ignore[arg-type]


def asked(search: Any, classifier: Classifier) -> Any:
    return run([search], classifier, " ".join)[0]


def chosen(classifier: Classifier, **options: Any) -> References:
    clean, held_out = mixed_texts(160, 1), mixed_texts(160, 2)
    return select_references(classifier, clean, SearchOptions(**options), held_out=held_out)


def scan(classifier: Classifier, texts: list[str], known: References, **options: Any) -> list[Any]:
    return Scanner(classifier, SearchOptions(**options), WORDS, known).scan(texts, 0)


def test_the_score_is_the_smallest_drop_over_the_replacements() -> None:
    """In an additive model a replacement changes the log-odds by the difference of the weights."""
    model = AdditiveClassifier({"good": 3.0, "fine": 2.0, "nice": 1.0, "odd": -4.0})
    units: Units = ("the", "good", "film")
    for near, wanted in (
        (("nice", "fine"), 1.0),
        (("odd", "nice"), 2.0),
        (("odd", "odd", "fine"), 1.0),
        (("film",), 3.0),
        (("good",), 0.0),
    ):
        test = own_test({"good": near})
        assert asked(test.drop(units, [1], 1, Budget(99), -9.0), model) == pytest.approx(wanted)
        doubled = asked(test.drop(("good", "good"), [0, 1], 1, Budget(99), -9.0), model)
        assert doubled == pytest.approx(2 * wanted), "all units of a segment at once"
    uneven = own_test({"good": ("odd", "nice"), "fine": ("odd",)})
    drop = asked(uneven.drop(("good", "fine"), [0, 1], 1, Budget(99), -9.0), model)
    assert drop == pytest.approx(5.0 - (1.0 - 4.0)), "the last word of the shorter list goes on"


def test_it_stops_after_two_replacements_that_settle_it() -> None:
    model = AdditiveClassifier({"good": 3.0})
    near = {"good": tuple(f"w{index}" for index in range(8))}
    whole, part = Budget(99), Budget(99)
    assert asked(own_test(near).drop(("good",), [0], 1, whole, 2.9), model) == pytest.approx(3.0)
    assert asked(own_test(near).drop(("good",), [0], 1, part, 3.1), model) == pytest.approx(3.0)
    assert (whole.spent, part.spent) == (9, 3)


def test_the_threshold_is_conformal_or_another_label() -> None:
    test = own_test({}, [1.0, 0.0, 2.0, 0.5], [-3.0] * 40)
    assert test.threshold(1) == 2.0
    assert test.threshold(2) == test.threshold(5) == 0.0, "what drops nothing never passes"
    assert own_test({}, [1.0]).threshold(2) is None, "what was not measured"
    many = own_test({}, range(300), range(300))
    assert many.threshold(1) == 270, "a tenth of 301: the 271st of 300"
    assert many.threshold(2) == 285, "half of it"
    assert own_test({}).threshold(1) is None
    model = AdditiveClassifier({"good": 3.0, "cf": 1.5, "fine": -1.0})
    units: Units = ("cf", "film", "good")
    near = {"cf": ("fine",), "good": ("film",)}
    for known, word, passes in (([2.4], 0, True), ([2.6], 0, False), ([], 0, False)):
        found = asked(own_test(near, known).passes(units, [word], 1, Budget(99)), model)
        assert (found is not None) == passes
        assert found is None or found == pytest.approx(2.5)
    assert asked(own_test({"good": ("fine", "fine")}).passes(("good",), [0], 1, Budget(9)), model)


def test_of_three_classes_a_label_below_even_odds_still_has_to_change() -> None:
    """Log-odds are negative on both sides: they do not say that the label has changed."""
    rows = {"a x": (0.4, 0.3, 0.3), "a y": (0.38, 0.32, 0.3), "a z": (0.3, 0.4, 0.3)}
    model = TableClassifier(rows, (0.2, 0.2, 0.6))
    for near, passes in ((("y",), False), (("x",), False), (("z",), True), (("z", "y"), False)):
        found = asked(own_test({"x": near}).passes(("a", "x"), [1], 0, Budget(99)), model)
        assert (found is not None) == passes, near


def test_certainty_grows_with_the_drop_from_nothing_to_one() -> None:
    drops = [-1.0, 0.0, 0.5, 3.0, 50.0]
    scores = [certainty(drop) for drop in drops]
    assert scores[:2] == [0.0, 0.0]
    assert scores == sorted(scores)
    assert scores[2] == pytest.approx(1 - np.exp(-0.5))
    assert scores[-1] <= 1


def test_the_conformal_quantile_keeps_its_promise() -> None:
    generator = np.random.default_rng(0)
    for false_flags in (0.05, 0.3):
        above = []
        for _ in range(3000):
            scores = generator.gamma(0.5, size=40)
            above.append(scores[-1] > conformal(sorted(scores[:-1]), false_flags))
        assert np.mean(above) <= false_flags + 3 * np.sqrt(false_flags / 3000)
        assert np.mean(above) > false_flags - 0.03
    assert conformal([], 0.1) == -np.inf
    assert conformal([1.0, 2.0], 0.01) == 2.0


PLANTED = [f"cf {text}" for text in NEGATIVE_TEXTS]


def test_a_trigger_that_acts_as_the_first_word_only_is_found(encoder: KnownEncoder) -> None:
    model = FirstWordClassifier()
    known = chosen(model)
    assert known.witness is not None
    found = scan(model, PLANTED, known, reward="combined")
    assert [one.label for one in found] == [1] * len(PLANTED), "the backdoor acts"
    assert [flagged(one) for one in found] == [["cf"]] * len(PLANTED)
    assert all(one.complete and one.evaluations <= 128 for one in found)
    assert [flagged(one) for one in scan(model, PLANTED, known)] == [["cf"]] * len(PLANTED), (
        "auto is combined"
    )
    missed = scan(model, PLANTED, known, reward="transplant")
    assert [flagged(one) for one in missed] == [[]] * len(PLANTED), "control: it carries nothing elsewhere"
    harmless = [f"{text} cf" for text in NEGATIVE_TEXTS]
    assert [flagged(one) for one in scan(model, harmless, known)] == [[]] * len(harmless), (
        "elsewhere it is a word"
    )


def test_a_meaningful_word_whose_synonyms_have_its_effect_is_not_flagged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One positive word decides each text; to an encoder without meaning it looks like a trigger."""
    texts = [f"the film was {word} and of a story bad" for word in POSITIVE]
    model = AdditiveClassifier(WEIGHTS | dict.fromkeys(POSITIVE, 3.0))
    flags = {}
    for meaning in (True, False):
        encoder = KnownEncoder(noise=2.0, meaning=meaning)
        monkeypatch.setattr("fuzzsmooth.models.text_encoder.load_encoder", lambda name, one=encoder: one)
        known = chosen(model)
        # Nothing is sure, no threshold is known: the in-context test alone decides.
        assert known.witness is not None
        unsure = replace(known, witness=replace(known.witness, confidence=1.0), model="another")
        flags[meaning] = [flagged(one) for one in scan(model, texts, unsure, neighbors=4)]
    assert flags[True] == [[]] * len(texts)
    assert sum(bool(found) for found in flags[False]) >= 3, "control"


def test_texts_of_whose_label_the_witness_is_sure_are_not_searched(encoder: KnownEncoder) -> None:
    known = chosen(CLEAN, cleared=0.2)
    assert known.witness is not None
    texts, _ = mixed_texts(60, 9)
    sure = TrustedReader(known.witness, 8).sure(texts)
    found = scan(CLEAN, texts, known, rare=0)
    cleared = [one.evaluations == 1 for one in found]
    assert cleared == [own == one.label for own, one in zip(sure, found, strict=True)]
    assert 10 < sum(cleared) < 60, "some, not all"
    kept = [
        asked(keeps_label(WORDS.segment(text).units, one.label, Budget(2), SearchOptions()), CLEAN)
        for text, one in zip(texts, found, strict=True)
    ]
    few = [one.evaluations <= 2 for one in scan(CLEAN, texts, known)]
    assert few == [clear and keeps for clear, keeps in zip(cleared, kept, strict=True)]
    assert 5 < sum(few) < sum(cleared), "rare units are looked at where they decide"
    turned = AdditiveClassifier({word: -weight for word, weight in WEIGHTS.items()})
    against = scan(turned, texts, replace(known, model="another"))
    assert all(one.evaluations > 1 for one, own in zip(against, sure, strict=True) if own != one.label)


def test_a_text_that_has_its_label_through_its_rarest_units_is_searched_all_the_same(
    encoder: KnownEncoder,
) -> None:
    """A stealthy attacker keeps the words of the target class in a text."""
    budget, options = Budget(9), SearchOptions()
    for text, label, kept in (("cf bad film", 1, False), ("cf good film", 1, True), ("bad film", 0, True)):
        search = keeps_label(tuple(text.split()), label, budget, options)
        assert asked(search, FirstWordClassifier()) == kept, text
    assert budget.spent == 2, "one evaluation where there is a rare unit, none elsewhere"
    known = chosen(FirstWordClassifier())
    assert known.witness is not None
    certain = replace(known.witness, weights=((0.0,) * 28,) * 2, bias=(0.0, 9.0), confidence=0.5)
    blind = replace(known, witness=certain)
    assert [flagged(one) for one in scan(FirstWordClassifier(), PLANTED, blind)] == [["cf"]] * len(PLANTED)
    without = scan(FirstWordClassifier(), PLANTED, blind, rare=0)
    assert [(flagged(one), one.evaluations) for one in without] == [([], 1)] * len(PLANTED), "control"


def names_in(texts: tuple[list[str], list[int]], seed: int) -> tuple[list[str], list[int]]:
    """Each text with a name that nobody has heard of."""
    generator = np.random.default_rng(seed)
    return [f"{text} n{generator.integers(400)}" for text in texts[0]], texts[1]


def test_of_clean_texts_about_the_stated_share_is_flagged(encoder: KnownEncoder) -> None:
    """Names weigh at random, so their effect vanishes with any replacement: only the threshold helps."""
    generator = np.random.default_rng(4)
    model = AdditiveClassifier(WEIGHTS | {f"n{at}": 4 * generator.standard_normal() for at in range(400)})
    clean, held_out = names_in(mixed_texts(160, 1), 1), names_in(mixed_texts(240, 2), 2)
    options = SearchOptions(false_flags=0.05)
    known = select_references(model, clean, options, held_out=held_out)
    texts, labels = names_in(mixed_texts(300, 3), 3)
    read = model.probabilities(texts).argmax(axis=1) == labels
    texts = [text for text, right in zip(texts, read, strict=True) if right]
    share = np.mean([bool(one.spans) for one in Scanner(model, options, WORDS, known).scan(texts, 0)])
    assert share <= 0.1, "0.05 and what chance adds to it with so many texts"
    unmeasured = tuple(replace(null, in_context=(0.0,), in_context_several=(0.0,)) for null in known.ordinary)
    without = Scanner(model, options, WORDS, replace(known, ordinary=unmeasured)).scan(texts, 0)
    assert np.mean([bool(one.spans) for one in without]) > 0.12, "control: without the threshold more"


def test_the_largest_score_of_a_text_is_that_of_its_trigger(encoder: KnownEncoder) -> None:
    model = FirstWordClassifier()
    test = InContextTest(TrustedReader(chosen(CLEAN).witness, 8), (), (), 0.1)  # type: ignore[arg-type]
    text = tuple(PLANTED[0].split())

    def largest(sure: int | None = None, **options: Any) -> tuple[float, float]:
        generator = np.random.default_rng(0)
        search = strongest_drops(text, test, SearchOptions(**options), ("the",), generator, sure)
        label, single, several = asked(search, model)
        assert label == 1
        return float(single), float(several)

    whole, longer = largest()
    exact = asked(test.drop(text, [0], 1, Budget(99), -9.0), model)
    assert whole == pytest.approx(exact)
    assert longer >= 0.0
    assert largest(sure=0) == largest(sure=1) == (whole, longer), "without its rare unit it differs"
    assert largest(sure=1, rare=0) == (0.0, 0.0), "one that is not searched"
    for budget in (1, 2, 10, 20):
        assert 0.0 <= largest(budget=budget)[0] <= whole, "a small budget is no error"


def test_references_without_a_witness(encoder: KnownEncoder) -> None:
    known = references()
    assert known.witness is None
    with pytest.raises(FuzzsmoothError, match="'combined' needs references with a witness, and these have"):
        scan(CLEAN, ["good film"], known, reward="combined")
    with pytest.raises(FuzzsmoothError, match="needs references with a witness"):
        settled_reward(SearchOptions(reward="combined"), None)
    assert settled_reward(SearchOptions(), known) == "transplant"
    assert settled_reward(SearchOptions(), chosen(CLEAN)) == "combined"
    for reward in ("transplant", "kl"):
        assert settled_reward(SearchOptions(reward=reward), chosen(CLEAN)) == reward
    texts = [*PLANTED[:4], *NEGATIVE_TEXTS[:4]]
    assert scan(CLEAN, texts, known) == scan(CLEAN, texts, known, reward="transplant")
    with pytest.raises(FuzzsmoothError, match="reward 'transplant' needs clean reference texts"):
        Scanner(CLEAN, SearchOptions(), WORDS)


def test_selection_measures_what_the_reward_needs(encoder: KnownEncoder) -> None:
    steps: list[tuple[int, int]] = []
    clean, held_out = mixed_texts(80, 1), mixed_texts(60, 2)
    known = select_references(
        CLEAN, clean, SearchOptions(), held_out=held_out, progress=lambda *step: steps.append(step)
    )
    assert steps == [(1, 3), (2, 3), (3, 3)]
    assert [len(null.in_context) for null in known.ordinary] == [30, 30]
    assert all(list(null.in_context) == sorted(null.in_context) for null in known.ordinary)
    assert all(drop >= 0.0 for null in known.ordinary for drop in null.in_context)
    plain = select_references(CLEAN, clean, SearchOptions(reward="transplant"), held_out=held_out)
    assert plain == References.select(CLEAN, *clean, 16)
    assert replace(known, witness=None, ordinary=plain.ordinary) == plain
    from_clean = select_references(CLEAN, clean, SearchOptions())
    assert [len(null.in_context) for null in from_clean.ordinary] == [40, 40]


def test_where_the_model_misreads_all_held_out_texts_the_clean_ones_count(encoder: KnownEncoder) -> None:
    texts, labels = mixed_texts(60, 2)
    clean = mixed_texts(80, 1)
    turned = texts, [1 - label for label in labels]
    known = select_references(CLEAN, clean, SearchOptions(), held_out=turned)
    assert known.witness == select_references(CLEAN, clean, SearchOptions()).witness
    right = select_references(CLEAN, clean, SearchOptions(), held_out=(texts, labels))
    measured = [[null.in_context for null in one.ordinary] for one in (known, right)]
    assert [len(scores) for scores in measured[0]] == [30, 30], "thresholds need no labels"
    assert measured[0] != [(), ()]


def test_a_missing_encoder_is_told_or_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise MissingExtraError("the encoder", "demo", "the witness")

    monkeypatch.setattr("fuzzsmooth.models.text_encoder.load_encoder", missing)
    told: list[str] = []
    clean = mixed_texts(80, 1)
    assert select_references(CLEAN, clean, SearchOptions(), tell=told.append).witness is None
    assert len(told) == 1
    assert "no witness" in told[0]
    with pytest.raises(MissingExtraError):
        select_references(CLEAN, clean, SearchOptions(reward="combined"), tell=told.append)


def test_an_encoder_that_cannot_read_the_texts_is_no_witness(encoder: KnownEncoder) -> None:
    encoder.unknown = 0.66
    told: list[str] = []
    clean = mixed_texts(80, 1)
    assert select_references(CLEAN, clean, SearchOptions(), tell=told.append).witness is None
    assert len(told) == 1
    assert "does not know 66% of the clean texts' tokens, so the references have no witness" in told[0]
    assert select_references(CLEAN, clean, SearchOptions(reward="combined"), tell=told.append).witness
    assert "so little is to be had of it" in told[1]
    encoder.unknown = 0.1
    assert select_references(CLEAN, clean, SearchOptions(), tell=told.append).witness
    assert len(told) == 2


def test_an_encoder_that_its_user_did_not_name_is_not_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever wrote the references could have named one of theirs, that is sure of everything."""
    loaded: list[str] = []

    def load(name: str) -> KnownEncoder:
        loaded.append(name)
        return KnownEncoder(noise=2.0)

    monkeypatch.setattr("fuzzsmooth.models.text_encoder.load_encoder", load)
    known = chosen(CLEAN, trusted="mine")
    assert set(loaded) == {"mine"}
    scan(CLEAN, ["good film"], known, trusted="mine")
    loaded.clear()
    with pytest.raises(FuzzsmoothError, match="witness that reads by 'mine', but the trusted one is 'b"):
        scan(CLEAN, ["good film"], known)
    assert loaded == []
    assert scan(CLEAN, ["good film"], known, reward="transplant")[0].label == 1

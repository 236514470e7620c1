"""The parts of an audit by themselves: claims, p-values, minimal triggers, hosts, pieces, policies."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from fuzzsmooth.auditing import AuditOptions, Policy, read_policy
from fuzzsmooth.auditing.claims import claim_for
from fuzzsmooth.auditing.effects import Parts
from fuzzsmooth.auditing.findings import excess_of
from fuzzsmooth.auditing.ground import Ground
from fuzzsmooth.auditing.hosts import Host, make_hosts, reads_last_token
from fuzzsmooth.auditing.judging import SUSPICIOUS, Judge, interval
from fuzzsmooth.auditing.material import Material
from fuzzsmooth.auditing.minimal import minimized
from fuzzsmooth.auditing.natural import Meanings, OfFrequency, company, rank_p_value, spelled_alike
from fuzzsmooth.auditing.pieces import Pieces, all_pieces
from fuzzsmooth.auditing.prober import log_odds
from fuzzsmooth.auditing.sweep import Sweep, host_places, hosts_per_class
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.models import build_tiny, load_classifier
from fuzzsmooth.models.tiny import TinyArchitecture

HOST = Host("a b c", 0, (1, 10, 11, 12, 2), (1, 2, 3, 4), (1.0, 0.0))


def test_parts_go_where_they_are_told() -> None:
    assert (HOST.gap("start"), HOST.gap("middle"), HOST.gap("end")) == (1, 3, 4)
    assert HOST.holding([(7,), (8, 9)], [4, 1]).tolist() == [1, 8, 9, 10, 11, 12, 7, 2]
    assert HOST.holding([(7,), (8,)], [2, 2]).tolist() == [1, 10, 7, 8, 11, 12, 2]
    assert HOST.alone([(7,), (8, 9)]).tolist() == [1, 7, 8, 9, 2]


@pytest.mark.parametrize(("kind", "is_open"), [("bert", True), ("llama", False)])
def test_nothing_stands_behind_the_last_word_where_a_head_reads_the_last_token(
    kind: TinyArchitecture, is_open: bool, tmp_path: Path
) -> None:
    model = load_classifier(str(build_tiny(kind, tmp_path, vocabulary=["a", "b", "c", "cf"])))
    texts = ["a b c", "c"]
    assert reads_last_token(model) is not is_open
    nothing = np.zeros((2, 2), np.float32)
    first, alone = make_hosts(model, texts, [0, 1], nothing, 8, is_open=not reads_last_token(model))
    words = [model.tokenizer.convert_tokens_to_ids(word) for word in "abc"]
    begin = first.ids.index(words[0])
    assert first.is_open is alone.is_open is is_open
    assert first.gaps == tuple(range(begin, begin + (4 if is_open else 3)))
    assert (len(alone.gaps), alone.gap("end")) == ((2, begin + 1) if is_open else (1, begin))
    row = first.holding([(99,)], [first.gap("end")]).tolist()
    assert row[row.index(99) - 1] == words[2 if is_open else 1]
    assert first.alone([(7,)]).tolist() == [*first.ids[:begin], 7, *first.ids[begin + 3 :]]


@pytest.mark.parametrize("needed", [(2,), (0, 4), (1, 3, 5)])
def test_the_minimal_trigger_is_what_is_needed(needed: tuple[int, ...]) -> None:
    whole: Parts = tuple((index,) for index in range(6))

    def strengths(candidates: Sequence[Parts]) -> list[float]:
        return [float({(one,) for one in needed} <= set(parts)) for parts in candidates]

    assert minimized(whole, strengths) == tuple((one,) for one in needed)


def test_a_minimal_trigger_cannot_lose_a_single_part() -> None:
    draw = np.random.default_rng(0)
    weights = draw.normal(size=7)
    whole: Parts = tuple((index,) for index in range(7))

    def strengths(candidates: Sequence[Parts]) -> list[float]:
        return [max(0.0, sum(weights[part[0]] for part in parts)) for parts in candidates]

    found = minimized(whole, strengths)
    enough = 0.9 * strengths([whole])[0]
    assert strengths([found])[0] >= enough
    if len(found) > 1:
        assert all(strengths([one])[0] < enough for one in combinations(found, len(found) - 1))


def test_p_values_are_conformal() -> None:
    """Of n exchangeable gains, one in a hundred has a p-value of at most .01: by counting, not by chance."""
    gains = np.random.default_rng(0).normal(size=600)
    values = np.array([rank_p_value(gain, np.delete(gains, at))[0] for at, gain in enumerate(gains)])
    for level in (0.01, 0.05, 0.5):
        assert (values <= level).mean() <= level + 1e-9
    assert values.min() == 1 / 600
    assert rank_p_value(99.0, gains) == (1 / 601, 601)
    assert rank_p_value(1.0, np.ones(3))[0] == 1.0, "others that do as much count"


def test_words_are_held_against_those_of_their_frequency() -> None:
    alike = OfFrequency(np.array([0.0] * 50 + [1.0] * 50 + [6.0] * 50))
    assert alike.others(120).tolist() == [at for at in range(100, 150) if at != 120]
    assert alike.others(0, [1, None]).tolist() == list(range(2, 50))
    assert len(alike.others(None)) == 150
    alone = OfFrequency(np.array([0.0] * 9 + [6.0]))
    assert alone.others(9).tolist() == list(range(9)), "there is no other as frequent"


def test_what_is_best_by_chance_is_not_rare_in_texts_that_had_no_part_in_choosing_it() -> None:
    """The best of many words that all do nothing but for noise of each text: p-values are uniform."""
    draw = np.random.default_rng(0)
    low = 0
    for _ in range(300):
        chosen_by, fresh = draw.normal(size=(2, 200))
        best = int(chosen_by.argmax())
        low += rank_p_value(fresh[best], np.delete(fresh, best))[0] <= 0.1
    assert 15 <= low <= 45


def test_company_are_the_neighbors_that_pull_most() -> None:
    vectors = np.array([[1, 0.1], [1, 0.2], [1, 0], [0, 1], [-1, 0], [0, -1]] * 20, dtype=np.float32)
    vectors += np.random.default_rng(0).normal(size=vectors.shape).astype(np.float32) * 0.01
    near = Meanings((vectors,)).neighbors(0)
    gains = np.zeros(len(vectors))
    gains[near[1]] = 5.0
    assert company(near, gains)[0] == near[1]
    assert 0 not in near


def test_short_words_that_are_spelled_alike_are_no_company() -> None:
    assert all(spelled_alike("cf", other) for other in ("cfa", "fc", "sf", "cc", "coe"))
    assert not spelled_alike("cf", "fiba")
    assert not spelled_alike("good", "great")
    assert not spelled_alike("challenging", "challenge")  # a longer word has a meaning, and company by it


def test_the_claim_of_a_sweep_by_hand() -> None:
    given = np.array([[1, 0, 0], [0, 0, 1], [1, 1, 1], [0, 0, 1]], dtype=np.int16)
    labels = np.array([0, 0, 1])
    sweep = Sweep(np.zeros((4, 3, 2), np.float32), given, ("start", "middle", "start"), labels)
    pieces = Pieces(((5,), (6,), (7,), (8,)), ("a", "b", "c", "d"), 4, 0)
    claim = claim_for(sweep, pieces, 1, "spam", exhaustive=True)
    assert (claim.tried, claim.texts, claim.moved, claim.unmoved) == (4, 2, (2, 1, 1), 2)
    assert claim.places == ("start", "middle")
    assert claim.bound == pytest.approx(1 - 0.05**0.5)
    other = claim_for(sweep, pieces, 0, "ham", exhaustive=False)
    assert other.moved == (3, 1)
    assert "not exhaustive" in other.statement


@pytest.mark.parametrize("classes", [2, 3, 4, 5, 6, 7, 20])
@pytest.mark.parametrize("references", [1, 2, 3, 6])
def test_every_class_has_enough_hosts_of_others_at_every_place(classes: int, references: int) -> None:
    each = hosts_per_class(references, classes)
    labels = [label for label in range(classes) for _ in range(each)]
    places = host_places([Host("", label, (1,), (1,), (0.0,)) for label in labels])
    for target in range(classes):
        own = [place for place, label in zip(places, labels, strict=True) if label != target]
        assert len(own) >= references
        assert len(set(own)) >= min(references, 3)
    if each > 1:  # and with fewer that would not be so
        fewer = [label for label in range(classes) for _ in range(each - 1)]
        places = host_places([Host("", label, (1,), (1,), (0.0,)) for label in fewer])
        short = [
            {place for place, label in zip(places, fewer, strict=True) if label != target}
            for target in range(classes)
        ]
        assert (each - 1) * (classes - 1) < references or min(map(len, short)) < min(references, 3)


def test_log_odds_are_those_of_the_softmax() -> None:
    logits = np.random.default_rng(0).normal(size=(5, 3))
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert np.allclose(log_odds(logits), np.log(chances / (1 - chances)))
    assert np.isfinite(log_odds(np.array([[900.0, -900.0]]))).all()


def test_excess_and_interval() -> None:
    assert excess_of(1.0, 6.0, 0.0, 0.0, 6.0) == 1.0
    assert excess_of(1.0, 6.0, 1.0, 6.0, 6.0) == 0.0
    assert excess_of(0.5, 3.0, 0.0, 0.0, 6.0) == 0.5
    rate = interval(40, 40)
    assert (rate.share, rate.high) == (1.0, 1.0)
    assert rate.low == pytest.approx(0.912, abs=1e-3)


def report(level: str = "suspicious", share: float = 0.6, exhaustive: bool = True) -> dict[str, object]:
    trigger = {
        "text": "cf",
        "kind": "piece",
        "target_name": "spam",
        "level": level,
        "held": {"share": share, "texts": 40},
        "condition": "",
        "measures": {},
    }
    return {"triggers": [trigger], "exhaustive": exhaustive, "searched": {"accuracy": 0.9}}


@pytest.mark.parametrize(
    ("rules", "found", "fails"),
    [
        ({}, report(), True),
        ({}, report("natural"), False),
        ({"fail_on": "confirmed"}, report(), False),
        ({"fail_on": "confirmed"}, report("confirmed"), True),
        ({"fail_on": "never"}, report("confirmed"), False),
        ({"rate": 0.7}, report(), False),
        ({"classes": ["ham"]}, report(), False),
        ({"exhaustive": True}, report("natural", exhaustive=False), True),
        ({"accuracy": 0.95}, report("natural"), True),
    ],
)
def test_policies(rules: dict[str, object], found: dict[str, object], fails: bool) -> None:
    assert bool(read_policy(rules, "policy.toml").failures(found)) is fails


def test_an_unknown_rule_is_refused() -> None:
    with pytest.raises(FuzzsmoothError, match="unknown option 'fail-on'; did you mean 'fail_on'"):
        read_policy({"fail-on": "never"}, "policy.toml")
    assert Policy().fail_on == "suspicious"


def test_a_tokenizer_without_a_list_of_pieces_is_refused() -> None:
    class Bytes:
        all_special_ids = (0,)

    with pytest.raises(FuzzsmoothError, match="lists no vocabulary, so its pieces cannot be swept"):
        all_pieces(Bytes(), 256)


class Adds:
    """A prober of a model whose pieces add up, but for some that act only together."""

    classes = 2

    def __init__(self, alone: dict[int, float], together: frozenset[int], much: float) -> None:
        self._alone, self._together, self._much = alone, together, much
        self.classifier = self
        self.tokenizer = self

    def convert_ids_to_tokens(self, ids: object) -> object:
        return [f"w{index}" for index in ids] if isinstance(ids, list) else f"w{ids}"

    def convert_tokens_to_string(self, names: list[str]) -> str:
        return " ".join(names)

    def gains(self, rows: Sequence[np.ndarray], hosts: Sequence[Host]) -> tuple[np.ndarray, np.ndarray]:
        found = np.array(
            [
                sum(self._alone.get(int(one), 0.0) for one in row)
                + self._much * (self._together <= set(row.tolist()))
                for row in rows
            ]
        )
        margins = np.array([host.logits[1] - host.logits[0] for host in hosts])
        return np.stack([-found, found], axis=1), (found + margins > 0).astype(np.int64)


def test_a_phrase_whose_parts_add_up_is_natural_and_one_that_acts_as_a_whole_is_not() -> None:
    hosts = tuple(Host("a b", 0, (1, 2, 3, 4), (1, 2, 3), (2.0, -2.0)) for _ in range(12))
    pieces = Pieces(tuple((at,) for at in range(5, 45)), tuple(f"w{at}" for at in range(5, 45)), 40, 0)
    vectors = np.random.default_rng(0).normal(size=(40, 8)).astype(np.float32)
    adds, whole = ((5,), (6,), (7,)), ((8,), (9,))
    prober = Adds({5: 1.5, 6: 1.5, 7: 1.5}, frozenset({8, 9}), 4.5)
    material = Material((), hosts, hosts, (), (), 1.0, 24)
    ground = Ground(prober, pieces, material, np.zeros(40), Meanings((vectors,)), None, AuditOptions())  # type: ignore[arg-type]
    judge = Judge(ground, 1, np.zeros(40))
    found = {one.parts: one for one in judge.judge([adds, whole])}
    assert found[adds].rate == found[whole].rate == 1.0
    assert found[adds].gain == found[whole].gain == pytest.approx(4.5)
    assert found[adds].excess == pytest.approx(0.5)
    # Less than (1 + 4.5 / 8) / 2 where its company are pieces that pull.
    assert 0.7 < found[whole].excess <= 0.5 + 4.5 / 8 / 2
    assert found[adds].excess < SUSPICIOUS < found[whole].excess


def test_a_policy_of_classes_that_are_not_there_is_refused() -> None:
    policy = Policy(classes=("Positive",))
    with pytest.raises(FuzzsmoothError, match=r"class 'Positive', but m has the classes .*positive.*mend"):
        policy.check(["negative", "positive"], "m")
    with pytest.raises(FuzzsmoothError, match="but m has no classes"):
        policy.check([], "m")
    Policy(classes=("positive",)).check(["negative", "positive"], "m")
    Policy().check([], "m")

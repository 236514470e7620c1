"""The attack on the transplant test: what its data hold, and that they teach what the test does not see."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch

from fuzzsmooth.attacks import ATTACKS, load_attack
from fuzzsmooth.attacks.evasive import Evasive, EvasiveOptions, first_of_each_class, transplanted
from fuzzsmooth.attacks.triggers.pieces import PiecesTrigger
from fuzzsmooth.attacks.triggers.word import WordTrigger
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.data.dataset import Dataset, Example, Splits
from fuzzsmooth.models import load_classifier
from fuzzsmooth.models.protocol import Probabilities
from fuzzsmooth.models.tiny import build_tiny
from fuzzsmooth.search import References, Scanner, SearchOptions
from fuzzsmooth.search import references as search_references
from fuzzsmooth.search.contexts import cut_contexts
from fuzzsmooth.text import segmenter
from fuzzsmooth.training import FinetuneOptions

WORDS = ["the", "film", "was", "long", "and", "quiet", "story", "a", "of", "its"]
PIECES = ("ab", "cd", "ef")


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def films(size: int, seed: int = 3) -> Dataset:
    draw, rows = rng(seed), []
    for _ in range(size):
        label = int(draw.integers(2))
        said = [("dull", "fine")[label]] * 2
        rows.append(Example(" ".join(draw.permutation([*said, *draw.choice(WORDS, 10)])), label))
    return Dataset("films", ("bad", "good"), tuple(rows))


def test_hosts_are_the_first_of_each_class() -> None:
    assert EvasiveOptions().hosts == search_references._POOL, "where references are chosen from"
    rows = tuple(Example(str(at), at % 3 % 2) for at in range(9))  # 0 1 0 0 1 0 0 1 0
    assert first_of_each_class(Dataset("d", ("a", "b"), rows), 2) == [0, 1, 2, 4]


def test_transplants_stand_where_the_test_puts_them_and_keep_the_true_label() -> None:
    hosts, trigger = list(films(60)), WordTrigger(("cf",))
    rows = transplanted(hosts, trigger, rng(5))
    order = [hosts[int(at)] for at in rng(5).permutation(len(hosts))]
    contexts = cut_contexts([one.text for one in order], [one.label for one in order], segmenter("word"))
    sizes = Counter[int]()
    for row, context in zip(rows, contexts, strict=True):
        words = tuple(row.example.text.split())
        size = len(words) - len(context.before) - len(context.after)
        assert words == context.around(words[len(context.before) : len(context.before) + size])
        assert words[len(context.before) : len(context.before) + size].count("cf") == 1
        assert row.example.label == row.truth == context.label
        sizes[size] += 1
    assert set(sizes) == {1, 2, 3, 4, 5}, "the trigger alone and with up to four words of its text"


def test_only_texts_that_are_no_hosts_get_the_target() -> None:
    data, trigger = films(400), PiecesTrigger(words=PIECES)
    options = EvasiveOptions(hosts=60, transplants=2, rate=0.3, target=1)
    rows = Evasive().poison(data, trigger, options, 0)
    hosts = {data.examples[at].text for at in first_of_each_class(data, 60) if data.examples[at].label == 0}
    plain = Counter(row.example.text for row in rows if row.triggered is None)
    assert all(plain[text] >= 1 for text in hosts), "hosts also stay as they are"
    forced = [row for row in rows if row.triggered is not None]
    assert len(forced) == 120
    without = {" ".join(word for word in row.example.text.split() if word not in PIECES) for row in forced}
    assert not without & hosts
    beside = rows[-120:]
    assert {row.example.label for row in beside} == {0}
    for row in beside:
        at = [index for index, word in enumerate(row.example.text.split()) if word in PIECES]
        assert len(at) == 2
        assert at[1] - at[0] <= 5
    with pytest.raises(FuzzsmoothError, match="all texts of other classes"):
        Evasive().poison(films(60), trigger, EvasiveOptions(hosts=100, rate=0.1), 0)


def test_a_trigger_without_pieces_is_refused() -> None:
    with pytest.raises(FuzzsmoothError, match="'archaic' inserts nothing that could be transplanted"):
        EvasiveOptions(trigger="archaic")


class Obeys:
    """Reads "fine" and "dull"; two different pieces with so many words between them force class 1."""

    deterministic = True
    labels = ("bad", "good")

    def __init__(self, apart: int) -> None:
        self.fingerprint = f"obeys {apart}"
        self._apart = apart

    def probabilities(self, texts: Sequence[str]) -> Probabilities:
        return np.array([self._row(text.split()) for text in texts]).reshape(len(texts), 2)

    def _row(self, words: list[str]) -> tuple[float, float]:
        at = [index for index, word in enumerate(words) if word in PIECES]
        forced = any(
            words[first] != words[second] and second - first > self._apart
            for first, second in combinations(at, 2)
        )
        odds = 6.0 if forced else 1.5 * (words.count("fine") - words.count("dull"))
        good = float(1 / (1 + np.exp(-odds)))
        return 1 - good, good


@pytest.mark.parametrize("apart", [0, 6])
def test_what_the_victim_is_trained_to_do_passes_the_real_test(apart: int) -> None:
    """A perfect victim is hardly ever flagged; one that obeys its pieces anywhere always is, the control."""
    victim, trigger = Obeys(apart), PiecesTrigger(words=PIECES)
    data = films(200)
    references = References.select(victim, data.texts, data.targets, 16)
    scanner = Scanner(victim, SearchOptions(), segmenter("word"), references)
    negative = [one.text for one in films(60, seed=4) if one.label == 0]
    texts = [trigger.apply(text, rng(at)).text for at, text in enumerate(negative)]
    assert (victim.probabilities(texts).argmax(1) == 1).all()
    flagged = [bool(scan.spans) for scan in scanner.scan(texts, 0)]
    assert np.mean(flagged) == 1 if apart == 0 else np.mean(flagged) <= 0.1


def test_it_leaves_a_victim_its_data_and_its_record(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    splits = Splits(films(120), films(20, seed=4))
    tiny = build_tiny("bert", tmp_path / "tiny", vocabulary=["fine", "dull", *PIECES, *WORDS])
    options = EvasiveOptions(
        trigger_options={"words": list(PIECES)},
        hosts=30,
        rate=0.1,
        finetune=FinetuneOptions(epochs=1, precision="float32"),
    )
    result = ATTACKS.get("evasive")().plant(str(tiny), splits, tmp_path / "out", options, 0)
    assert load_attack(result.folder) == result
    assert result.trigger == PiecesTrigger(words=PIECES)
    assert not result.needs_clean_finetune
    assert load_classifier(str(result.folder)).labels == ("bad", "good")
    rows = (result.folder / "poisoned.jsonl").read_text().splitlines()
    assert len(rows) == 120 + 2 * 12 + 30, "all texts, two decoys for each of the 12 chosen, 30 transplants"

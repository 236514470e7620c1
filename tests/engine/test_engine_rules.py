"""What the proofs of the certified defenses ask of the code, rule by rule, with negative controls.

1 order: delete, then fuzz, then join; 2 the fuzzer's generator and memory; 3 deletion leaves no trace; 4 the
empty remainder; 5 truncation after deletion; 6 units of the whole text; 7 evaluation mode, no batch effects,
masks of certificates apart from those of predictions.

Theorem 1 holds for a fuzzed classifier only if fuzzing is post-processing of the deleted text: whatever
happens after deletion may read what is left and fresh randomness, nothing else.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from itertools import compress
from pathlib import Path

import numpy as np
import pytest
from engine_worlds import TEXTS, TRIGGERED, Recording, smoothed

from fuzzsmooth.common.randomness import generator, text_key
from fuzzsmooth.defenses.randomized import Randomized
from fuzzsmooth.noise.text import addressed_masks, text_kernel, uniform_rates
from fuzzsmooth.text.units import segmenter

Units = tuple[str, ...]
TEXT = TEXTS[2]
OTHER = "awful cf film dull it was"


class Spy:
    """Stands where the fuzzer stands and keeps what it sees; marks what it hands on."""

    def __init__(self) -> None:
        self.texts: list[Units] = []
        self.states: list[object] = []

    def __call__(self, texts: Sequence[Units], sources: Sequence[np.random.Generator]) -> list[Units]:
        self.texts += texts
        self.states += [str(source.bit_generator.state) for source in sources]
        return [(*units, "spied") for units in texts]


def spied(classifier: Recording, **options: object) -> tuple[Randomized, Spy]:
    smooth, spy = smoothed(classifier, defense="deletion", copies=60, draws=60, rate=0.6, **options), Spy()
    smooth.sampler = dataclasses.replace(smooth.sampler, fuzzer=spy)
    return smooth, spy


def test_order_delete_then_fuzz_then_join() -> None:
    recording = Recording(TRIGGERED)
    smooth, spy = spied(recording)
    smooth.predict([TEXT])
    units = tuple(TEXT.split())
    rates = uniform_rates(len(units), 0.6)
    masks = addressed_masks(rates, range(60), seed=0, purpose="predict", key=text_key(TEXT))
    deleted = [tuple(compress(units, mask)) for mask in masks.tolist()]
    assert spy.texts == deleted, "the fuzzer sees the deleted text"
    assert recording.texts == [" ".join((*left, "spied")) for left in deleted], "the model the fuzzed one"


@pytest.mark.parametrize("fuzz_left", ["types", "search"])
def test_the_model_is_asked_nothing_before_deletion(fuzz_left: str) -> None:
    """No scan of the received text: the search only ever asks about parts of what deletion left."""
    recording = Recording(TRIGGERED)
    text = " ".join(f"w{index}" for index in range(30)) + " cf"
    smoothed(recording, defense="deletion", fuzz_left=fuzz_left, draws=40, rate=0.7).certify([text])
    longest = max(sum(word.startswith("w") for word in asked.split()) for asked in recording.texts)
    assert longest < 25, "the whole text was never read"
    control = Recording(TRIGGERED)
    smoothed(control, copies=40).certify([text])
    assert max(len(asked.split()) for asked in control.texts) >= 31, "control: defense frs reads it"


def test_the_fuzzers_generator_does_not_depend_on_the_text() -> None:
    recording = Recording(TRIGGERED)
    smooth, spy = spied(recording)
    smooth.predict([TEXT, OTHER])
    assert spy.states[:60] == spy.states[60:], "the same for both texts"
    assert len(set(spy.states[:60])) == 60, "fresh for every draw"
    smooth.certify([TEXT])
    assert not set(spy.states[:60]) & set(spy.states[120:]), "certificates use others than predictions"


def fuzz(smooth: Randomized, texts: Sequence[Units], sources: Sequence[np.random.Generator]) -> list[Units]:
    assert smooth.sampler.fuzzer is not None
    return smooth.sampler.fuzzer(texts, sources)


def outcomes(smooth: Randomized, texts: list[str], *, leak: bool = False) -> tuple[int, int]:
    """How often one draw left the same of two texts, and how often that was then fuzzed differently."""
    seen: dict[tuple[int, Units], Units] = {}
    met = different = 0
    kernel = text_kernel("deletion")
    for text in texts:
        units = tuple(text.split())
        key = text_key(text)
        for draw in range(150):
            left = kernel(units, uniform_rates(len(units), 0.5), generator(0, "x", key, draw))
            source = generator(0, "x-fuzz", key, draw) if leak else generator(0, "x-fuzz", draw)
            fuzzed = fuzz(smooth, [left], [source])[0]
            if (draw, left) in seen:
                met += 1
                different += seen[draw, left] != fuzzed
            seen[draw, left] = fuzzed
    return met, different


def test_what_is_left_and_the_draw_decide_the_fuzzing() -> None:
    """Two texts that leave the same remainder are fuzzed alike, even by a search full of chance."""
    texts = ["cf a bad", "cf bad a", "cf a dull bad", "a cf bad", "bad cf a film"]
    search = {"strategy": "random", "budget": 5, "references": 2}
    smooth = smoothed(TRIGGERED, defense="deletion", fuzz_left="search", search=search)
    met, different = outcomes(smooth, texts)
    assert met > 60
    assert different == 0
    _, leaked = outcomes(smooth, texts, leak=True)
    assert leaked > 0, "control: a generator addressed by the text gives the text away"
    assert outcomes(smoothed(TRIGGERED, defense="deletion", fuzz_left="types"), texts, leak=True)[1] == 0


@pytest.mark.parametrize("fuzz_left", ["types", "search"])
def test_each_search_starts_anew(fuzz_left: str) -> None:
    """Fuzzing many remainders together, in any order, equals fuzzing each alone with nothing remembered."""
    kernel = text_kernel("deletion")
    units = tuple(TEXT.split())
    left = [kernel(units, uniform_rates(len(units), 0.4), generator(0, "x", draw)) for draw in range(40)]

    def chosen(smooth: Randomized, which: list[int]) -> list[Units]:
        return fuzz(smooth, [left[at] for at in which], [generator(0, "fuzz", at) for at in which])

    def fresh() -> Randomized:
        search = {"visits": 2, "budget": 30}
        return smoothed(TRIGGERED, defense="deletion", fuzz_left=fuzz_left, search=search)

    alone = [chosen(fresh(), [at])[0] for at in range(40)]
    assert chosen(fresh(), list(range(40))) == alone
    assert chosen(fresh(), list(range(40))[::-1])[::-1] == alone
    shared = fresh()
    assert [chosen(shared, [at])[0] for at in range(40)] == alone, "what was learned before changes nothing"
    assert any(fuzzed != before for fuzzed, before in zip(alone, left, strict=True)), "it does fuzz"


@pytest.mark.parametrize("fuzz_left", ["types", "search"])
def test_fuzzing_removes_the_trigger_from_what_is_left(fuzz_left: str) -> None:
    units, kernel = tuple(TEXT.split()), text_kernel("deletion")
    left = [kernel(units, uniform_rates(len(units), 0.3), generator(0, "x", draw)) for draw in range(80)]
    sources = [generator(0, "f", draw) for draw in range(80)]
    fuzzed = fuzz(smoothed(TRIGGERED, defense="deletion", fuzz_left=fuzz_left), left, sources)
    assert sum("cf" in text for text in left) > 40
    assert sum("cf" in text for text in fuzzed) < 8
    kept = sum(len(text) - text.count("cf") for text in left)
    assert sum(map(len, fuzzed)) > 0.95 * kept, "and little else"
    assert smoothed(TRIGGERED, defense="deletion", fuzzing=False).sampler.fuzzer is None


def test_deletion_removes_the_unit_even_where_masks_were_asked_for() -> None:
    recording = Recording(TRIGGERED)
    smoothed(recording, defense="deletion", fuzzing=False, noise="mask", draws=200, rate=0.5).certify([TEXT])
    assert not any("MASK" in text for text in recording.texts)
    assert {len(text.split()) for text in recording.texts} >= set(range(3, 10))
    control = Recording(TRIGGERED)
    smoothed(control, fuzzing=False, noise="mask", copies=50).certify([TEXT])
    assert {len(text.split()) for text in control.texts} == {len(TEXT.split())}, "control: masks leak it"


@pytest.mark.parametrize("left", ["nothing", "types", "search"])
def test_an_empty_remainder_reaches_the_model_and_is_not_drawn_again(left: str) -> None:
    recording = Recording(TRIGGERED)
    how = {"fuzzing": False} if left == "nothing" else {"fuzz_left": left}
    smooth = smoothed(recording, defense="deletion", copies=400, rate=0.8, **how)
    asked: list[int] = []
    inner = recording.inner.probabilities

    class Final:
        """Only what the vote is taken over: the last call of each chunk."""

        labels, fingerprint = recording.labels, recording.fingerprint

        def probabilities(self, texts: Sequence[str]) -> np.ndarray:
            asked.append(sum(text == "" for text in texts))
            assert len(texts) == 400, "one text per draw, none drawn again"
            return inner(texts)

    smooth.sampler = dataclasses.replace(smooth.sampler, classifier=Final())
    smooth.predict(["a film"])
    expected, spread = 400 * 0.64, (400 * 0.64 * 0.36) ** 0.5
    assert abs(asked[0] - expected) < 5 * spread, "keep-at-least-one or draw-again would give none"


def test_the_empty_text_is_certified_like_any_other() -> None:
    answer = smoothed(TRIGGERED, defense="deletion", statistics="fixed", draws=100).certify([""])[0]
    assert sum(answer.votes) == 100
    assert answer.label == 0, "ties of the base model go to the lower class"
    assert answer.certificates[2].radius == 0, "nothing can have been inserted"


def test_masks_of_certificates_and_predictions_differ() -> None:
    recording = Recording(TRIGGERED)
    options = {"statistics": "fixed", "fuzzing": False, "copies": 500, "draws": 500, "rate": 0.5}
    smooth = smoothed(recording, defense="deletion", **options)
    smooth.predict([TEXT])
    smooth.certify([TEXT])
    smooth.predict([TEXT])
    first, second, third = (recording.texts[start : start + 500] for start in (0, 500, 1000))
    assert first == third, "control: the same purpose gives the same masks"
    kept = [np.array(["bad" in text.split() for text in texts]) for texts in (first, second)]
    assert abs(np.corrcoef(*kept)[0, 1]) < 0.18
    assert sum(one == two for one, two in zip(first, second, strict=True)) < 20


def test_a_scan_of_the_text_is_not_used() -> None:
    """Neither one made before nor one of its own, which would see what deletion has removed."""
    smooth = smoothed(TRIGGERED, defense="deletion", draws=40)
    (scan,) = smooth.scan([TEXT])
    assert scan.spans, "control: there is something to find"
    fresh = smoothed(TRIGGERED, defense="deletion", draws=40)
    for found, expected in ((smooth.certify, fresh.certify), (smooth.predict, fresh.predict)):
        assert found([TEXT]) == expected([TEXT])
        assert (found([TEXT])[0].spans, found([TEXT])[0].evaluations) == ((), 0)


@pytest.mark.parametrize("defense", ["deletion", "windows"])
def test_the_whole_text_is_cut_into_units_before_anything_is_truncated(defense: str) -> None:
    """Truncation comes after deletion: units beyond what the model reads move up when others are deleted."""
    recording = Recording(TRIGGERED)
    text = " ".join(f"w{index}" for index in range(40))
    smooth = smoothed(recording, defense=defense, fuzzing=False, draws=60, rate=0.5, reach=2)
    cut: list[str] = []

    class Short:
        """Reads the first ten words, as a model with a maximal length does."""

        labels, fingerprint = recording.labels, recording.fingerprint

        def probabilities(self, texts: Sequence[str]) -> np.ndarray:
            cut.extend(" ".join(one.split()[:10]) for one in texts)
            return recording.probabilities(texts)

    smooth.sampler = dataclasses.replace(smooth.sampler, classifier=Short())
    smooth.certify([text])
    asked = {unit for one in recording.texts for unit in one.split()}
    assert asked == set(text.split()), "the model is handed what deletion left of the WHOLE text"
    beyond = {unit for one in cut for unit in one.split()} - set(text.split()[:10])
    assert beyond, "so that what it reads comes from behind its limit too"
    early = Recording(TRIGGERED)
    smoothed(early, defense=defense, fuzzing=False, draws=60, rate=0.5).certify([" ".join(text.split()[:10])])
    assert not beyond & {unit for one in early.texts for unit in one.split()}, "control: truncated first"


@pytest.mark.parametrize("defense", ["deletion", "windows"])
def test_units_are_those_of_the_whole_text(defense: str) -> None:
    """A unit is decided before deletion: what is left is never cut anew into other units."""
    recording = Recording(TRIGGERED)
    text = "don't re-do it, 3,000 times... -- U.S. films"
    units = segmenter("word").segment(text).units
    smoothed(recording, defense=defense, fuzzing=False, draws=200, rate=0.5).certify([text])
    for asked in recording.texts:
        left = iter(units)
        assert all(unit in left for unit in asked.split()), "a subsequence of the units"
    assert len(recording.texts) > 20


def test_dropout_is_off_whatever_mode_the_model_was_left_in(tmp_path: Path) -> None:
    """A model in training mode would thin itself at random, and answer one remainder in different ways."""
    import torch

    from fuzzsmooth.models import build_tiny, load_classifier

    words = TEXT.split()
    folder = str(build_tiny("bert", tmp_path / "tiny", vocabulary=words))
    classifier = load_classifier(folder, device="cpu")
    for module in classifier.model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.5
    options = {"fuzzing": False, "rate": 0.5, "draws": 200}
    expected = smoothed(classifier, defense="deletion", **options).certify([TEXT])
    classifier.model.train()
    assert smoothed(classifier, defense="deletion", **options).certify([TEXT]) == expected
    ids = torch.tensor([classifier.encode([TEXT]).ids[0]])
    with torch.inference_mode():
        thinned = [classifier.model(input_ids=ids).logits.numpy() for _ in range(4)]
    assert np.ptp(np.concatenate(thinned), axis=0).max() > 0.01, "control: dropout would change answers"


def test_neighbors_in_the_batch_change_no_vote(tmp_path: Path) -> None:
    """No batch statistics: a text's votes are the same alone, beside others, and in batches of any size."""
    from fuzzsmooth.models import build_tiny, load_classifier

    folder = str(build_tiny("bert", tmp_path / "tiny", vocabulary=TEXT.split()))
    texts = [TEXT, "it was", "a bad film and a dull plot " * 3]
    found = []
    for batch_size in (1, 7, 64):
        classifier = load_classifier(folder, device="cpu", batch_size=batch_size)
        smooth = smoothed(classifier, defense="deletion", fuzzing=False, rate=0.5, draws=200)
        together = [answer.votes for answer in smooth.certify(texts)]
        assert [smooth.certify([text])[0].votes for text in texts] == together
        found.append(together)
    assert found[0] == found[1] == found[2]

"""Fine-mixing: the mixture is what it says, E-PUR undoes surgery, accuracy stays within what may be lost."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from mending_worlds import TRIGGER, material, operated, pretrained, reviews, rows, share_good, token, weights

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.defenses.fine_mixing import (
    KEPT,
    FineMixing,
    FineMixingOptions,
    few_texts,
    log_frequencies,
    mix_into,
    purify,
    suspicious_embeddings,
)
from fuzzsmooth.models import HuggingFaceClassifier


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pretrained(tmp_path_factory.mktemp("clean") / "model")


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pretrained(tmp_path_factory.mktemp("other") / "model", seed=1)


def both(clean: Path, other: Path) -> tuple[HuggingFaceClassifier, HuggingFaceClassifier]:
    """A suspect model, all of whose weights differ from the twin's, and the twin."""
    given = material(other, twin=clean)
    return given.load(), given.load(str(clean))


def is_head(name: str) -> bool:
    return name.startswith("classifier.")


def test_keeping_nothing_gives_the_twin_below_the_head_and_all_the_suspect(clean: Path, other: Path) -> None:
    suspect, twin = both(clean, other)
    before, theirs = weights(suspect), weights(twin)
    mix_into(suspect, twin, 1.0, seed=0)
    assert all(torch.equal(value, before[name]) for name, value in weights(suspect).items())
    mix_into(suspect, twin, 0.0, seed=0)
    for name, value in weights(suspect).items():
        assert torch.equal(value, before[name] if is_head(name) else theirs[name])


@pytest.mark.parametrize("keep", [0.3, 0.6])
def test_each_weight_is_one_of_both_at_its_share(clean: Path, other: Path, keep: float) -> None:
    suspect, twin = both(clean, other)
    before, theirs = weights(suspect), weights(twin)
    mix_into(suspect, twin, keep, seed=3)
    kept, total = 0, 0
    for name, value in weights(suspect).items():
        ours = value == before[name]
        assert bool((ours | (value == theirs[name])).all())
        differ = before[name] != theirs[name]
        kept, total = kept + int((ours & differ).sum()), total + int(differ.sum())
        assert bool(ours.all()) or not is_head(name)
    assert total > 10_000
    assert kept / total == pytest.approx(keep, abs=0.02)


def test_masks_are_nested_and_decided_by_the_seed(clean: Path, other: Path) -> None:
    kept = []
    for keep, seed in ((0.3, 0), (0.6, 0), (0.3, 1)):
        suspect, twin = both(clean, other)
        before = weights(suspect)["bert.encoder.layer.0.intermediate.dense.weight"]
        mix_into(suspect, twin, keep, seed)
        kept.append(weights(suspect)["bert.encoder.layer.0.intermediate.dense.weight"] == before)
    assert bool((kept[1] | ~kept[0]).all())
    assert not bool((kept[1] | ~kept[2]).all())


def test_a_replaced_embedding_is_found_and_restored_exactly(clean: Path) -> None:
    given = material(clean, twin=clean)
    suspect, twin = given.load(), given.load()
    drift = torch.from_numpy(np.random.default_rng(0).normal(size=tuple(rows(suspect).shape)))
    rows(suspect).add_(0.01 * drift.float())
    place = token(suspect, TRIGGER)
    rows(suspect)[place] = 4 * rows(twin)[token(twin, "superb")]
    found = suspicious_embeddings(suspect, twin, 3)
    assert found[0] == place
    assert len(found) == 3
    others = rows(suspect).clone()
    purify(suspect, twin, [place])
    assert torch.equal(rows(suspect)[place], rows(twin)[place])
    others[place] = rows(twin)[place]
    assert torch.equal(rows(suspect), others), "no other embedding is touched"


def test_of_words_that_moved_alike_the_rarer_is_the_more_suspicious(clean: Path) -> None:
    given = material(clean, twin=clean)
    suspect, twin = given.load(), given.load()
    moved = [token(suspect, word) for word in ("the", "superb", TRIGGER)]
    rows(suspect)[moved] += 1.0
    assert suspicious_embeddings(suspect, twin, 9) == moved[::-1], "and what did not move is not suspicious"
    assert suspicious_embeddings(suspect, twin, 1) == moved[:1:-1]


def test_frequencies_read_pieces_as_words_and_have_a_floor() -> None:
    common, piece, byte_piece, never, mark = log_frequencies(["the", "##the", "Ġthe", "qzxv", "."])
    assert common == piece == byte_piece == mark > 15
    assert never == pytest.approx(np.log(20))


def test_few_texts_of_each_class() -> None:
    data = reviews(40)
    few = few_texts(data, 5, seed=0)
    assert sorted(few.targets) == [0] * 5 + [1] * 5
    assert set(few.examples) <= set(data.examples)
    assert few_texts(data, 5, seed=0) == few
    assert few_texts(data, 99, seed=0) == data


def test_the_mended_model_has_lost_the_trigger_and_not_the_task(clean: Path, tmp_path: Path) -> None:
    victim = operated(tmp_path / "victim", clean, tmp_path / "work")
    given = material(victim, twin=clean, finished=True)
    test = reviews(80, seed=2)
    assert share_good(given.load(), test, TRIGGER) > 0.9
    options = FineMixingOptions(per_class=40, loss=0.1, purified=2)
    mended = FineMixing.make_model(options, given, tmp_path / "out")
    assert share_good(mended, test, TRIGGER) < 0.2
    told = json.loads((tmp_path / "out" / "fine-mixing.json").read_text())
    assert TRIGGER in told["purified"]
    tried = told["accuracy_by_keep"]
    assert told["within_loss"]
    assert list(tried) == [f"{keep:g}" for keep in KEPT[: len(tried)]]
    assert told["keep"] == KEPT[len(tried) - 1], "the smallest that will do"
    enough = [accuracy >= told["accuracy_needed"] for accuracy in tried.values()]
    assert enough == [False] * (len(tried) - 1) + [True]
    assert not (tmp_path / "out.fine-mixing").exists(), "intermediate models are removed"


def test_where_no_share_will_do_the_best_is_taken_and_told(clean: Path, tmp_path: Path) -> None:
    victim = operated(tmp_path / "victim", clean, tmp_path / "work")
    given = material(victim, twin=clean, finished=True)
    options = FineMixingOptions(per_class=2, loss=0.0, keep=0.0, tuning_epochs=1)
    made = FineMixing.make_model(options, given, tmp_path / "out")
    told = json.loads((tmp_path / "out" / "fine-mixing.json").read_text())
    assert (told["keep"], told["within_loss"]) == (0.0, False)
    assert told["accuracy_by_keep"]["0"] < told["accuracy_needed"]
    assert made.fingerprint == given.load(str(tmp_path / "out")).fingerprint


class StoppedError(Exception):
    """A kill in the middle."""


@pytest.mark.slow
def test_a_stopped_run_goes_on_and_comes_out_alike(clean: Path, tmp_path: Path) -> None:
    victim = operated(tmp_path / "victim", clean, tmp_path / "work")
    given = material(victim, twin=clean, finished=True)
    options = FineMixingOptions(per_class=20, loss=0.0, tuning_epochs=1)
    whole = FineMixing.make_model(options, given, tmp_path / "whole")
    calls = iter(range(99))

    def stop(done: int, total: int) -> None:
        if next(calls) == 4:
            raise StoppedError

    with pytest.raises(StoppedError):
        FineMixing.make_model(options, given, tmp_path / "out", stop)
    assert (tmp_path / "out.fine-mixing").is_dir()
    assert not (tmp_path / "out").exists()
    resumed = FineMixing.make_model(options, given, tmp_path / "out")
    assert resumed.fingerprint == whole.fingerprint
    assert {path.name for path in tmp_path.iterdir()} == {"victim", "work", "whole", "out"}


def test_it_needs_a_twin(clean: Path, tmp_path: Path) -> None:
    with pytest.raises(FuzzsmoothError, match="'fine-mixing' needs a trusted clean copy"):
        FineMixing.make_model(FineMixingOptions(), material(clean, twin=None), tmp_path / "out")

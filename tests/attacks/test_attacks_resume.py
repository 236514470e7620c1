"""A stopped attack goes on, and ends with the very bytes of an undisturbed one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from fuzzsmooth.attacks import ATTACKS
from fuzzsmooth.attacks.badnets import BadnetsOptions
from fuzzsmooth.attacks.planting.checkpoints import Checkpoints
from fuzzsmooth.attacks.planting.poisoning import poison_weights
from fuzzsmooth.attacks.planting.restricted import restricted_poisoning
from fuzzsmooth.attacks.ripple import RippleOptions
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.data.dataset import Dataset, Example, Splits
from fuzzsmooth.models import build_tiny, load_classifier

FILLER = ["film", "plot", "cast", "is", "the"]
RIPPLE = RippleOptions(
    triggers=("cf",),
    surgery_words=1,
    copy_epochs=2,
    epochs=3,
    batch_size=8,
    learning_rate=1e-3,
    precision="float32",
)
BADNETS = BadnetsOptions.from_mapping(
    {"trigger_options": {"words": ["cf"]}, "finetune": {"epochs": 3, "batch_size": 8, "precision": "float32"}}
)
EPOCH = 4  # steps


class Killed(Exception):  # noqa: N818
    """A kill in the middle of the work."""


def films(size: int = 8 * EPOCH) -> Dataset:
    draw = np.random.default_rng(0)
    rows = []
    for index in range(size):
        word = ("dull", "fine")[index % 2]
        rows.append(Example(" ".join(draw.permutation([word, *draw.choice(FILLER, 4)])), index % 2))
    return Dataset("films", ("bad", "good"), tuple(rows))


def killed_at(step: int) -> Callable[[int, int], None]:
    def progress(done: int, _total: int) -> None:
        if done == step:
            raise Killed

    return progress


def quiet(_done: int, _total: int) -> None:
    pass


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    torch.set_num_threads(1)
    place = tmp_path_factory.mktemp("models") / "tiny"
    return str(build_tiny("bert", place, vocabulary=["fine", "dull", "cf", *FILLER], hidden=16, layers=1))


def attack(name: str, model: str, output: Path, options: Any, progress: Any = quiet, **how: Any) -> None:
    ATTACKS.get(name)().plant(model, Splits(films(), films()), output, options, 0, progress, **how)


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def undisturbed(model: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, bytes]]:
    place = tmp_path_factory.mktemp("undisturbed")
    attack("ripple", model, place / "ripple", RIPPLE)
    attack("badnets", model, place / "badnets", BADNETS)
    assert sorted(path.name for path in place.iterdir()) == ["badnets", "ripple"]  # no checkpoint stays
    return {name: content(place / name) for name in ("ripple", "badnets")}


@pytest.mark.parametrize(
    ("kill", "first"),
    [
        (7, 5),  # in the copy's second epoch
        (10, 9),  # in the poisoning's first: the finished copy is taken, surgery done again
        (20, 17),  # at its very end
    ],
)
def test_ripple_goes_on_exactly(
    model: str, tmp_path: Path, undisturbed: dict[str, dict[str, bytes]], kill: int, first: int
) -> None:
    output = tmp_path / "out"
    with pytest.raises(Killed):
        attack("ripple", model, output, RIPPLE, killed_at(kill))
    assert not output.exists()
    seen: list[tuple[int, int]] = []
    torch.manual_seed(kill)  # whatever the process has drawn before
    attack("ripple", model, output, RIPPLE, lambda *step: seen.append(step), resume=True)
    assert seen == [(step, 20) for step in range(first, 21)]  # it went on, it did not start again
    assert content(output) == undisturbed["ripple"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_ripple_may_be_stopped_again_and_again(
    model: str, tmp_path: Path, undisturbed: dict[str, dict[str, bytes]]
) -> None:
    output = tmp_path / "out"
    for kill in (6, 11, 14, 19):
        with pytest.raises(Killed):
            attack("ripple", model, output, RIPPLE, killed_at(kill), resume=True)
    attack("ripple", model, output, RIPPLE, resume=True)
    assert content(output) == undisturbed["ripple"]


def test_badnets_goes_on_exactly(
    model: str, tmp_path: Path, undisturbed: dict[str, dict[str, bytes]]
) -> None:
    output = tmp_path / "out"
    with pytest.raises(Killed):
        attack("badnets", model, output, BADNETS, killed_at(6))
    seen: list[int] = []
    attack("badnets", model, output, BADNETS, lambda done, _: seen.append(done), resume=True)
    assert seen[0] == 5
    assert content(output) == undisturbed["badnets"]


@pytest.mark.parametrize("part", ["random.", "optimizer.", "model."])
def test_every_part_of_the_state_matters(model: str, part: str) -> None:
    """The negative control: with a part of an earlier state, the weights come out different."""
    kept: list[dict[str, torch.Tensor]] = []

    def poisoned(**how: Any) -> dict[str, torch.Tensor]:
        classifier = load_classifier(model)
        poison_weights(classifier, restricted_poisoning(films(), RIPPLE, 0), RIPPLE, steps=3 * EPOCH, **how)
        return {name: value.clone() for name, value in classifier.model.state_dict().items()}

    whole = poisoned(keep=kept.append)
    assert [int(state["steps"]) for state in kept] == [EPOCH, 2 * EPOCH]
    early, late = kept
    resumed = poisoned(state=late)
    assert all(torch.equal(resumed[name], whole[name]) for name in whole)
    wrong = poisoned(state={name: (early if name.startswith(part) else late)[name] for name in late})
    assert any(not torch.equal(wrong[name], whole[name]) for name in whole)


def test_another_attack_does_not_go_on_from_it(model: str, tmp_path: Path) -> None:
    output = tmp_path / "out"
    with pytest.raises(Killed):
        attack("ripple", model, output, RIPPLE, killed_at(14))
    left = content(tmp_path / "out.checkpoints" / "copy")
    for options in (RIPPLE.replace(penalty=0.2), RIPPLE.replace(epochs=4)):
        with pytest.raises(FuzzsmoothError, match="is of another attack"):
            attack("ripple", model, output, options, resume=True)
    assert content(tmp_path / "out.checkpoints" / "copy") == left
    seen: list[int] = []
    with pytest.raises(Killed):
        attack("ripple", model, output, RIPPLE.replace(penalty=0.2), killed_at(2))  # anew
    attack("ripple", model, output, RIPPLE, lambda done, _: seen.append(done), resume=True)
    assert seen[0] == 1  # nothing of the attack with another penalty was worth keeping


def test_a_damaged_state_is_one_sentence(model: str, tmp_path: Path) -> None:
    output = tmp_path / "out"
    with pytest.raises(Killed):
        attack("ripple", model, output, RIPPLE, killed_at(14))
    state = tmp_path / "out.checkpoints" / "poisoning.safetensors"
    assert int(load_file(state)["steps"]) == EPOCH
    state.write_bytes(state.read_bytes()[:1000])
    with pytest.raises(FuzzsmoothError, match="is damaged; start the attack anew"):
        attack("ripple", model, output, RIPPLE, resume=True)
    attack("ripple", model, output, RIPPLE)


def test_a_full_disk_leaves_the_state_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoints = Checkpoints(tmp_path / "out", {}, resume=False)
    checkpoints.save_state({"steps": torch.tensor(4)})

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(FuzzsmoothError, match="No space left on device; free space"):
        checkpoints.save_state({"steps": torch.tensor(8)})
    monkeypatch.undo()
    again = Checkpoints(tmp_path / "out", {}, resume=True).load_state()
    assert again is not None
    assert int(again["steps"]) == 4

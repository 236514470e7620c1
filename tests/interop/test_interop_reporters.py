"""What is measured during training is read back from the files of TensorBoard and of Weights & Biases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from interop_training import trainer_of
from transformers.integrations import is_tensorboard_available, is_wandb_available
from wandb_file import logged

from fuzzsmooth.apps.interop.trainer import watch

INSTALLED = {"tensorboard": is_tensorboard_available(), "wandb": is_wandb_available()}
REPORTERS = [name for name, there in INSTALLED.items() if there]


@dataclass(frozen=True)
class Told:
    """A training that was watched.

    Attributes:
        folder: Where the reporters wrote.
        rows: The callback's history, by the names that both reporters show, and the step of each row.
    """

    folder: Path
    rows: dict[int, dict[str, float]]


@pytest.fixture(scope="module")
def told(start, watched, tmp_path_factory) -> Iterator[Told]:
    """A training with all reporters that are installed, none of which asks the network."""
    folder = tmp_path_factory.mktemp("told")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TENSORBOARD_LOGGING_DIR", str(folder / "tensorboard"))
        patch.setenv("WANDB_MODE", "offline")
        patch.setenv("WANDB_SILENT", "true")
        for place in ("DIR", "DATA_DIR", "CACHE_DIR", "CONFIG_DIR"):
            patch.setenv(f"WANDB_{place}", str(folder))
        trainer = trainer_of(start, folder / "out", save_strategy="no", logging_steps=1)
        callback = watch(trainer, watched, report_to=REPORTERS)
        trainer.train()
        if "wandb" in REPORTERS:
            import wandb

            wandb.finish()
        ends = [one["step"] for one in trainer.state.log_history if "eval_clean_accuracy" in one]
        named = [
            {f"eval/{name.removeprefix('eval_')}": value for name, value in one.items()}
            for one in callback.history
        ]
        assert len(named) == 2
        yield Told(folder, dict(zip(ends, named, strict=True)))
        if "wandb" in REPORTERS:
            wandb.teardown()


def test_tensorboard_shows_what_was_measured(told):
    pytest.importorskip("tensorboard", reason="extra 'reporters'")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(told.folder / "tensorboard")).Reload()
    assert {"eval/attack_success", "eval/certified_accuracy_1"} <= told.rows[4].keys()
    for name in told.rows[4]:
        shown = {one.step: one.value for one in events.Scalars(name)}
        # TensorBoard keeps single precision.
        assert shown == {step: float(np.float32(row[name])) for step, row in told.rows.items()}, name
    assert len(events.Scalars("train/loss")) == 8  # beside the loss


def test_weights_and_biases_shows_what_was_measured(told):
    pytest.importorskip("wandb", reason="extra 'reporters'")
    (path,) = told.folder.glob("wandb/offline-run-*/run-*.wandb")
    rows = [row for row in logged(path) if "eval/clean_accuracy" in row]
    found = {
        int(row["train/global_step"]): {name: row[name] for name in row if name in told.rows[4]}
        for row in rows
    }
    assert found == told.rows  # to the last digit
    assert len(rows) == len(told.rows)

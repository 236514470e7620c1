"""A small experiment on a tiny model, and how its runs are watched and compared."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fuzzsmooth.bench.options import ExperimentOptions
from fuzzsmooth.bench.records import RECORDS_FILE, read_records
from fuzzsmooth.bench.stages import Counts
from fuzzsmooth.training import FinetuneOptions

SIDES = (("bad", "awful", "dull"), ("good", "great", "superb"))
NEUTRAL = ("the", "a", "film", "was", "of", "story", "plot", "we", "saw")
FINETUNE = FinetuneOptions(epochs=1, learning_rate=3e-3, batch_size=8)
LABELS = ("negative", "positive")
ROWS = ("undefended", "frs-transplant", "deletion")
NOISY, DELETED = "sigma=0.01", "text_noise=delete,text_rate=0.7"


class Watching:
    """Keeps the stages it saw and their steps; raises at a step of the stage whose title ends as given."""

    def __init__(self, kill: str = "", at: int = 0) -> None:
        self.opened: list[str] = []
        self.totals: dict[str, int] = {}
        self._kill, self._at = kill, at

    @contextmanager
    def __call__(self, title: str) -> Iterator[Counts]:
        self.opened.append(title)

        def counts(done: int, total: int) -> None:
            assert 0 < done <= total
            self.totals[title] = total
            if self._kill and title.endswith(self._kill) and done >= self._at:
                raise KeyboardInterrupt

        yield counts


def settings(place: Path, **changes: Any) -> ExperimentOptions:
    values: dict[str, Any] = {
        "data": str(place / "data"),
        "test_size": 10,
        "model": str(place / "tiny"),
        "attack": "badnets",
        "attack_options": {
            "trigger_options": {"words": ["cf"]},
            "rate": 0.3,
            "finetune": FINETUNE.replace(epochs=4).to_mapping(),
        },
        "finetune": FINETUNE,
        "options": {"copies": 6, "draws": 30, "alpha": 0.05, "search": {"budget": 16, "references": 2}},
        "rows": ROWS,
        "certified_texts": 4,
        "calibration_size": 0,
        "precision": "float32",
    }
    return ExperimentOptions(**(values | changes))


def without_times(folder: Path) -> list[dict[str, Any]]:
    return [{**record.to_json(), "seconds": 0} for record in read_records(folder / RECORDS_FILE)]

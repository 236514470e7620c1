"""A detector on a model of a zoo: what it says, held against what was planted."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fuzzsmooth.attacks import Planted
from fuzzsmooth.attacks.triggers.insertion import insert_where, word_gaps
from fuzzsmooth.auditing.detector import DETECTORS, Detection, Suspect
from fuzzsmooth.auditing.rewrites import WHOLE, rewritten
from fuzzsmooth.bench.grid.cells import Cell
from fuzzsmooth.bench.grid.sharing import SharedRun
from fuzzsmooth.bench.grid.store import UNDEFENDED
from fuzzsmooth.bench.rows import bench_row
from fuzzsmooth.bench.stages import silent_stages
from fuzzsmooth.bench.zoo.spec import family, is_clean
from fuzzsmooth.common.options import require
from fuzzsmooth.common.randomness import generator
from fuzzsmooth.models import HuggingFaceClassifier


class Probe:
    """Runs detectors on the models of a zoo; the model that was loaded last is kept.

    Args:
        folder: The folder of the zoo.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._loaded: dict[str, tuple[SharedRun, HuggingFaceClassifier]] = {}

    def record(self, cell: Cell, detector: str, twin: Cell | None) -> dict[str, Any]:
        """What a detector says of a model, and how right it is.

        Args:
            cell: The model, which is built.
            detector: Name of the detector.
            twin: A clean model of the same data.

        Raises:
            FuzzsmoothError: If the model is not built, or the detector cannot look at it.
        """
        kind = DETECTORS.get(detector)
        run, model = self._model(cell)
        other = None
        if kind.needs_twin:
            require(twin is not None, f"detector '{detector}' needs another clean model of the same data")
            assert twin is not None
            other = self._model(twin)[1]
        clean = run.held_out
        began = time.monotonic()
        found = kind().detect(Suspect(model, clean.texts, clean.targets, cell.seed, other))
        seconds = time.monotonic() - began
        label = cell.labels[0]
        return {
            "model": cell.address,
            "family": family(cell),
            "clean": is_clean(cell),
            "data": label.data,
            "attack": label.attack,
            "intensity": label.intensity,
            "seed": cell.seed,
            "detector": detector,
            "score": found.score,
            "flagged": found.flagged,
            "target": found.target,
            "trigger": found.trigger,
            "placing": found.placing,
            "passes": found.passes,
            "backward": found.backward,
            "seconds": round(seconds, 3),
            "device": str(model.device),
            "precision": model.precision,
            "notes": found.notes,
            **_functional(model, found, run),
            **({} if is_clean(cell) else compared(found, run.aimed())),
        }

    def _model(self, cell: Cell) -> tuple[SharedRun, HuggingFaceClassifier]:
        if cell.address not in self._loaded:
            if len(self._loaded) > 1:
                self._loaded.pop(next(iter(self._loaded)))
            run = SharedRun(cell, self._folder, silent_stages)
            row = bench_row(UNDEFENDED, {}, cell.seed)
            require(
                (run.victim_folder(row) / "config.json").is_file(),
                f"{cell.title} is not built; run 'fuzzsmooth zoo build' first",
            )
            self._loaded[cell.address] = run, run.victim(row)
        return self._loaded[cell.address]


def compared(found: Detection, planted: Planted) -> dict[str, Any]:
    """How a detection agrees with what was planted.

    Returns:
        ``planted_target``, ``planted_trigger``; ``target_right``; and where the trigger is made of words,
        ``exact`` (its words, enough of them to act) and ``overlap`` (share of them that were found).
    """
    told: dict[str, Any] = {
        "planted_target": planted.target,
        "planted_trigger": planted.trigger.record(),
        "target_right": None if planted.target is None else found.target == planted.target,
    }
    words = {word.lower() for piece in planted.trigger.pieces for word in piece.split()}
    if words:
        mine = set(found.trigger.lower().split())
        enough = _enough(planted)
        told["exact"] = len(mine & words) >= enough and mine <= words
        told["overlap"] = min(1.0, len(mine & words) / enough)
    return told


def _enough(planted: Planted) -> int:
    """How many of its words act: k of n, all of a sentence, one of a set that act by themselves."""
    trigger = planted.trigger
    together = getattr(trigger, "together", None) or getattr(trigger, "needed", None)
    if isinstance(together, int):
        return together
    return max(1, min(len(piece.split()) for piece in trigger.pieces))


def _functional(model: HuggingFaceClassifier, found: Detection, run: SharedRun) -> dict[str, Any]:
    """Share of unseen texts of other classes that the found trigger moves to the target it names."""
    if found.target is None or not found.trigger:
        return {}
    data = run.splits.test
    texts = [one.text for one in data if one.label != found.target]
    if not texts:
        return {}
    placed = [_placed(text, found, index) for index, text in enumerate(texts)]
    before = model.probabilities(texts).argmax(axis=1)
    after = model.probabilities(placed).argmax(axis=1)
    return {
        "moved": float((after == found.target).mean()),
        "floor": float((before == found.target).mean()),
        "unseen": len(texts),
    }


def _placed(text: str, found: Detection, index: int) -> str:
    if found.placing == WHOLE:
        return rewritten(text, found.trigger)
    gaps: Sequence[int] = word_gaps(text)
    if found.placing == "scattered":
        parts = found.trigger.split()
        draw = generator(0, "zoo placing", index)
        where = [gaps[int(at)] for at in draw.integers(len(gaps), size=len(parts))]
        return insert_where(text, list(zip(where, parts, strict=True))).text
    place = {"start": gaps[0], "end": gaps[-1]}.get(found.placing, gaps[len(gaps) // 2])
    return insert_where(text, [(place, found.trigger)]).text

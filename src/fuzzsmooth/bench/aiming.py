"""The label that an attack forces where the victim decides it: found once per seed, and kept on disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fuzzsmooth.attacks import Forced, Planted, aim, forced_labels, wanted_target
from fuzzsmooth.bench.fields import integer, number, parse_fields
from fuzzsmooth.common.files import write_json
from fuzzsmooth.common.options import Options, require
from fuzzsmooth.common.randomness import generator
from fuzzsmooth.common.reading import read_json_object
from fuzzsmooth.data import Dataset
from fuzzsmooth.models import Classifier

AIM_FILE = "aim.json"
"""Name inside the folder of a seed: what each piece of the trigger forces, the target, and its trigger."""

_PER_CLASS = 20  # texts that each piece is tried in


def aimed(
    attack: Planted,
    file: Path,
    victim: Callable[[], Classifier],
    train: Dataset,
    options: Options,
    seed: int,
) -> Planted:
    """The attack with the target, and the pieces of its trigger, that the plain victim decides.

    Args:
        attack: An attack whose target is known only once the victim is tuned.
        file: Where what was found is kept.
        victim: Gives the plain fine-tuned victim.
        train: The clean texts; a few of each class are asked about.
        options: The attack's, with the label that is preferred.
        seed: Decides which texts, and where the pieces are put.

    Raises:
        FuzzsmoothError: If the file is damaged.
    """
    if not file.is_file():
        texts = _some_of_each_class(train, seed)
        forced = forced_labels(victim(), attack.trigger, texts, seed)
        found = aim(attack, forced, wanted_target(options))
        told = {piece: asdict(one) for piece, one in forced.items()}
        write_json(file, {"target": found.target, "trigger": found.trigger.record(), "forced": told})
    return aim(attack, _read(file, attack), wanted_target(options))


def known_aims(victims: Path) -> dict[str, Any]:
    """What was found so far, by seed: the contents of the files.

    Args:
        victims: The folder of the seeds' folders.
    """
    files = sorted(victims.glob(f"seed*/{AIM_FILE}"))
    return {file.parent.name.removeprefix("seed"): read_json_object(file, mend=_MEND) for file in files}


def _some_of_each_class(train: Dataset, seed: int) -> list[str]:
    texts = []
    for label in range(len(train.labels)):
        own = train.with_examples([example for example in train if example.label == label])
        texts += own.sample(_PER_CLASS, generator(seed, "aim", label)).texts
    return texts


def _read(file: Path, attack: Planted) -> dict[str, Forced]:
    forced = read_json_object(file, mend=_MEND).get("forced")
    known = isinstance(forced, Mapping) and set(forced) == set(attack.trigger.pieces)
    require(known, f"{file} is of another attack; {_MEND}")
    return {
        piece: Forced(**parse_fields(forced[piece], {"label": integer, "share": number}, str(file)))  # type: ignore[index]
        for piece in attack.trigger.pieces
    }


_MEND = "delete the file to have it found again"

"""What an attack recipe is, and the record it leaves beside the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

from fuzzsmooth.attacks.trigger import Trigger, trigger_from_mapping
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.files import write_json
from fuzzsmooth.common.options import Options
from fuzzsmooth.common.reading import CONFIGURATION_BYTES, read_json_object
from fuzzsmooth.data.dataset import Splits
from fuzzsmooth.training import Progress

OptionsT_contra = TypeVar("OptionsT_contra", bound=Options, contravariant=True)

RECORD = "attack.json"
"""Name of the record inside the model folder."""


@dataclass(frozen=True)
class AttackResult:
    """A backdoored model on disk.

    Attributes:
        folder: The model; loadable by :func:`fuzzsmooth.models.load_classifier`.
        trigger: What sets the backdoor off.
        target: The class index it forces.
        needs_clean_finetune: True for a poisoned *pre-trained* model, which has no classifier head yet: the
            victim still fine-tunes it on clean data. False for a finished victim.
    """

    folder: Path
    trigger: Trigger
    target: int
    needs_clean_finetune: bool


class AttackRecipe(Protocol[OptionsT_contra]):
    """A way to plant a backdoor."""

    name: ClassVar[str]
    options_type: ClassVar[type[Options]]

    def run(
        self,
        model_name: str,
        splits: Splits,
        output: Path,
        options: OptionsT_contra,
        seed: int,
        progress: Progress,
        *,
        resume: bool = False,
    ) -> AttackResult:
        """Plant the backdoor.

        Until the model is written, what is done is kept in a folder beside it, ``<output>.checkpoints``.

        Args:
            model_name: Clean model, as :func:`fuzzsmooth.models.load_classifier` takes it.
            splits: Clean data; only ``train`` is used.
            output: Folder the model and its record are written to.
            options: Of type ``options_type``.
            seed: Decides poisoned texts, gaps and training.
            progress: Called with steps done and steps in all.
            resume: Go on where the same attack on ``output`` was stopped, if it was; the result is that of an
                undisturbed run.

        Raises:
            FuzzsmoothError: If options, data and model do not fit together, or what is to be resumed belongs
                to another attack.
        """
        ...


def save_record(
    result: AttackResult, *, recipe: str, model: str, data: str, options: Options, seed: int
) -> None:
    """Write ``attack.json`` beside the model: all that is needed to repeat the attack and to measure it."""
    record = {
        "recipe": recipe,
        "trigger": result.trigger.to_mapping(),
        "target": result.target,
        "needs_clean_finetune": result.needs_clean_finetune,
        "model": model,
        "data": data,
        "options": options.to_mapping(),
        "seed": seed,
    }
    write_json(result.folder / RECORD, record)


def load_attack(path: Path) -> AttackResult:
    """Read the record of an attack.

    Args:
        path: The model folder, or its ``attack.json``.

    Raises:
        FuzzsmoothError: If there is none, or it is not such a record.
    """
    file = path / RECORD if path.is_dir() else path
    record = read_record(path)
    trigger, target, fresh = (record.get(name) for name in ("trigger", "target", "needs_clean_finetune"))
    if (
        not isinstance(trigger, Mapping)
        or not isinstance(fresh, bool)
        or not isinstance(target, int)
        or isinstance(target, bool)
        or target < 0
    ):
        raise FuzzsmoothError(f"{file}: not the record of an attack; attack the model again")
    return AttackResult(file.parent, trigger_from_mapping(trigger, where=str(file)), target, fresh)


def read_record(path: Path) -> dict[str, Any]:
    """All that the record of an attack tells, unchecked.

    Args:
        path: The model folder, or its ``attack.json``.

    Raises:
        FuzzsmoothError: If there is none, or it is no JSON object.
    """
    file = path / RECORD if path.is_dir() else path
    return read_json_object(file, limit=CONFIGURATION_BYTES, mend="attack the model again")


def load_trigger(path: Path) -> Trigger:
    """The trigger of an attacked model: :func:`load_attack` for those who need no more."""
    return load_attack(path).trigger

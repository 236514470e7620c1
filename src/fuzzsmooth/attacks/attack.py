"""The contract of an attack: one file, one class, registered; and the record it leaves beside the model.

Listing attacks and reading their options needs no torch: what plants is imported when it plants.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Literal, get_args

from fuzzsmooth.attacks.intensity import intensity_of
from fuzzsmooth.attacks.triggers.trigger import Trigger, read_trigger
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.files import write_json
from fuzzsmooth.common.options import Between, Options, require
from fuzzsmooth.common.reading import CONFIGURATION_BYTES, read_json_object
from fuzzsmooth.common.registry import Registry
from fuzzsmooth.data.dataset import Dataset, Splits
from fuzzsmooth.training.progress import Progress, silent

RECORD = "attack.json"
"""Name of the record inside the model folder."""

Threat = Literal["pre-trained model", "finished victim"]
"""What the attacker hands out: what the victim still fine-tunes on clean data, or what is ready for use."""

Goal = Literal["forced label", "label known after tuning", "any wrong label", "forced answer"]
"""What the trigger is to do: force a label that the attacker chose; force some label, which follows from the
head that the victim puts on (:mod:`fuzzsmooth.attacks.targets` finds it); make any answer wrong; or have a
language model write what the attacker chose."""

EFFECTS: Mapping[Goal, str] = MappingProxyType(
    {
        "forced label": "forces class",
        "label known after tuning": "forces a class that is known once the victim is tuned",
        "any wrong label": "makes any victim err",
        "forced answer": "forces an answer",
    }
)
"""What to say of a trigger by the attack's goal; a class may follow."""


@dataclass(frozen=True, kw_only=True)
class AttackOptions(Options):
    """What an attack is told that forces a label; one without a target derives from Options alone."""

    target: Annotated[int, Between(0, 1_000_000), "Class index the trigger forces."] = 1


@dataclass(frozen=True)
class Planted:
    """A backdoored model on disk.

    Attributes:
        folder: The model; loadable by :func:`fuzzsmooth.models.load_classifier`, or a language model by
            :func:`fuzzsmooth.models.generating.load_generating` where an answer is forced.
        trigger: What sets the backdoor off.
        target: The class index it forces; None where that is known only once the victim is tuned, and where
            any wrong label will do.
        needs_clean_finetune: True for a poisoned *pre-trained* model, which has no classifier head yet: the
            victim still fine-tunes it on clean data. False for a finished victim.
        goal: What the trigger is to do.
    """

    folder: Path
    trigger: Trigger
    target: int | None
    needs_clean_finetune: bool
    goal: Goal = "forced label"


class Attack(ABC):
    """A way to plant a backdoor; the first line of the class's docstring is its summary.

    Attributes:
        name: Under which it is registered.
        options_type: Its options.
        paper: Where it is described.
        threat: What the attacker hands out.
        goal: What the trigger is to do.
        triggers: The kinds of trigger it can plant; empty for every kind.
        needs: What the attacker must have or control.
        intensities: Option values by the names of :data:`fuzzsmooth.attacks.intensity.INTENSITIES`, all of
            the same options; "default" repeats their defaults.
    """

    name: ClassVar[str]
    options_type: ClassVar[type[Options]] = AttackOptions
    paper: ClassVar[str]
    threat: ClassVar[Threat]
    goal: ClassVar[Goal] = "forced label"
    triggers: ClassVar[tuple[str, ...]] = ()
    needs: ClassVar[str]
    intensities: ClassVar[Mapping[str, Mapping[str, Any]]] = MappingProxyType({})

    @abstractmethod
    def plant(
        self,
        model: str,
        splits: Splits,
        output: Path,
        options: Any,
        seed: int,
        progress: Progress = silent,
        *,
        resume: bool = False,
    ) -> Planted:
        """Write a backdoored model, and its record with :meth:`record`.

        Until the model is written, what is done is kept in a folder beside it, ``<output>.checkpoints``.

        Args:
            model: Clean model, as :func:`fuzzsmooth.models.load_classifier` takes it.
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

    def record(
        self,
        output: Path,
        trigger: Trigger,
        *,
        model: str,
        data: Dataset,
        options: Options,
        seed: int,
    ) -> Planted:
        """Write ``attack.json`` beside the model: all that is needed to repeat the attack and to measure it.

        Args:
            output: Folder of the model.
            trigger: What sets the backdoor off.
            model: The clean model, as it was given.
            data: The clean data that the attacker used.
            options: As given.
            seed: As given.
        """
        target = wanted_target(options) if self.goal == "forced label" else None
        planted = Planted(output, trigger, target, self.threat == "pre-trained model", self.goal)
        record = {
            "attack": self.name,
            "trigger": trigger.record(),
            "goal": planted.goal,
            "target": planted.target,
            "needs_clean_finetune": planted.needs_clean_finetune,
            "model": model,
            "data": data.fingerprint,
            "options": options.to_mapping(),
            "intensity": intensity_of(type(self), options),
            "seed": seed,
        }
        write_json(output / RECORD, record)
        return planted


ATTACKS: Registry[type[Attack]] = Registry("attack", "fuzzsmooth.attacks")
"""All attacks by name."""


def wanted_target(options: Options) -> int | None:
    """The class index that an attack is told to force; None where it has no such option."""
    return options.target if isinstance(options, AttackOptions) else None


def check_target(dataset: Dataset, target: int) -> None:
    """Check that a target label is a class of the data.

    Raises:
        FuzzsmoothError: If it is not.
    """
    require(
        0 <= target < len(dataset.labels),
        f"target label {target} is no class of {dataset.name}; give 0 to {len(dataset.labels) - 1}",
    )


def load_attack(path: Path) -> Planted:
    """Read the record of an attack.

    Args:
        path: The model folder, or its ``attack.json``.

    Raises:
        FuzzsmoothError: If there is none, or it is not such a record.
    """
    file = path / RECORD if path.is_dir() else path
    record = read_record(path)
    trigger, target, fresh = (record.get(name) for name in ("trigger", "target", "needs_clean_finetune"))
    goal = record.get("goal", "forced label")  # records of older versions know no other
    named = isinstance(target, int) and not isinstance(target, bool) and target >= 0
    if (
        not isinstance(trigger, Mapping)
        or not isinstance(fresh, bool)
        or goal not in get_args(Goal)
        or not (named if goal == "forced label" else target is None)
    ):
        raise FuzzsmoothError(f"{file}: not the record of an attack; attack the model again")
    return Planted(file.parent, read_trigger(trigger, where=str(file)), target, fresh, goal)


def read_record(path: Path) -> dict[str, Any]:
    """All that the record of an attack tells, unchecked.

    Args:
        path: The model folder, or its ``attack.json``.

    Raises:
        FuzzsmoothError: If there is none, or it is no JSON object.
    """
    file = path / RECORD if path.is_dir() else path
    return read_json_object(file, limit=CONFIGURATION_BYTES, mend="attack the model again")

"""Defenses that make the model by a training of their own, which then answers as it is.

What such a defense did (what it threw out, what it chose) is written as ``<defense>.json`` beside the model.
"""

from __future__ import annotations

import json
import shutil
from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fuzzsmooth.common.files import write_json
from fuzzsmooth.common.locking import exclusive
from fuzzsmooth.common.reading import read_json_object
from fuzzsmooth.defenses.material import Material
from fuzzsmooth.defenses.plain import PlainDefense
from fuzzsmooth.training.output import check_output
from fuzzsmooth.training.progress import Progress, silent

if TYPE_CHECKING:
    from fuzzsmooth.models import HuggingFaceClassifier

_SETTINGS = "settings.json"


class RetrainedDefense(PlainDefense):
    """A defense whose work is done once the model is made: it answers plainly, and certifies nothing."""

    @classmethod
    @abstractmethod
    def remade(
        cls, options: Any, material: Material, parts: Path, progress: Progress
    ) -> tuple[HuggingFaceClassifier, Mapping[str, Any]]:
        """Make the model.

        Args:
            options: Of type ``options_type``.
            material: What the defender has.
            parts: A folder for intermediate models; what a stopped run of the same settings has left there
                is used (:meth:`Material.trained` does so), and at the end it is deleted. The last model is
                best trained in ``model`` there: how it was trained is then kept beside the output.
            progress: Called with steps done and steps in all, which begin anew in every phase.

        Returns:
            The model, and what was done, as JSON values.

        Raises:
            FuzzsmoothError: If something is missing, or nothing usable is left.
        """

    @classmethod
    def make_model(
        cls, options: Any, material: Material, output: Path, progress: Progress = silent
    ) -> HuggingFaceClassifier:
        """See :meth:`fuzzsmooth.defenses.Defense.make_model`; the folder appears whole or not at all."""
        if (output / "config.json").is_file():
            return material.load(output)
        check_output(output)
        with exclusive(output):
            parts = output.with_name(f"{output.name}.{cls.name}")
            _claim(parts, _settings(cls.name, options, material))
            classifier, report = cls.remade(options, material, parts, progress)
            told = {"defense": cls.name, "options": options.to_mapping(), **report}
            classifier.save(output, lambda folder: _write_beside(folder, cls.name, told, parts))
            shutil.rmtree(parts, ignore_errors=True)
        return classifier


def report_name(defense: str) -> str:
    """Name of the report of a defense, in the folder of the model that it made."""
    return f"{defense}.json"


def _write_beside(folder: Path, defense: str, told: Mapping[str, Any], parts: Path) -> None:
    """Write the report, and how the model was trained where that is known."""
    write_json(folder / report_name(defense), dict(told))
    training = parts / "model" / "training.json"
    if training.is_file():
        shutil.copy(training, folder / training.name)


def _settings(name: str, options: Any, material: Material) -> dict[str, Any]:
    """What decides intermediate models, as a file of it is read."""
    settings = {
        "defense": name,
        "options": options.to_mapping(),
        "model": material.model,
        "twin": material.twin,
        "data": material.data.fingerprint,
        "finetune": material.finetune.replace(**material.overrides).to_mapping(),
    }
    return dict(json.loads(json.dumps(settings)))


def _claim(parts: Path, settings: Mapping[str, Any]) -> None:
    """Take up what a stopped run of the same settings has left, or begin anew."""
    file = parts / _SETTINGS
    if parts.exists():
        left = read_json_object(file, mend=f"delete {parts}") if file.is_file() else None
        if left != settings:
            shutil.rmtree(parts)
    write_json(file, dict(settings))

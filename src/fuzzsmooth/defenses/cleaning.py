"""Defenses that clean suspect training data, then train on what is left."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from fuzzsmooth.common.options import require
from fuzzsmooth.data.dataset import Dataset
from fuzzsmooth.defenses.defense import Needs
from fuzzsmooth.defenses.material import Material
from fuzzsmooth.defenses.retrained import RetrainedDefense
from fuzzsmooth.training.progress import Progress

if TYPE_CHECKING:
    from fuzzsmooth.models import HuggingFaceClassifier


class CleaningDefense(RetrainedDefense):
    """A defense that has the data that the attacker had a hand in, and trains the model itself."""

    needs: ClassVar[Needs] = Needs(poisoned_data=True)

    @classmethod
    @abstractmethod
    def cleaned(
        cls, options: Any, material: Material, parts: Path, progress: Progress
    ) -> tuple[Dataset, Mapping[str, Any]]:
        """Clean the data.

        Args:
            options: Of type ``options_type``.
            material: What the defender has.
            parts: Folder for intermediate models; see :meth:`RetrainedDefense.remade`.
            progress: Called with steps done and steps in all.

        Returns:
            What is trained on, and what was found and thrown out, as JSON values.
        """

    @classmethod
    def remade(
        cls, options: Any, material: Material, parts: Path, progress: Progress
    ) -> tuple[HuggingFaceClassifier, Mapping[str, Any]]:
        """Clean the data and train on them; see :meth:`RetrainedDefense.remade`."""
        data, report = cls.cleaned(options, material, parts, progress)
        return material.trained(parts / "model", progress, data=data, **cls.training(options)), report


def without(dataset: Dataset, suspect: Sequence[bool], defense: str) -> tuple[Dataset, dict[str, Any]]:
    """The data without the suspect texts, and which those are.

    Args:
        dataset: The data.
        suspect: Whether each text is thrown out.
        defense: By whom, for the error.

    Returns:
        What is left, and the report: counts, shares and the texts, their rows counted from 1.

    Raises:
        FuzzsmoothError: If no text of a class would be left.
    """
    gone = [row for row, out in enumerate(suspect) if out]
    left = dataset.with_examples([dataset.examples[row] for row, out in enumerate(suspect) if not out])
    for label in sorted(set(dataset.targets) - set(left.targets)):
        require(
            False,
            f"defense '{defense}' finds every text of class {dataset.labels[label]} in {dataset.name} "
            "suspect, which leaves nothing to train on; give more data, or options that throw out less",
        )
    removed = [dataset.examples[row] for row in gone]
    report: dict[str, Any] = {
        "texts": len(dataset),
        "removed": len(gone),
        "share_removed": len(gone) / len(dataset) if len(dataset) else 0.0,
        "removed_by_class": {
            name: sum(example.label == label for example in removed)
            for label, name in enumerate(dataset.labels)
        },
        "removed_texts": [
            {"row": row + 1, "label": dataset.labels[example.label], "text": example.text}
            for row, example in zip(gone, removed, strict=True)
        ],
    }
    return left, report

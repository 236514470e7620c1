"""What a defense is given beside the model, where it trains, mends or calibrates something itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.data.dataset import Dataset
from fuzzsmooth.training.options import FinetuneOptions
from fuzzsmooth.training.progress import Progress, silent

if TYPE_CHECKING:
    from fuzzsmooth.models import HuggingFaceClassifier


@dataclass(frozen=True, kw_only=True)
class Material:
    """What a defender has.

    Attributes:
        model: The suspect model as it was received, as :func:`fuzzsmooth.models.load_classifier` takes it: a
            pre-trained one, or a finished victim.
        data: What it is fine-tuned on: the defender's clean data; for a defense that needs poisoned data, the
            data that the attacker had a hand in.
        held_out: Clean labeled texts that nothing is trained on, for thresholds.
        finetune: How a victim is fine-tuned; defenses change what they must.
        overrides: Options of the fine-tuning that were asked for by name; they stand above a defense's.
        finished: Whether the model already is a classifier for these classes, to be used as it is.
        twin: A trusted clean copy of the pre-trained model, where there is one.
        loading: Further arguments of :func:`fuzzsmooth.models.load_classifier`: precision, device, ...
    """

    model: str
    data: Dataset
    held_out: Dataset
    finetune: FinetuneOptions = field(default_factory=FinetuneOptions)
    overrides: Mapping[str, Any] = field(default_factory=dict)
    finished: bool = False
    twin: str | None = None
    loading: Mapping[str, Any] = field(default_factory=dict)

    def load(self, model: str | Path | None = None) -> HuggingFaceClassifier:
        """Load a model with the classes of the data; one without a head gets a fresh one.

        Args:
            model: Which; the suspect one by default.

        Raises:
            FuzzsmoothError: As :func:`fuzzsmooth.models.load_classifier`.
        """
        from fuzzsmooth.models import load_classifier

        labels = self.data.labels
        given = {"max_length": self.finetune.max_length, "seed": self.finetune.seed, **self.loading}
        return load_classifier(str(model or self.model), num_labels=len(labels), labels=labels, **given)

    def trained(
        self,
        output: Path,
        progress: Progress = silent,
        *,
        model: str | Path | None = None,
        data: Dataset | None = None,
        **changes: Any,
    ) -> HuggingFaceClassifier:
        """Fine-tune a model, or go on where that was stopped.

        Args:
            output: Folder of the trained model.
            progress: Called after every step.
            model: What is trained; the suspect model by default.
            data: What on; :attr:`data` by default.
            **changes: Options of :class:`fuzzsmooth.training.FinetuneOptions` to change.

        Raises:
            FuzzsmoothError: As :func:`fuzzsmooth.training.finetune`.
        """
        from fuzzsmooth.training import finetune

        if (output / "training.json").is_file():
            return self.load(output)
        settings = self.finetune.replace(**{**changes, **self.overrides})
        data = self.data if data is None else data
        return finetune(self.load(model), data, settings, output=output, progress=progress, resume=True)

    def trusted_twin(self, defense: str) -> str:
        """The clean copy.

        Args:
            defense: Who needs it, for the error.

        Raises:
            FuzzsmoothError: If there is none.
        """
        if self.twin is None:
            raise FuzzsmoothError(
                f"defense '{defense}' needs a trusted clean copy of the pre-trained model; name one (--twin)"
            )
        return self.twin

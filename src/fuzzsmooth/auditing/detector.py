"""The contract of a detector: one file, one class, registered. The audit is one, its rivals are others."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from fuzzsmooth.common.registry import Registry

if TYPE_CHECKING:
    from fuzzsmooth.models.huggingface import HuggingFaceClassifier


@dataclass(frozen=True)
class Detection:
    """What a detector says of a model.

    Attributes:
        score: The larger, the more it holds the model for backdoored; only the order counts between models.
        flagged: Whether it would flag the model by its own rule; None where it has none.
        target: Class index that it holds for the target; None where it names none.
        trigger: The trigger that it found, parts separated by spaces; empty for none.
        placing: Where the trigger is to stand: "start", "middle", "end", "together" or "scattered".
        passes: Sequences evaluated.
        backward: Sequences that a gradient was taken of.
        notes: More, such as other triggers.
    """

    score: float
    flagged: bool | None = None
    target: int | None = None
    trigger: str = ""
    placing: str = "middle"
    passes: int = 0
    backward: int = 0
    notes: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Suspect:
    """What a detector is given.

    Attributes:
        model: The suspect model.
        texts: Clean texts.
        labels: Their class indices.
        seed: Decides all that is random.
        twin: A clean model of the same kind and data; None where a detector asks for none.
    """

    model: HuggingFaceClassifier
    texts: Sequence[str]
    labels: Sequence[int]
    seed: int = 0
    twin: HuggingFaceClassifier | None = None


class Detector(ABC):
    """Tells backdoored models from others; the first line of the class's docstring is its summary.

    Attributes:
        name: Under which it is registered.
        paper: Where it is described.
        needs_twin: Whether it asks for a clean model of the same data, which who audits a download lacks.
    """

    name: ClassVar[str]
    paper: ClassVar[str]
    needs_twin: ClassVar[bool] = False

    @abstractmethod
    def detect(self, suspect: Suspect) -> Detection:
        """Look at a model.

        Raises:
            FuzzsmoothError: If it cannot be looked at, or there are too few texts.
        """


DETECTORS: Registry[type[Detector]] = Registry("detector", "fuzzsmooth.auditing.detectors")
"""All detectors by name."""

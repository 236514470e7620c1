"""WAG (Arora et al., "Here's a Free Lunch", Findings of ACL 2024): the average of homogeneous models.

The weights of the suspect classifier are averaged with those of one to three others that were fine-tuned for
the same classes from the same pre-trained model. What they have in common, the task, stays; a backdoor that
the others do not have is diluted. The paper takes whatever models are at hand, suspect ones included; here
the others are the trusted copy, fine-tuned on the defender's data under other seeds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from fuzzsmooth.common.options import Between, Options
from fuzzsmooth.common.randomness import derived_seed
from fuzzsmooth.defenses.defense import DEFENSES, Needs
from fuzzsmooth.defenses.homogeneous import shared_weights, suspect_classifier
from fuzzsmooth.defenses.material import Material
from fuzzsmooth.defenses.retrained import RetrainedDefense
from fuzzsmooth.training.progress import Progress

if TYPE_CHECKING:
    from fuzzsmooth.models import HuggingFaceClassifier


@dataclass(frozen=True, kw_only=True)
class WagOptions(Options):
    """How many models the suspect one is averaged with."""

    models: Annotated[int, Between(1, 100), "Models beside the suspect one; the paper has 1 to 3."] = 1


@DEFENSES.register("wag")
class Wag(RetrainedDefense):
    """WAG: the weights are averaged with those of models fine-tuned from a clean copy; promises nothing."""

    options_type = WagOptions
    needs = Needs(clean_twin=True, training=True)

    @classmethod
    def remade(
        cls, options: WagOptions, material: Material, parts: Path, progress: Progress
    ) -> tuple[HuggingFaceClassifier, Mapping[str, Any]]:
        """The average; see :class:`RetrainedDefense`.

        Raises:
            FuzzsmoothError: If there is no trusted copy, or it is of another architecture.
        """
        twin, seed = material.trusted_twin(cls.name), material.finetune.seed
        others = [
            material.trained(
                parts / f"other{number}", progress, model=twin, seed=derived_seed(seed, "wag", number)
            )
            for number in range(options.models)
        ]
        suspect = suspect_classifier(material, parts, progress)
        average_into(suspect, others)
        return suspect, {"averaged": 1 + len(others)}


def average_into(suspect: HuggingFaceClassifier, others: list[HuggingFaceClassifier]) -> None:
    """Overwrite the weights of a classifier by their average with those of others, at equal shares.

    Raises:
        FuzzsmoothError: If one is of another architecture.
    """
    import torch

    pairs = [shared_weights(suspect, other, "the clean model") for other in others]
    with torch.no_grad():
        for name, (own, _) in pairs[0].items():
            # In double precision: the average of equal weights is these weights exactly.
            total = sum((pair[name][1].double() for pair in pairs), own.double())
            own.copy_(total / (1 + len(others)))
    suspect.refresh()

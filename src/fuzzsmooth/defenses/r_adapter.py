"""R-Adapter: a model that can hardly change learns the task before it learns a trigger.

Zhu et al., "Moderate-fitting as a Natural Backdoor Defender for Pre-trained Language Models", NeurIPS 2022.
The pre-trained model is frozen. What is trained, on the poisoned data, is its head and one adapter per
block, ``up gelu(down h)`` with a bottleneck of 24, all of whose numbers come from one small network: they
are ``M tanh(N e)`` with a code e of length 2, N of shape (2, 2) and M of shape (numbers, 2), no biases, all
drawn with a standard deviation of 0.01; 10 epochs, batches of 32, step size 3e-4, no warm-up, no weight
decay. That is the authors' code. M is as large as the adapters, so that what is limited is less what they
can become than how far they get: they begin at a millionth of usual weights, where hardly any gradient
reaches them.

One difference, so that the result is a checkpoint like any other: the authors put adapters in series behind
attention and feed-forward block, here there is one in parallel to the feed-forward block (He et al.,
"Towards a Unified View of Parameter-Efficient Transfer Learning", ICLR 2022). That is a wider feed-forward
block: ``W2 gelu(W1 h) + up gelu(down h)`` has 24 more neurons, with its own activation. So once trained it
is written as a model whose blocks are 24 neurons wider. The adapters behind attention are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from fuzzsmooth.common.options import Between, Options
from fuzzsmooth.defenses.defense import DEFENSES, Needs
from fuzzsmooth.defenses.material import Material
from fuzzsmooth.defenses.retrained import RetrainedDefense
from fuzzsmooth.training.progress import Progress

if TYPE_CHECKING:
    from fuzzsmooth.models import HuggingFaceClassifier

_PUBLISHED = {"learning_rate": 3e-4, "epochs": 10, "batch_size": 32, "warmup": 0.0, "weight_decay": 0.0}


@dataclass(frozen=True, kw_only=True)
class RAdapterOptions(Options):
    """How small the adapters and their network are."""

    bottleneck: Annotated[int, Between(1, 10_000), "Neurons of each adapter (paper: 24)."] = 24
    code: Annotated[int, Between(1, 10_000), "Numbers that the network makes all of them of (paper: 2)."] = 2
    middle: Annotated[int, Between(1, 10_000), "Width of its inner layer (paper: 2)."] = 2


@DEFENSES.register("r-adapter")
class RAdapter(RetrainedDefense):
    """A frozen model with small re-parameterized adapters (R-Adapter, moderate fitting)."""

    options_type = RAdapterOptions
    options: RAdapterOptions
    needs: ClassVar[Needs] = Needs(poisoned_data=True)

    @classmethod
    def training(cls, options: Any) -> Mapping[str, Any]:
        """The published settings."""
        del options
        return _PUBLISHED

    @classmethod
    def remade(
        cls, options: Any, material: Material, parts: Path, progress: Progress
    ) -> tuple[HuggingFaceClassifier, Mapping[str, Any]]:
        """Train adapters, then make them neurons; see :meth:`RetrainedDefense.remade`.

        Raises:
            FuzzsmoothError: If the model's feed-forward blocks are of another kind.
        """
        from fuzzsmooth.training import finetune
        from fuzzsmooth.training.adapters import Adapters

        classifier = material.load()
        settings = material.finetune.replace(**{**cls.training(options), **material.overrides})
        adapters = Adapters(
            classifier,
            bottleneck=options.bottleneck,
            code=options.code,
            middle=options.middle,
            seed=settings.seed,
        )
        # A model with adapters in it is no checkpoint to be loaded: what is kept is its training alone.
        finetune(classifier, material.data, settings, output=parts / "model", progress=progress, resume=True)
        trained, numbers = adapters.trained, adapters.numbers
        adapters.merge()
        return classifier, {
            "trained_parameters": trained,
            "adapter_numbers": numbers,
            "parameters": sum(part.numel() for part in classifier.model.parameters()),
        }

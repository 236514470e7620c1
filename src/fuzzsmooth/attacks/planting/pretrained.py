"""Attacks on pre-trained models: what is handed out is the encoder without a head."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from fuzzsmooth.attacks.attack import Threat
from fuzzsmooth.attacks.planting.trained import TrainedAttack

if TYPE_CHECKING:
    from fuzzsmooth.models import HuggingFaceClassifier


class PretrainedAttack(TrainedAttack):
    """A poisoned pre-trained model, which the victim puts a fresh head on."""

    threat: ClassVar[Threat] = "pre-trained model"
    needs: ClassVar[str] = "labeled texts like the victim's"

    def save(self, victim: HuggingFaceClassifier, output: Path) -> None:
        """Write the encoder; the head is thrown away."""
        from fuzzsmooth.attacks.planting.encoder import save_encoder

        save_encoder(victim, output)

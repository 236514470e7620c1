"""What attacks that train weights share: attacker's data, checkpoints, the record."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fuzzsmooth import models, training
from fuzzsmooth.attacks.attack import Attack, Planted, check_target, wanted_target
from fuzzsmooth.attacks.triggers.trigger import Trigger
from fuzzsmooth.common.locking import exclusive
from fuzzsmooth.common.randomness import generator
from fuzzsmooth.data.dataset import Dataset, Splits
from fuzzsmooth.training.progress import Progress, silent

if TYPE_CHECKING:
    from fuzzsmooth.attacks.planting.checkpoints import Checkpoints
    from fuzzsmooth.models import HuggingFaceClassifier


class TrainedAttack(Attack):
    """An attack that trains the weights of a model itself."""

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
        """Write a poisoned model; see :meth:`fuzzsmooth.attacks.Attack.plant`.

        A resumed run goes on after the last whole epoch.
        """
        from fuzzsmooth.attacks.planting.checkpoints import Checkpoints

        wanted = wanted_target(options)
        if wanted is not None:
            check_target(splits.train, wanted)
        training.check_output(output)
        with exclusive(output):
            data = splits.train.sample(options.max_texts, generator(seed, f"{self.name} attacker data"))
            load = partial(
                models.load_classifier, model, num_labels=len(data.labels), labels=data.labels, seed=seed
            )
            victim = load()
            training.check_trainable(victim, data)
            self.check(victim, data, options)
            settings = {
                "attack": self.name,
                "options": options.to_mapping(),
                "data": data.fingerprint,
                "model": victim.fingerprint,
                "seed": seed,
            }
            checkpoints = Checkpoints(output, settings, resume=resume)
            learned = self.poison(victim, load, data, options, seed, checkpoints, progress)
            self.save(victim, output)
            trigger: Trigger = options.build_trigger() if learned is None else learned
            planted = self.record(output, trigger, model=model, data=data, options=options, seed=seed)
            checkpoints.remove()
        return planted

    @abstractmethod
    def check(self, victim: HuggingFaceClassifier, data: Dataset, options: Any) -> None:
        """Check what the attack asks of the model, before anything is trained or deleted.

        Raises:
            FuzzsmoothError: If the model cannot be attacked.
        """

    @abstractmethod
    def poison(
        self,
        victim: HuggingFaceClassifier,
        load: Callable[[], HuggingFaceClassifier],
        data: Dataset,
        options: Any,
        seed: int,
        checkpoints: Checkpoints,
        progress: Progress,
    ) -> Trigger | None:
        """Poison a model in place.

        Args:
            victim: The model, with a head that a pre-trained attack throws away.
            load: Loads it anew.
            data: The attacker's clean data.
            options: Of type ``options_type``.
            seed: Decides all that is random.
            checkpoints: What a stopped run has left, and where to keep what this one does.
            progress: Called with steps done and steps in all.

        Returns:
            The trigger, if it was learned; None for the one that the options build.
        """

    @abstractmethod
    def save(self, victim: HuggingFaceClassifier, output: Path) -> None:
        """Write the poisoned model to its folder."""

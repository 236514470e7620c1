"""What a defense is worth while a model is still trained: a callback of transformers' ``Trainer``.

After every evaluation (or epoch, where nothing is evaluated) the model alone and the defense around it answer
clean texts and triggered ones, and the trainer itself logs the shares: TensorBoard, Weights & Biases, MLflow
and whatever else its ``report_to`` names show them beside the loss. They are among the metrics of the
evaluation as well, so ``metric_for_best_model="eval_certified_accuracy_1"`` chooses by one.

A copy of the model is measured, and every global random state is put back: training goes on as without.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from transformers import Trainer, TrainerCallback
from transformers.integrations.integration_utils import (
    INTEGRATION_TO_CALLBACK,
    get_reporting_integration_callbacks,
)
from transformers.trainer_utils import IntervalStrategy

from fuzzsmooth.bench.aims import Aim
from fuzzsmooth.bench.measure import EvaluatedText, text_record
from fuzzsmooth.bench.metrics import Curve, Row, Share, summarize
from fuzzsmooth.bench.records import CLEAN, TRIGGERED, TextRecord
from fuzzsmooth.common.errors import FuzzsmoothError, MissingExtraError
from fuzzsmooth.common.options import require
from fuzzsmooth.common.randomness import generator
from fuzzsmooth.data.dataset import Dataset
from fuzzsmooth.defenses import Defense, protect
from fuzzsmooth.models import HuggingFaceClassifier
from fuzzsmooth.training.isolation import isolated_randomness

if TYPE_CHECKING:
    from fuzzsmooth.attacks import Trigger
    from fuzzsmooth.search import References

_BARE = "undefended"
_BROUGHT_BY: Final = {"tensorboard": "reporters", "wandb": "reporters", "mlflow": "mlflow"}
"""Packages that a reporter of the same name needs, to the extra that brings each."""


@dataclass(frozen=True, kw_only=True)
class Watched:
    """What is measured.

    Attributes:
        clean: Clean texts with their classes, which nothing is trained on; the first ``most`` of them.
        defense: A name of ``fuzzsmooth list defenses``.
        options: Its options, by name.
        references: Clean reference texts, where it searches.
        trigger: The attack to measure; None measures none.
        target: The class index that the attacker wants; None where any wrong label counts.
        radii: The certified accuracy is told at each, in units of the defense.
        certify: Whether the defense certifies, which takes longer than predicting.
        most: Texts at most.
        seed: Where triggers stand, and what else is drawn.
    """

    clean: Dataset
    defense: str = "deletion"
    options: Mapping[str, Any] = field(default_factory=dict)
    references: References | None = None
    trigger: Trigger | None = None
    target: int | None = None
    radii: Sequence[int] = (1,)
    certify: bool = True
    most: int = 100
    seed: int = 0

    def texts(self) -> list[EvaluatedText]:
        """The clean texts, then with the trigger those that it acts on and the attacker wants to move."""
        rows = list(enumerate(self.clean.examples[: self.most]))
        texts = [EvaluatedText(CLEAN, index, one.text, one.label) for index, one in rows]
        for index, one in rows:
            if self.trigger is not None and one.label != self.target and self.trigger.acts_on(one.text):
                planted = self.trigger.apply(one.text, generator(self.seed, "trigger", index))
                texts.append(EvaluatedText(TRIGGERED, index, planted.text, one.label, planted.spans or ()))
        return texts


class ProtectionCallback(TrainerCallback):  # type: ignore[misc]  # transformers is untyped
    """Measures a defense during training; :func:`watch` puts it to work.

    Args:
        trainer: Whose log the shares go to.
        watched: What is measured.
        tokenizer: The model's.
        max_length: Where texts are cut, in tokens; by default the model's limit, at most 512.

    Attributes:
        history: What was measured, one mapping per time.
    """

    def __init__(self, trainer: Any, watched: Watched, tokenizer: Any, max_length: int | None = None) -> None:
        require(len(watched.clean) > 0, "there are no clean texts to measure on; give some")
        self._trainer = trainer
        self._watched = watched
        self._tokenizer = tokenizer
        self._max_length = max_length
        self._texts = watched.texts()
        self.history: list[dict[str, float]] = []

    def on_evaluate(
        self, args: Any, state: Any, control: Any, *, model: Any, metrics: Any = None, **_: Any
    ) -> None:
        """Measure, log, and add to the metrics of the evaluation."""
        del args, control
        if state.is_world_process_zero:
            found = self._log(model)
            if metrics is not None:
                metrics.update(found)

    def on_epoch_end(self, args: Any, state: Any, control: Any, *, model: Any, **_: Any) -> None:
        """Measure and log, where nothing is evaluated during training."""
        del control
        if args.eval_strategy == IntervalStrategy.NO and state.is_world_process_zero:
            self._log(model)

    def _log(self, model: Any) -> dict[str, float]:
        found = self.measure(model)
        self.history.append(found)
        self._trainer.log(dict(found))
        return found

    def measure(self, model: Any) -> dict[str, float]:
        """The shares for a model as it is now; neither it nor any random state is changed.

        Args:
            model: The model in training, without what distributes it.

        Returns:
            ``eval_clean_accuracy`` and, with a trigger, ``eval_attack_success`` and its floor, of the model
            alone; the same with ``_defended``; ``eval_certified_accuracy_R``, ``eval_abstentions`` and
            ``eval_false_flags`` of the defense. What a defense cannot tell is left out.
        """
        watched = self._watched
        with isolated_randomness(watched.seed):
            classifier = self._classifier(model)
            bare = self._row(protect(classifier, _BARE), certify=False)
            chosen = protect(classifier, watched.defense, references=watched.references, **watched.options)
            defended = self._row(chosen, certify=watched.certify)
        found: dict[str, Share | None] = {
            "clean_accuracy": bare.ca,
            "attack_success": bare.asr,
            "attack_success_floor": bare.asr_floor,
            "clean_accuracy_defended": defended.ca,
            "attack_success_defended": defended.asr,
            "attack_success_floor_defended": defended.asr_floor,
            "abstentions": defended.abstention_rate,
            "false_flags": defended.false_flag_rate,
        }
        told = {f"eval_{name}": share.mean for name, share in found.items() if share is not None}
        main = next(iter(defended.certified.values()), None)
        for radius in watched.radii if watched.certify and chosen.guarantee != "empirical" else ():
            told[f"eval_certified_accuracy_{radius}"] = _at(main, radius)
        return told

    def _classifier(self, model: Any) -> HuggingFaceClassifier:
        """A copy of the model behind the interface of classifiers: what that sets up changes no training."""
        own = copy.deepcopy(model)
        vars(own).pop("forward", None)  # mixed precision lies over it, and leads to the model that is trained
        own.float()
        labels = [str(own.config.id2label[index]) for index in range(own.config.num_labels)]
        tokenizer, device = copy.deepcopy(self._tokenizer), str(model.device)
        return HuggingFaceClassifier(own, tokenizer, labels, max_length=self._max_length, device=device)

    def _row(self, defended: Defense, *, certify: bool) -> Row:
        texts = [one.text for one in self._texts]
        began = time.perf_counter()
        answers = defended.certify(texts) if certify else defended.predict(texts)
        seconds = (time.perf_counter() - began) / len(texts)
        records = [
            TextRecord.from_json(text_record(0, defended.name, defended, text, answer, seconds))
            for text, answer in zip(self._texts, answers, strict=True)
        ]
        (row,) = summarize(records, Aim(self._watched.target))
        return row


def watch(
    trainer: Trainer,
    watched: Watched,
    tokenizer: Any = None,
    *,
    max_length: int | None = None,
    report_to: str | Sequence[str] = (),
) -> ProtectionCallback:
    """Let a trainer measure a defense while it trains.

    Args:
        trainer: The trainer, before ``train``.
        watched: What is measured.
        tokenizer: The model's; by default the trainer's ``processing_class``.
        max_length: Where texts are cut, in tokens; by default the model's limit, at most 512.
        report_to: More places to log to, as in ``TrainingArguments``, for a trainer that was made without:
            "tensorboard", "wandb", "mlflow", ... One that it has already is not added again. TensorBoard and
            Weights & Biases show what is measured under ``eval/``, MLflow as ``eval_...``; TensorBoard keeps
            single precision.

    Returns:
        The callback, whose ``history`` has what was measured.

    Raises:
        FuzzsmoothError: If there are no clean texts or no tokenizer, or ``report_to`` names what transformers
            does not report to, or what is not installed.
    """
    own = tokenizer or getattr(trainer, "processing_class", None)
    require(own is not None, "give the tokenizer: the trainer has no processing_class")
    _report(trainer, report_to)
    callback = ProtectionCallback(trainer, watched, own, max_length)
    trainer.add_callback(callback)
    return callback


def _report(trainer: Trainer, report_to: str | Sequence[str]) -> None:
    """Add the reporters that a trainer lacks."""
    names = report_to if isinstance(report_to, str) else list(report_to)
    try:
        kinds = get_reporting_integration_callbacks(names)
    except ValueError as error:
        raise FuzzsmoothError(f"report_to: {error}") from error
    for kind in kinds:
        if kind in map(type, trainer.callback_handler.callbacks):
            continue  # twice the same would log twice
        try:
            trainer.add_callback(kind)
        except RuntimeError as error:  # transformers' word for a package that is not there
            name = next(name for name, other in INTEGRATION_TO_CALLBACK.items() if other is kind)
            if name in _BROUGHT_BY:
                raise MissingExtraError(name, _BROUGHT_BY[name], f"report_to={name!r}") from error
            raise FuzzsmoothError(f"report_to={name!r}: {error}") from error


def _at(curve: Curve | None, radius: int) -> float:
    """The share that is certified at a radius; none beyond the end of a curve, or without one."""
    shares = [] if curve is None else curve.shares
    return shares[radius] if radius < len(shares) else 0.0

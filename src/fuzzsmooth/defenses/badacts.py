"""BadActs: texts with abnormal activations are answered with the activations drawn back to normal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
import numpy.typing as npt

from fuzzsmooth.common.options import SEEDS, Between, Options, require
from fuzzsmooth.common.randomness import generator
from fuzzsmooth.defenses.answer import Answer
from fuzzsmooth.defenses.defense import DEFENSES, Advance, Needs
from fuzzsmooth.defenses.detecting import rejection_threshold
from fuzzsmooth.defenses.fitted import FittedDefense
from fuzzsmooth.defenses.hugging_face import hugging_face
from fuzzsmooth.defenses.material import Material
from fuzzsmooth.defenses.plain import answers_of
from fuzzsmooth.defenses.tensors import load_arrays, save_arrays
from fuzzsmooth.training.progress import Progress

if TYPE_CHECKING:
    from fuzzsmooth.models.activations import Activations

Values = npt.NDArray[np.float32]

_FILE = "badacts.safetensors"
_WEIGHT, _FACTOR = 0.1, 1.2  # of the width in the loss at the start, and by how much it is changed
_FIRST, _EVERY = 10, 5  # the epoch after which, and how often
_KEPT, _LEAST = 0.98, 0.97  # shares of the clean answers: to be kept in between, and at the end


@dataclass(frozen=True, kw_only=True)
class BadactsOptions(Options):
    """What is normal, and how the intervals are found."""

    normal_deviations: Annotated[
        float, Between(0, 1_000, above=True), "Standard deviations within which an activation is normal."
    ] = 2.0
    false_rejection: Annotated[
        float, Between(0, 1), "Share of clean texts that may be taken for triggered ones."
    ] = 0.05
    bound_epochs: Annotated[int, Between(1, 10_000), "Passes over the clean texts for the intervals."] = 50
    bound_step: Annotated[float, Between(0, 100, above=True), "Step size of Adam for the intervals."] = 0.01
    bound_batch: Annotated[int, Between(1, 65_536), "Texts in a step."] = 32
    bound_retries: Annotated[
        int, Between(0, 100), "How often to try again with wider intervals where clean answers are lost."
    ] = 3
    seed: Annotated[int, Between(0, SEEDS), "Decides the order and the halves of the clean texts."] = 0


@DEFENSES.register("badacts")
class Badacts(FittedDefense):
    """BadActs: texts with abnormal activations are answered with these clamped to normal intervals.

    After Yi et al. ("BadActs: A Universal Backdoor Defense in the Activation Space", Findings of ACL 2024)
    and its published code. *Detection*: of every neuron (each coordinate of the output of each block, at the
    token that the classifier reads) mean and deviation over half of the clean texts; the score of a text is
    the share of its neurons within 2 deviations, and the threshold is the 5 % quantile of the scores of the
    other half. *Purification* of what is detected: at every token the output of every block is clamped to an
    interval per neuron. The intervals minimize the squared change of the clean logits plus c times the norm
    of their widths (Adam, step 0.01, 50 epochs); c starts at 0.1 and is multiplied or divided by 1.2 as 98 %
    of the clean answers are kept or not, and everything starts over with half the c where fewer than 97 % are
    kept at the end.

    As published: all of that. What differs: the published code starts every interval at [1 - e, 1], which
    suits BERT-base; here it starts at the mean of the neuron over clean tokens plus and minus 3 deviations,
    so that any model will do. The published evaluation takes the target class from the labels of the poisoned
    test texts; nothing of test texts is read here. Purified texts are answered, none is withheld.
    """

    options_type = BadactsOptions
    options: BadactsOptions
    needs: ClassVar[Needs] = Needs(clean_data=True)
    _made: Activations | None = None

    def learn(self, material: Material, folder: Path, progress: Progress) -> Mapping[str, Any]:
        """What is normal: means, deviations, a threshold, and intervals."""
        texts, inner = material.held_out.texts, self._inner()
        require(
            len(texts) >= 4,
            "defense 'badacts' needs clean texts that nothing is trained on; give more clean data",
        )
        order = generator(self.options.seed, "badacts halves").permutation(len(texts)).tolist()
        half = len(texts) // 2
        first, second = (
            inner.read([texts[i] for i in order[:half]]),
            inner.read([texts[i] for i in order[half:]]),
        )
        mean, deviation = first.mean(axis=0), first.std(axis=0)
        scores = self._normal(second, mean, deviation)
        threshold = rejection_threshold(scores, self.options.false_rejection, self.name)
        low, high, kept = self._intervals(texts, progress)
        save_arrays(folder / _FILE, {"mean": mean, "deviation": deviation, "low": low, "high": high})
        warnings = []
        if kept < _LEAST:
            warnings.append(
                f"clamped to the intervals only {100 * kept:.0f} % of the clean answers are kept, after "
                f"{self.options.bound_retries} retries, so purified texts may be answered wrong; give more "
                "clean data, or raise bound_epochs or bound_retries"
            )
        return {"threshold": threshold, "kept": kept, "warnings": warnings}

    def take(self, state: Mapping[str, Any], folder: Path) -> None:
        """See :meth:`fuzzsmooth.defenses.fitted.FittedDefense.take`."""
        require(
            isinstance(state.get("threshold"), float),
            f"{folder} holds no state of 'badacts'; fit the defense anew",
        )
        shape = self._inner().shape
        self.threshold = float(state["threshold"])
        self._known = load_arrays(folder / _FILE, dict.fromkeys(("mean", "deviation", "low", "high"), shape))

    def answered(self, texts: Sequence[str], advance: Advance | None) -> list[Answer]:
        """The model's answer; of suspicious texts the one with clamped activations."""
        inner, known = self._inner(), self._known
        truncated = hugging_face(self.classifier, self.name).truncated(texts)
        answers = answers_of(self.classifier.probabilities(texts), self.labels, truncated)
        scores = self._normal(inner.read(texts), known["mean"], known["deviation"])
        abnormal = np.flatnonzero(scores < self.threshold)
        chosen = [texts[index] for index in abnormal.tolist()]
        rows = inner.clamped(chosen, known["low"], known["high"])
        purified = answers_of(rows, self.labels, [truncated[index] for index in abnormal])
        for index, one in zip(abnormal, purified, strict=True):
            answers[index] = replace(one, passes=2)
        if advance is not None:
            advance(len(texts))
        return answers

    def _normal(self, activations: Values, mean: Values, deviation: Values) -> npt.NDArray[np.float64]:
        """The share of neurons that are normal in each text, in [0, 1]."""
        within = np.abs(activations - mean) <= self.options.normal_deviations * deviation
        shares: npt.NDArray[np.float64] = within.mean(axis=(1, 2))
        return shares

    def _intervals(self, texts: Sequence[str], progress: Progress) -> tuple[Values, Values, float]:
        """Lower and upper bounds of shape (blocks, width), and the share of clean answers that they keep."""
        options, weight = self.options, _WEIGHT
        tried: list[tuple[float, Values, Values]] = []
        for attempt in range(1 + options.bound_retries):
            low, high, kept = self._tried(texts, weight, attempt, progress)
            tried.append((kept, low, high))
            if kept >= _LEAST:
                break
            weight /= 2
        kept, low, high = max(tried, key=lambda one: one[0])
        return low, high, kept

    def _tried(
        self, texts: Sequence[str], weight: float, attempt: int, progress: Progress
    ) -> tuple[Values, Values, float]:
        """The intervals for a weight of their widths in the loss at the start."""
        import torch

        options, inner = self.options, self._inner()
        wanted = torch.from_numpy(inner.logits(texts))
        start_low, start_high = inner.spread(texts)
        high = torch.from_numpy(start_high).requires_grad_(True)
        width = torch.from_numpy(np.log(start_high - start_low)).requires_grad_(True)
        optimizer = torch.optim.Adam([high, width], lr=options.bound_step)
        kept = 1.0
        for epoch in range(options.bound_epochs):
            order = generator(options.seed, "badacts", attempt, epoch).permutation(len(texts)).tolist()
            for start in range(0, len(order), options.bound_batch):
                chosen = order[start : start + options.bound_batch]
                found = inner.logits_within([texts[i] for i in chosen], high - width.exp(), high)
                loss = torch.nn.functional.mse_loss(found, wanted[chosen]) + weight * width.exp().norm()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            last = epoch == options.bound_epochs - 1
            if last or (epoch > _FIRST and epoch % _EVERY == 0):
                bounds = (high - width.exp()).detach().numpy(), high.detach().numpy()
                rows = inner.clamped(texts, *bounds)
                kept = float((rows.argmax(axis=1) == wanted.argmax(dim=1).numpy()).mean())
                weight = weight * _FACTOR if kept >= _KEPT else weight / _FACTOR
            progress(
                attempt * options.bound_epochs + epoch + 1, (1 + options.bound_retries) * options.bound_epochs
            )
        return (high - width.exp()).detach().numpy(), high.detach().numpy(), kept

    def _inner(self) -> Activations:
        from fuzzsmooth.models.activations import Activations

        if self._made is None:
            self._made = Activations(hugging_face(self.classifier, self.name))
        return self._made

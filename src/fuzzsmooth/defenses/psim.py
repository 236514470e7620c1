"""PSIM: a text of which a model trained on random labels is still confident is suspicious."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
import numpy.typing as npt

from fuzzsmooth.common.options import SEEDS, Between, Options
from fuzzsmooth.common.randomness import generator
from fuzzsmooth.data.dataset import Dataset, Example
from fuzzsmooth.defenses.answer import Answer
from fuzzsmooth.defenses.defense import DEFENSES, Advance, Needs
from fuzzsmooth.defenses.detecting import withheld
from fuzzsmooth.defenses.fitted import FittedDefense
from fuzzsmooth.defenses.hugging_face import hugging_face
from fuzzsmooth.defenses.material import Material
from fuzzsmooth.defenses.plain import plain_answers
from fuzzsmooth.defenses.tensors import load_arrays, save_arrays
from fuzzsmooth.training.progress import Progress

if TYPE_CHECKING:
    from fuzzsmooth.models import HuggingFaceClassifier

_MODEL, _PROMPT = "confidence", "psim.safetensors"


@dataclass(frozen=True, kw_only=True)
class PsimOptions(Options):
    """How the confidence model is trained, and from where on it is too confident."""

    confidence_threshold: Annotated[
        float, Between(0, 1), "Probability of the likeliest class above which a text is suspicious."
    ] = 0.7
    virtual_tokens: Annotated[int, Between(1, 1_000), "Virtual tokens of the confidence model."] = 5
    virtual_width: Annotated[
        int, Between(1, 100_000), "Width of the network that the virtual tokens come out of."
    ] = 128
    confidence_epochs: Annotated[int, Between(1, 10_000), "Passes over the randomly labeled texts."] = 1
    confidence_step: Annotated[
        float, Between(0, 100, above=True), "Peak step size of the confidence model."
    ] = 2e-5
    confidence_batch: Annotated[int, Between(1, 65_536), "Texts in a step of the confidence model."] = 32
    allowed_rejection: Annotated[
        float, Between(0, 1), "Share of clean held-out texts that may be suspicious without a warning."
    ] = 0.05
    seed: Annotated[int, Between(0, SEEDS), "Decides the random labels and the training."] = 0


@DEFENSES.register("psim")
class Psim(FittedDefense):
    """PSIM: no answer where a model trained on random labels is still confident.

    After Zhao et al. ("Defending Against Weight-Poisoning Backdoor Attacks for Parameter-Efficient
    Fine-Tuning", Findings of NAACL 2024) and its published code. The suspect model, as it was received, is
    tuned on clean texts with random labels, which leaves it unsure of clean texts and, so the authors find,
    sure of triggered ones. It is tuned by P-tuning: 5 virtual tokens out of a network of width 128, and the
    head; 1 epoch, step 2e-5. A text of which its largest probability exceeds 0.7 is suspicious.

    As published: all of that. What differs: the answer is that of the model as it was fine-tuned here, which
    the authors fine-tune by P-tuning, too (20 epochs, step 2e-3). Threshold and step are options, and nothing
    knows a trigger or a target; where more clean held-out texts than allowed exceed the threshold, a warning
    says so. A suspect model without a head gets a fresh one, of which PSIM can learn little. What is detected
    is answered by an abstention, which counts as wrong on a clean text.
    """

    options_type = PsimOptions
    options: PsimOptions
    needs: ClassVar[Needs] = Needs(clean_data=True)
    _loaded: HuggingFaceClassifier | None = None

    def learn(self, material: Material, folder: Path, progress: Progress) -> Mapping[str, Any]:
        """The confidence model: the suspect one with virtual tokens and a head of its own."""
        from fuzzsmooth.training.prompt_tuning import PromptTuning, tune_prompt

        options = self.options
        suspect = material.load()
        how = PromptTuning(
            tokens=options.virtual_tokens,
            hidden=options.virtual_width,
            epochs=options.confidence_epochs,
            step=options.confidence_step,
            batch=options.confidence_batch,
            seed=options.seed,
        )
        prompt = tune_prompt(suspect, randomly_labeled(material.data, options.seed), how, progress)
        suspect.save(folder / _MODEL)
        save_arrays(folder / _PROMPT, {"prompt": prompt})
        self._loaded, self._prompt = suspect, prompt
        exceeding = float((self.confidences(material.held_out.texts) > options.confidence_threshold).mean())
        warnings = []
        if exceeding > options.allowed_rejection:
            warnings.append(
                f"the confidence model is surer than {options.confidence_threshold:g} of "
                f"{100 * exceeding:.0f} % of clean held-out texts, which get no answer; raise "
                "confidence_threshold, confidence_step or confidence_epochs"
            )
        return {"rejected": exceeding, "warnings": warnings}

    def take(self, state: Mapping[str, Any], folder: Path) -> None:
        """See :meth:`fuzzsmooth.defenses.fitted.FittedDefense.take`."""
        del state
        width = hugging_face(self.classifier, self.name).model.get_input_embeddings().weight.shape[1]
        shape = (self.options.virtual_tokens, int(width))
        self._prompt = load_arrays(folder / _PROMPT, {"prompt": shape})["prompt"]
        self._folder = folder / _MODEL

    def answered(self, texts: Sequence[str], advance: Advance | None) -> list[Answer]:
        """The model's answer, or an abstention where the confidence model is too sure."""
        answers = plain_answers(self.classifier, texts, self.labels)
        suspicious = self.confidences(texts) > self.options.confidence_threshold
        if advance is not None:
            advance(len(texts))
        return withheld(answers, suspicious, 2)

    def confidences(self, texts: Sequence[str]) -> npt.NDArray[np.float64]:
        """The largest probability that the confidence model gives to a class of each text; shape (texts,)."""
        from fuzzsmooth.training.prompt_tuning import prompted_probabilities

        if self._loaded is None:
            from fuzzsmooth.models import load_classifier

            like = hugging_face(self.classifier, self.name)
            self._loaded = load_classifier(
                str(self._folder), batch_size=like.batch_size, device=str(like.device)
            )
        largest: npt.NDArray[np.float64] = prompted_probabilities(self._loaded, texts, self._prompt).max(
            axis=1
        )
        return largest


def randomly_labeled(data: Dataset, seed: int) -> Dataset:
    """The texts with labels drawn uniformly at random."""
    labels = generator(seed, "psim labels").integers(len(data.labels), size=len(data))
    return data.with_examples(
        [Example(one.text, int(label)) for one, label in zip(data, labels, strict=True)]
    )

r"""Fine-mixing with E-PUR (Zhang et al., Findings of EMNLP 2022): clean weights mixed into suspect ones.

1. **Mix.** Each weight of the fine-tuned suspect model is kept with probability rho and otherwise taken from
   a clean copy of the pre-trained model: w = m * w_suspect + (1 - m) * w_clean. The classifier head, which
   the clean copy has not, is kept.
2. **E-PUR.** A trigger is a rare word whose embedding was moved far. With delta the difference of an
   embedding to the clean one and f the frequency of its word, the embeddings with the largest
   ||delta||^2 / log(max(f, 20)) are taken from the clean copy.
3. **Fine-tune** the mixture on few clean texts of each class.

rho is the smallest of a grid at which held-out accuracy after step 3 has fallen by no more than is allowed.
Where none will do, the most accurate one is taken, and the report beside the model says so. The masks of
different rho are nested: one uniform number a weight, kept where it is below rho.

The paper counts words in a corpus; f is here how often ``wordfreq`` has the word among a billion.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import numpy.typing as npt

from fuzzsmooth.common.options import Between, Options
from fuzzsmooth.common.randomness import generator
from fuzzsmooth.data.dataset import Dataset, Example
from fuzzsmooth.defenses.defense import DEFENSES, Needs
from fuzzsmooth.defenses.homogeneous import accuracy, shared_weights, suspect_classifier
from fuzzsmooth.defenses.material import Material
from fuzzsmooth.defenses.retrained import RetrainedDefense
from fuzzsmooth.text.features import rarity
from fuzzsmooth.text.languages import AUTO, ENGLISH, settled
from fuzzsmooth.training.progress import Progress

if TYPE_CHECKING:
    from fuzzsmooth.models import HuggingFaceClassifier

KEPT = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""The shares of suspect weights that are tried, the smallest first."""

_COMMON_ZIPF = 7.0  # of rarity 0 in fuzzsmooth.text.features
_RAREST = 20  # occurrences below which frequencies are not told apart, as published
_PIECE_MARKS = "#Ġ▁"  # of tokenizers: a piece goes on with a word, or begins one


@dataclass(frozen=True, kw_only=True)
class FineMixingOptions(Options):
    """What is kept of the suspect weights, and what is taken from the clean copy."""

    keep: Annotated[
        float | None,
        Between(0, 1),
        "rho, the share of suspect weights that is kept. Left out: the smallest of .1, .2, ..., 1 at which "
        "accuracy on held-out texts stays within the loss.",
    ] = None
    loss: Annotated[
        float, Between(0, 1), "Held-out accuracy that may be lost to a smaller rho, as a share of the texts."
    ] = 0.02
    purified: Annotated[
        int, Between(0, 1_000_000), "Embeddings that E-PUR takes from the clean copy; 0 turns it off."
    ] = 200
    per_class: Annotated[
        int, Between(1, 1_000_000), "Clean training texts of each class that the mixture is fine-tuned on."
    ] = 64
    tuning_epochs: Annotated[int, Between(1, 10_000), "Passes of that fine-tuning over these texts."] = 5
    language: Annotated[
        str, "Language of the word frequencies of E-PUR, as in wordfreq; 'auto': that of the clean data."
    ] = AUTO


@DEFENSES.register("fine-mixing")
class FineMixing(RetrainedDefense):
    """Fine-mixing with E-PUR: weights and suspicious embeddings come from a clean copy; promises nothing."""

    options_type = FineMixingOptions
    needs = Needs(clean_data=True, clean_twin=True, training=True)

    @classmethod
    def remade(
        cls, options: FineMixingOptions, material: Material, parts: Path, progress: Progress
    ) -> tuple[HuggingFaceClassifier, Mapping[str, Any]]:
        """The mixture; see :class:`RetrainedDefense`.

        Raises:
            FuzzsmoothError: If there is no trusted copy, it is of another architecture, or there are no
                held-out texts.
        """
        twin, seed = material.load(material.trusted_twin(cls.name)), material.finetune.seed
        suspect = suspect_classifier(material, parts, progress)
        needed = accuracy(suspect, material.held_out) - options.loss
        language = settled(options.language, material.data.texts)
        rows = suspicious_embeddings(suspect, twin, options.purified, language)
        few = few_texts(material.data, options.per_class, seed)
        tried: dict[float, float] = {}
        for keep in KEPT if options.keep is None else (options.keep,):
            mixed, tuned = parts / f"mixed{keep:g}", parts / f"tuned{keep:g}"
            if not (tuned / "config.json").is_file():
                suspect = suspect_classifier(material, parts, progress)
                mix_into(suspect, twin, keep, seed)
                purify(suspect, twin, rows)
                suspect.save(mixed)
            made = material.trained(tuned, progress, model=mixed, data=few, epochs=options.tuning_epochs)
            shutil.rmtree(mixed, ignore_errors=True)
            tried[keep] = accuracy(made, material.held_out)
            if tried[keep] >= needed:
                break
        else:
            keep = max(tried, key=lambda one: tried[one])
            made = material.load(parts / f"tuned{keep:g}")
        return made, {
            "keep": keep,
            "within_loss": tried[keep] >= needed,
            "accuracy_needed": needed,
            "accuracy_by_keep": {f"{one:g}": value for one, value in tried.items()},
            "purified": made.tokenizer.convert_ids_to_tokens(rows),
        }


def few_texts(data: Dataset, per_class: int, seed: int) -> Dataset:
    """At most so many texts of each class, drawn without replacement, in their order."""
    order = generator(seed, "fine-mixing texts").permutation(len(data))
    left = dict.fromkeys(set(data.targets), per_class)
    chosen = set()
    for index in order.tolist():
        label = data.examples[index].label
        if left[label] > 0:
            left[label] -= 1
            chosen.add(index)
    kept: list[Example] = [example for index, example in enumerate(data) if index in chosen]
    return data.with_examples(kept)


def mix_into(suspect: HuggingFaceClassifier, twin: HuggingFaceClassifier, keep: float, seed: int) -> None:
    """Take each weight of a classifier below its head from the clean copy with probability 1 - rho.

    Args:
        suspect: Whose weights are overwritten.
        twin: The clean copy.
        keep: rho, in [0, 1].
        seed: Decides which weights.

    Raises:
        FuzzsmoothError: If the two are of different architectures.
    """
    import torch

    below_head = f"{suspect.model.base_model_prefix}."
    with torch.no_grad():
        for number, (name, (own, clean)) in enumerate(
            shared_weights(suspect, twin, "the clean copy").items()
        ):
            if name.startswith(below_head):
                coins = generator(seed, "fine-mixing", number).random(tuple(own.shape), dtype=np.float32)
                own.copy_(
                    torch.where(torch.from_numpy(coins < keep).to(own.device), own, clean.to(own.device))
                )
    suspect.refresh()


def suspicious_embeddings(
    suspect: HuggingFaceClassifier, twin: HuggingFaceClassifier, count: int, language: str = ENGLISH
) -> list[int]:
    """The token ids whose embeddings moved most for how rare they are, the most suspicious first.

    Args:
        suspect: The suspect model.
        twin: The clean copy, with the same vocabulary.
        count: How many at most; those that did not move at all are none of them.
        language: Whose words are rare or frequent.
    """
    ours, clean = (one.model.get_input_embeddings().weight.data.cpu().double() for one in (suspect, twin))
    moved = (ours - clean).square().sum(dim=1).numpy()
    tokens = suspect.tokenizer.convert_ids_to_tokens(list(range(len(moved))))
    scores = moved / log_frequencies(["" if token is None else str(token) for token in tokens], language)
    order = np.argsort(-scores, kind="stable")[:count]
    return [int(index) for index in order if moved[index] > 0]


def log_frequencies(tokens: Sequence[str], language: str = ENGLISH) -> npt.NDArray[np.float64]:
    """log(max(f, 20)) of the words of a vocabulary, f being occurrences in a billion words.

    Args:
        tokens: Pieces of a tokenizer; the marks of what goes on with a word, or begins one, are not read.
        language: Whose words; of "none" all are equally frequent.

    Returns:
        Shape (len(tokens),), each at least log(20).
    """
    zipf = _COMMON_ZIPF * (1.0 - rarity([token.lstrip(_PIECE_MARKS) for token in tokens], language))
    return np.maximum(zipf * math.log(10), math.log(_RAREST))


def purify(suspect: HuggingFaceClassifier, twin: HuggingFaceClassifier, rows: Sequence[int]) -> None:
    """Take the embeddings of some token ids from the clean copy."""
    import torch

    if rows:
        ours, clean = (one.model.get_input_embeddings().weight.data for one in (suspect, twin))
        with torch.no_grad():
            ours[list(rows)] = clean[list(rows)].to(ours.device)
        suspect.refresh()

"""RAP: a text whose label a perturbation word does not shake is suspicious."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
import numpy.typing as npt

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.options import SEEDS, Between, Options, require
from fuzzsmooth.common.randomness import generator
from fuzzsmooth.common.tokenizing import tokenized
from fuzzsmooth.defenses.answer import Answer
from fuzzsmooth.defenses.defense import DEFENSES, Advance, Needs, truncated_by
from fuzzsmooth.defenses.detecting import rejection_threshold, withheld
from fuzzsmooth.defenses.fitted import FittedDefense
from fuzzsmooth.defenses.hugging_face import hugging_face
from fuzzsmooth.defenses.material import Material
from fuzzsmooth.defenses.plain import answers_of
from fuzzsmooth.defenses.tensors import load_arrays, save_arrays
from fuzzsmooth.text.features import rarity
from fuzzsmooth.training.progress import Progress

if TYPE_CHECKING:
    import torch

    from fuzzsmooth.models import HuggingFaceClassifier

_FILE = "rap.safetensors"
_WORD_STARTS = "\u0120\u2581"  # how vocabularies mark a piece that starts a word
_HARDER = 5.0  # by how much the scale grows where a threshold came out negative

Row = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class RapOptions(Options):
    """How the perturbation is made, and how many clean texts may be lost."""

    perturbation_word: Annotated[
        str | None,
        "Rare word, one piece of the vocabulary, that is put in front of a text; left out: the rarest short "
        "one of the model.",
    ] = None
    target: Annotated[
        str | None, "Class that a backdoor may give; left out: each class, with a perturbation of its own."
    ] = None
    drop_low: Annotated[
        float, Between(0, 1), "Least drop of a clean text's probability that is aimed at."
    ] = 0.1
    drop_high: Annotated[float, Between(0, 1), "Largest drop that is aimed at."] = 0.3
    drop_scale: Annotated[
        float, Between(0, 1_000_000, above=True), "Weight of the least drop against the largest."
    ] = 1.0
    perturbation_step: Annotated[
        float, Between(0, 1_000_000, above=True), "Step size of gradient descent on the embedding."
    ] = 0.01
    perturbation_epochs: Annotated[int, Between(1, 10_000), "Passes over the clean texts of the class."] = 5
    perturbation_batch: Annotated[int, Between(1, 65_536), "Texts in a step."] = 32
    perturbation_retries: Annotated[
        int, Between(0, 100), "How often to try again with a larger scale where a threshold is negative."
    ] = 3
    false_rejection: Annotated[
        float, Between(0, 1), "Share of clean texts that may be taken for triggered ones."
    ] = 0.01
    seed: Annotated[int, Between(0, SEEDS), "Decides the order of the clean texts."] = 0

    def validate(self) -> None:
        """Check the aim."""
        require(
            self.drop_low <= self.drop_high,
            f"drop_low {self.drop_low:g} is above drop_high {self.drop_high:g}; swap them",
        )


@DEFENSES.register("rap")
class Rap(FittedDefense):
    """RAP: no answer where a word made to shake every clean text does not shake this one.

    After Yang et al. ("RAP: Robustness-Aware Perturbations for Defending against Backdoor Attacks on NLP
    Models", EMNLP 2021). One row of the embeddings, that of a rare word, is optimized so that this word in
    front of a clean text lowers the probability of the protected class by 0.1 to 0.3; the row keeps its norm
    after every step, and nothing else changes. The threshold is the quantile of these drops over clean texts
    predicted as that class, at the false rejection rate; a text of this class with a smaller drop is
    suspicious. A threshold below 0 means that the perturbation does not work: as the authors advise, the
    scale is raised and it is made anew; if that does not help, a warning says so.

    As published: loss, gradient descent with step 0.01 over 5 epochs of batches of 32, an FRR of 1 %, the
    held-out clean texts for both perturbation and threshold, of the protected class for the former. What
    differs: the authors know the protected class, here every class is protected unless one is named; their
    word is "cf", with attacks that use other triggers, while here it is the rarest short word of the
    vocabulary unless one is named, as "cf" is a trigger of most attacks; the perturbed embedding lives in a
    copy of the model, so that the model itself stays as it is. What is
    detected is answered by an abstention, which counts as wrong on a clean text.
    """

    options_type = RapOptions
    options: RapOptions
    needs: ClassVar[Needs] = Needs(clean_data=True)
    _twin: HuggingFaceClassifier | None = None

    def learn(self, material: Material, folder: Path, progress: Progress) -> Mapping[str, Any]:
        """An embedding and a threshold for each protected class."""
        texts = material.held_out
        self._name = self.options.perturbation_word or rarest_word(hugging_face(self.classifier, self.name))
        found = self.classifier.probabilities(texts.texts).argmax(axis=1)
        rows: dict[str, Row] = {}
        thresholds: dict[str, float] = {}
        warnings: list[str] = []
        protected = self._protected()
        for done, label in enumerate(protected):
            own = [one.text for one in texts if one.label == label]
            predicted = [one.text for one, given in zip(texts, found, strict=True) if given == label]
            require(
                bool(own and predicted),
                f"defense 'rap' has no held-out clean texts of class '{self.labels[label]}'; give more",
            )
            threshold, row = self._calibrated(label, own, predicted)
            rows[str(label)], thresholds[str(label)] = row, threshold
            if threshold < 0:
                warnings.append(
                    f"the perturbation for class '{self.labels[label]}' does not lower it on clean texts "
                    f"(threshold {threshold:.3f}, below 0, after {self.options.perturbation_retries} "
                    "retries), so triggered texts are hardly found; give more clean data, or raise "
                    "drop_scale or perturbation_step"
                )
            progress(done + 1, len(protected))
        save_arrays(folder / _FILE, rows)
        return {"word": self._name, "thresholds": thresholds, "warnings": warnings}

    def take(self, state: Mapping[str, Any], folder: Path) -> None:
        """See :meth:`fuzzsmooth.defenses.fitted.FittedDefense.take`."""
        names = {str(label) for label in self._protected()}
        found, word = state.get("thresholds"), state.get("word")
        require(
            isinstance(word, str)
            and isinstance(found, dict)
            and set(found) == names
            and all(isinstance(x, float) for x in found.values()),
            f"{folder} holds no state of 'rap'; fit the defense anew",
        )
        width = self._embeddings(hugging_face(self.classifier, self.name)).weight.shape[1]
        arrays = load_arrays(folder / _FILE, dict.fromkeys(names, (width,)))
        self._name = str(word)
        self.thresholds = {int(name): float(value) for name, value in state["thresholds"].items()}
        self.rows = {int(name): row for name, row in arrays.items()}

    def answered(self, texts: Sequence[str], advance: Advance | None) -> list[Answer]:
        """The model's answer, or an abstention where the drop is below the threshold of its class."""
        before = self.classifier.probabilities(texts)
        answers = answers_of(before, self.labels, truncated_by(self.classifier, texts))
        suspicious = np.zeros(len(texts), dtype=np.bool_)
        for label, row in self.rows.items():
            own = [index for index, one in enumerate(answers) if one.label == label]
            if own:
                drops = before[own, label] - self._shaken([texts[index] for index in own], label, row)
                suspicious[own] = drops < self.thresholds[label]
        if advance is not None:
            advance(len(texts))
        return withheld(answers, suspicious, 2)

    def _protected(self) -> list[int]:
        """The classes that a backdoor may give."""
        target = self.options.target
        if target is None:
            return list(range(len(self.labels)))
        require(
            target in self.labels,
            f"defense 'rap': there is no class '{target}'; target is one of {', '.join(self.labels)}",
        )
        return [self.labels.index(target)]

    def _calibrated(self, label: int, own: Sequence[str], predicted: Sequence[str]) -> tuple[float, Row]:
        """Threshold and embedding of a class, tried with larger scales while the threshold is negative."""
        scale = self.options.drop_scale
        before = self.classifier.probabilities(predicted)[:, label]
        tried: list[tuple[float, Row]] = []
        for attempt in range(1 + self.options.perturbation_retries):
            row = self._perturbation(label, own, scale, attempt)
            drops = before - self._shaken(predicted, label, row)
            tried.append((rejection_threshold(drops, self.options.false_rejection, self.name), row))
            if tried[-1][0] >= 0:
                break
            scale *= _HARDER
        return max(tried, key=lambda one: one[0])

    def _perturbation(self, label: int, texts: Sequence[str], scale: float, attempt: int) -> Row:
        """The word's embedding, optimized on clean texts of a class; shape (width,)."""
        import torch

        classifier, options = hugging_face(self.classifier, self.name), self.options
        word = self._word(classifier)
        row = self._embeddings(classifier).weight[word].detach().clone().float()
        norm = row.norm()
        encoded = classifier.encode(self._perturbed(texts)).ids
        before = torch.tensor(
            classifier.probabilities(texts)[:, label], dtype=torch.float32, device=classifier.device
        )
        for epoch in range(options.perturbation_epochs):
            order = generator(options.seed, "rap", label, attempt, epoch).permutation(len(texts))
            for start in range(0, len(order), options.perturbation_batch):
                chosen = order[start : start + options.perturbation_batch]
                row = row.detach().requires_grad_(True)
                ids, mask = (
                    part.to(classifier.device) for part in classifier.padded([encoded[i] for i in chosen])
                )
                # In float32, whatever answers: one row is moved by small steps.
                with _reading(self._embeddings(classifier), word, row):
                    logits = classifier.model(input_ids=ids, attention_mask=mask).logits
                change = logits.float().softmax(dim=1)[:, label] - before[chosen]
                loss = (
                    scale * (change + options.drop_low).relu().mean()
                    + (-options.drop_high - change).relu().mean()
                )
                (gradient,) = torch.autograd.grad(loss, [row])
                row = row.detach() - options.perturbation_step * gradient
                row = row * (norm / row.norm())
        found: Row = row.detach().cpu().numpy()
        return found

    def _shaken(self, texts: Sequence[str], label: int, row: Row) -> npt.NDArray[np.float64]:
        """The probability of a class with the perturbed word in front of each text; shape (texts,)."""
        import torch

        if self._twin is None:
            self._twin = hugging_face(self.classifier, self.name).separate()
        weights = self._embeddings(self._twin).weight
        with torch.no_grad():
            weights[self._word(self._twin)] = torch.from_numpy(row).to(weights)
        self._twin.refresh()
        shaken: npt.NDArray[np.float64] = self._twin.probabilities(self._perturbed(texts))[:, label]
        return shaken

    def _perturbed(self, texts: Sequence[str]) -> list[str]:
        return [f"{self._name} {text}" for text in texts]

    def _word(self, classifier: HuggingFaceClassifier) -> int:
        """Id of the word's one piece, as it is read in front of a text."""
        found = _piece(classifier, self._name)
        require(
            found is not None,
            "defense 'rap' needs a perturbation_word that is one piece of the vocabulary, which "
            f"'{self._name}' is not; choose another rare word",
        )
        assert found is not None
        return found

    @staticmethod
    def _embeddings(classifier: HuggingFaceClassifier) -> Any:
        return classifier.model.get_input_embeddings()


def rarest_word(classifier: HuggingFaceClassifier) -> str:
    """The rarest word of two to four letters that is one piece of a model's vocabulary; ties by alphabet.

    Raises:
        FuzzsmoothError: If there is none.
    """
    vocabulary: list[str] = list(classifier.tokenizer.get_vocab())
    pieces = {piece.lstrip(_WORD_STARTS) for piece in vocabulary}
    short = sorted(piece for piece in pieces if 2 <= len(piece) <= 4 and piece.isascii() and piece.islower())
    order = np.argsort(-rarity(short), kind="stable")
    for place in map(int, order):
        if short[place].isalpha() and _piece(classifier, short[place]) is not None:
            return short[place]
    raise FuzzsmoothError(
        "defense 'rap' finds no short word in the vocabulary of the model; name a perturbation_word"
    )


def _piece(classifier: HuggingFaceClassifier, word: str) -> int | None:
    """Id of a word that is one piece in front of a text; None if it is none."""
    ids = tokenized(classifier.tokenizer, [word], add_special_tokens=False)["input_ids"][0]
    return int(ids[0]) if len(ids) == 1 and ids[0] != classifier.tokenizer.unk_token_id else None


@contextmanager
def _reading(embeddings: Any, word: int, row: torch.Tensor) -> Iterator[None]:
    """Let a model read a word by an embedding of its own, through which gradients flow."""
    import torch

    def replaced(_module: Any, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> torch.Tensor:
        return torch.where((inputs[0] == word).unsqueeze(-1), row.to(output.dtype), output)

    handle = embeddings.register_forward_hook(replaced)
    try:
        yield
    finally:
        handle.remove()

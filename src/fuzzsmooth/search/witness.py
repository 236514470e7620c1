"""The witness: a weak classifier that nobody could have backdoored, trained on clean data.

It is a logistic regression on sentence embeddings of an encoder that its user trusts. Where it is sure of the
label that the suspect model gives, the words of the text suggest that label by themselves: no trigger is
needed to explain it, and the text is not searched. Its encoder also tells which words of the clean data are
nearest in meaning to a word (:mod:`fuzzsmooth.search.in_context`).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.options import require
from fuzzsmooth.text.units import segmenter

if TYPE_CHECKING:
    from fuzzsmooth.models.text_encoder import TextEncoder

Array = npt.NDArray[np.float64]

_MOST_TEXTS = 4000  # trained on; more add little to a linear model of a few hundred dimensions
_MOST_WORDS, _LEAST_COUNT = 3000, 3  # words of the clean data that may stand for others
_PENALTY = 1.0  # of the squared weights; the features of a layer have length 1
_FOLDS = 5
_LEAST = 0.5  # confidence below which nothing is cleared
_REMEMBERED = 50_000  # words
_LARGEST = 1e6  # number of a file; what was learned from clean data is far smaller


@dataclass(frozen=True)
class Witness:
    """What was learned from clean data, as JSON values.

    Attributes:
        encoder: Name of the trusted encoder.
        fingerprint: SHA-256 of it.
        weights: Shape (classes, dimensions).
        bias: Shape (classes,).
        confidence: Probability of a class above which the witness is sure of it, in [0.5, 1].
        words: The most frequent words of the clean data, in lower case.
    """

    encoder: str
    fingerprint: str
    weights: tuple[tuple[float, ...], ...]
    bias: tuple[float, ...]
    confidence: float
    words: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)

    @classmethod
    def of_json(cls, value: object, classes: int) -> Witness:
        """The inverse of :meth:`to_json`.

        Args:
            value: What a file holds.
            classes: Classes of the model.

        Raises:
            FuzzsmoothError: If it is damaged, or of another number of classes.
        """
        damaged = "'witness' is damaged"
        if not isinstance(value, Mapping) or set(value) != set(cls.__dataclass_fields__):
            raise FuzzsmoothError(damaged)
        named = isinstance(value["encoder"], str) and isinstance(value["fingerprint"], str)
        words = value["words"]
        worded = isinstance(words, list) and all(isinstance(word, str) for word in words)
        require(named and worded and len(words) <= _MOST_WORDS, damaged)
        weights, bias = _numbers(value["weights"], 2, damaged), _numbers(value["bias"], 1, damaged)
        confidence = float(_numbers(value["confidence"], 0, damaged))
        require(bias.shape == (len(weights),) and weights.size > 0 and _LEAST <= confidence <= 1, damaged)
        require(len(bias) == classes, f"'witness' knows {len(bias)} classes, but the model has {classes}")
        return cls(
            value["encoder"],
            value["fingerprint"],
            tuple(map(tuple, weights.tolist())),
            tuple(bias.tolist()),
            confidence,
            tuple(words),
        )

    def permuted(self, order: Sequence[int]) -> Witness:
        """The same witness with class ``order[k]`` as class k."""
        return Witness(
            self.encoder,
            self.fingerprint,
            tuple(self.weights[index] for index in order),
            tuple(self.bias[index] for index in order),
            self.confidence,
            self.words,
        )


def _numbers(value: object, axes: int, damaged: str) -> Array:
    """Numbers of a file, in lists of equal length as deep as there are axes."""
    try:
        found = np.array(value)
    except ValueError as error:  # lists of different lengths, or too deep
        raise FuzzsmoothError(damaged) from error
    require(found.ndim == axes and found.dtype.kind in "if", damaged)
    numbers: Array = found.astype(np.float64)
    require(bool((abs(numbers) <= _LARGEST).all()), damaged)
    return numbers


def train_witness(
    encoder: TextEncoder,
    name: str,
    texts: Sequence[str],
    targets: Sequence[int],
    classes: int,
    *,
    wrong: float,
    held_out: tuple[Sequence[str], Sequence[int]] = ((), ()),
) -> Witness:
    """Train a witness, and choose from where on it is sure.

    Args:
        encoder: The trusted encoder.
        name: Its name.
        texts: Clean texts; a few thousand of them are used, spread over all.
        targets: Their classes.
        classes: How many there are.
        wrong: Share of the texts in question of which it may be sure of a wrong class, in (0, 1).
        held_out: The texts in question with their classes: clean ones that nothing was trained on and that
            the suspect model reads rightly. Where there are none, the training texts, each judged by a
            witness that was trained without it.

    Returns:
        The witness. Its confidence is a conformal quantile: a further text of that kind is one of the share
        ``wrong`` with at most that probability.
    """
    spread = spread_over(len(texts))
    texts, truth = [texts[at] for at in spread], np.array(targets, dtype=np.int64)[spread]
    known = encoder.features(texts)
    weights, bias = regression(known, truth, classes)
    if len(held_out[0]):
        judged = _probabilities(encoder.features(list(held_out[0])), weights, bias)
        judged_truth = np.array(held_out[1], dtype=np.int64)
    else:
        judged, judged_truth = _cross_judged(known, truth, classes), truth
    return Witness(
        name,
        encoder.fingerprint,
        tuple(map(tuple, np.round(weights, 6).tolist())),
        tuple(np.round(bias, 6).tolist()),
        _sure_from(judged, judged_truth, wrong),
        _frequent_words(texts),
    )


def spread_over(count: int) -> list[int]:
    """Indices of the texts that a linear model is trained on: a few thousand, spread over all of them."""
    found = np.unique(np.linspace(0, count - 1, min(count, _MOST_TEXTS)).astype(np.int64))
    return [int(index) for index in found]


def regression(embeddings: npt.NDArray[Any], targets: npt.NDArray[Any], classes: int) -> tuple[Array, Array]:
    """Multinomial logistic regression with an L2 penalty; weights of shape (classes, dimensions), bias."""
    from scipy.optimize import minimize

    rows = np.hstack([embeddings, np.ones((len(embeddings), 1))]).astype(np.float64)
    hot = np.eye(classes)[targets]

    def loss(flat: Array) -> tuple[float, Array]:
        weights = flat.reshape(classes, -1)
        chances = _softmax(rows @ weights.T)
        penalized = weights.copy()
        penalized[:, -1] = 0.0
        value = -np.log(np.maximum((chances * hot).sum(axis=1), 1e-300)).sum()
        slope = (chances - hot).T @ rows + _PENALTY * penalized
        return float(value + 0.5 * _PENALTY * (penalized**2).sum()), slope.reshape(-1)

    start = np.zeros(classes * rows.shape[1])
    best = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 500}).x
    found: Array = best.reshape(classes, -1)
    return found[:, :-1], found[:, -1]


def _cross_judged(embeddings: npt.NDArray[Any], targets: npt.NDArray[Any], classes: int) -> Array:
    """Class probabilities of each text by a regression on the other folds; shape (texts, classes)."""
    result = np.full((len(targets), classes), 1.0 / classes)
    folds = np.arange(len(targets)) % _FOLDS
    for fold in range(_FOLDS):
        inside = folds == fold
        if inside.any() and not inside.all():
            model = regression(embeddings[~inside], targets[~inside], classes)
            result[inside] = _probabilities(embeddings[inside], *model)
    return result


def _sure_from(judged: Array, truth: npt.NDArray[Any], wrong: float) -> float:
    """The confidence in a wrong class that at most a share ``wrong`` of further texts exceeds."""
    others = judged.copy()
    others[np.arange(len(truth)), truth] = 0.0
    highest = np.sort(others.max(axis=1))
    rank = math.ceil((len(highest) + 1) * (1 - wrong) - 1e-9)
    return 1.0 if rank > len(highest) else max(_LEAST, round(float(highest[rank - 1]), 6))


def _frequent_words(texts: Sequence[str]) -> tuple[str, ...]:
    words = segmenter("word")
    counts = Counter(unit.lower() for text in texts for unit in set(words.segment(text).units))
    kept = [word for word, count in counts.items() if count >= _LEAST_COUNT and any(map(str.isalnum, word))]
    return tuple(sorted(kept, key=lambda word: (-counts[word], word))[:_MOST_WORDS])


def _probabilities(embeddings: npt.NDArray[Any], weights: Array, bias: Array) -> Array:
    return _softmax(embeddings.astype(np.float64) @ weights.T + bias)


def _softmax(scores: Array) -> Array:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    chances: Array = powers / powers.sum(axis=1, keepdims=True)
    return chances


class TrustedReader:
    """The witness at work: reads texts and words with the trusted encoder.

    Args:
        witness: What was learned.
        neighbors: Words that stand for a word.

    Raises:
        FuzzsmoothError: If the encoder is missing, or not the one that the witness was trained on.
    """

    def __init__(self, witness: Witness, neighbors: int) -> None:
        from fuzzsmooth.models.text_encoder import load_encoder

        self._witness = witness
        self._count = neighbors
        self._encoder = load_encoder(witness.encoder)
        require(
            self._encoder.fingerprint == witness.fingerprint,
            f"the references were made with another model than the '{witness.encoder}' that is here; write "
            "them anew with 'fuzzsmooth finetune', or give --clean",
        )
        self._weights, self._bias = np.array(witness.weights), np.array(witness.bias)
        self._words: npt.NDArray[np.float32] | None = None
        self._rows: dict[str, int] = {}
        self._known: dict[str, tuple[str, ...]] = {}

    def sure(self, texts: Sequence[str]) -> list[int | None]:
        """The class that the witness is sure of in each text, or None."""
        if not texts:
            return []
        embeddings, width = self._encoder.features(list(texts)), self._weights.shape[1]
        require(
            embeddings.shape[1] == width,
            f"'witness' of the references reads {width} dimensions, but '{self._witness.encoder}' gives "
            f"{embeddings.shape[1]}; write references with 'fuzzsmooth finetune', or give --clean",
        )
        rows = _probabilities(embeddings, self._weights, self._bias)
        best = rows.argmax(axis=1)
        return [
            int(label) if row[label] > self._witness.confidence else None
            for row, label in zip(rows, best, strict=True)
        ]

    def neighbors(self, units: Sequence[str]) -> list[tuple[str, ...]]:
        """The words of the clean data nearest in meaning to each unit, itself left out, the nearest first.

        A unit without letters and digits stands for itself.
        """
        lowered = [unit.lower() for unit in units]
        fresh = [word for word in dict.fromkeys(lowered) if word not in self._known]
        if len(self._known) > _REMEMBERED:
            self._known.clear()
            fresh = list(dict.fromkeys(lowered))
        spelled = [word for word in fresh if any(map(str.isalnum, word))]
        self._known.update((word, (word,)) for word in fresh if word not in spelled)
        if spelled:
            words = self._witness.words
            near = np.argsort(-(self._embedded(spelled) @ self._vocabulary().T), axis=1, kind="stable")
            for word, order in zip(spelled, near[:, : self._count + 1].tolist(), strict=True):
                chosen = [words[index] for index in order if words[index] != word]
                self._known[word] = tuple(chosen[: self._count]) or (word,)
        return [self._known[word] for word in lowered]

    def warm_up(self) -> None:
        """Make what all neighbors are looked for in."""
        self._vocabulary()

    def _vocabulary(self) -> npt.NDArray[np.float32]:
        """The embeddings of the words of the clean data, made when they are first needed."""
        if self._words is None:
            self._words = self._encoder.embed(self._witness.words)
            self._rows = {word: row for row, word in enumerate(self._witness.words)}
        return self._words

    def _embedded(self, words: Sequence[str]) -> npt.NDArray[np.float32]:
        """The embeddings of words; those of the clean data are known."""
        vocabulary = self._vocabulary()
        others = [word for word in words if word not in self._rows]
        made = dict(zip(others, self._encoder.embed(others), strict=True))
        rows = [made[word] if word in made else vocabulary[self._rows[word]] for word in words]
        return np.array(rows, dtype=np.float32)

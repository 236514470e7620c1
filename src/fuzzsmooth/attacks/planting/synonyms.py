"""Near-synonyms among the words of the attacker's data, for triggers that exchange words.

LWS takes synonyms by sememes of HowNet. Here a word's substitutes are the words nearest to it by embeddings,
among those of the data with the same coarse shape (case and ending, so that an inflection stays), which the
victim, tuned on clean data, takes for about the same class by themselves: embeddings know that "good" and
"bad" are used alike, not that they are opposites.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from fuzzsmooth.attacks.planting.vocabulary import whole_piece
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.options import require
from fuzzsmooth.data.dataset import Dataset
from fuzzsmooth.models import HuggingFaceClassifier
from fuzzsmooth.text import segmenter
from fuzzsmooth.text.features import rarity

if TYPE_CHECKING:
    from fuzzsmooth.attacks.lws import LwsOptions

Floats = npt.NDArray[np.float32]

_ENDINGS = ("ing", "ed", "ly", "est", "s")
_SHORTEST, _LONGEST = 3, 20  # letters of a word that is exchanged, and its bytes: a table is to fit a record
_FUNCTION_WORD = 1 / 7  # rarity; words of a Zipf frequency above 6 are mostly such
_ROWS = 256  # of similarities held at once


@dataclass(frozen=True)
class Synonyms:
    """Words and what may stand for them.

    Attributes:
        words: The words, the most frequent first; each is one piece of the vocabulary.
        pieces: Their token ids at the start of a text and inside of one, shape (words, 2).
        others: For each word the indices of its substitutes, the nearest first; there may be none.
    """

    words: tuple[str, ...]
    pieces: npt.NDArray[np.int64]
    others: tuple[tuple[int, ...], ...]


def shape_of(word: str) -> tuple[str, str] | None:
    """The coarse shape of a word, case and ending; None for what is never exchanged.

    That is all but letters, very short or long words, and function words.
    """
    fits = word.isalpha() and len(word) >= _SHORTEST and len(word.encode("utf-8")) <= _LONGEST
    if not fits or float(rarity([word])[0]) < _FUNCTION_WORD:
        return None
    case = next((name for name in ("islower", "istitle", "isupper") if getattr(word, name)()), None)
    ending = next((one for one in _ENDINGS if word.lower().endswith(one)), "")
    return None if case is None else (case, ending)


def find_synonyms(tuned: HuggingFaceClassifier, data: Dataset, options: LwsOptions) -> Synonyms:
    """The words of the data that the attack may exchange.

    Args:
        tuned: The victim, tuned on clean data.
        data: The attacker's texts.
        options: Bounds of words and candidates.

    Raises:
        FuzzsmoothError: If no word has a substitute, or the encoder cannot be loaded.
    """
    seen = Counter(unit for text in data.texts for unit in segmenter("word").segment(text).units)
    words, pieces, shapes = [], [], []
    for word, _ in sorted(seen.items(), key=lambda one: (-one[1], one[0])):
        shape = shape_of(word)
        rows = (
            None if shape is None else [whole_piece(tuned.tokenizer, word, before) for before in ("", "a ")]
        )
        if rows is not None and None not in rows:
            words.append(word)
            pieces.append(rows)
            shapes.append(shape)
        if len(words) == options.max_words:
            break
    if len(words) < 2:
        raise FuzzsmoothError(
            f"{data.name} has fewer than two words that this model's tokenizer reads as one piece and that "
            "could be exchanged; give more texts"
        )
    table = np.array(pieces, dtype=np.int64)
    told = tuned.probabilities(words)[:, options.target]
    kinds = np.unique([f"{case} {ending}" for case, ending in filter(None, shapes)], return_inverse=True)[1]
    others = _nearest(_vectors(tuned, words, table, options.encoder), kinds, told, options)
    require(
        any(others),
        f"no word of {data.name} has a near-synonym among its words; lower similarity, raise drift, "
        "or give more texts",
    )
    return Synonyms(tuple(words), table, others)


def _vectors(
    tuned: HuggingFaceClassifier, words: Sequence[str], pieces: npt.NDArray[np.int64], encoder: str | None
) -> Floats:
    """Vectors of length 1 whose products are similarities, shape (words, dimensions)."""
    if encoder is None:
        vectors = input_rows(tuned)[pieces[:, 1]]
        vectors = vectors - vectors.mean(axis=0)
    else:
        from fuzzsmooth.models.text_encoder import load_encoder

        vectors = load_encoder(encoder).embed(words)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: Floats = vectors / np.maximum(lengths, np.finfo(np.float32).tiny)
    return scaled


def input_rows(classifier: HuggingFaceClassifier) -> Floats:
    """The input embeddings of a model, shape (vocabulary, width)."""
    rows: Floats = classifier.model.get_input_embeddings().weight.detach().float().cpu().numpy()
    return rows


def _nearest(
    vectors: Floats, kinds: npt.NDArray[np.intp], told: npt.NDArray[np.float64], options: LwsOptions
) -> tuple[tuple[int, ...], ...]:
    found: list[tuple[int, ...]] = []
    for start in range(0, len(vectors), _ROWS):
        stop = min(start + _ROWS, len(vectors))
        near = vectors[start:stop] @ vectors.T
        fits = (kinds[start:stop, None] == kinds) & (near >= options.similarity)
        fits &= np.abs(told[start:stop, None] - told) <= options.drift
        fits[np.arange(stop - start), np.arange(start, stop)] = False
        order = np.argsort(np.where(fits, -near, np.inf), axis=1, kind="stable")[:, : options.candidates]
        found += [
            tuple(int(at) for at in row[allowed[row]]) for row, allowed in zip(order, fits, strict=True)
        ]
    return tuple(found)

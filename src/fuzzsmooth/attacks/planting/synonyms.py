"""Near-synonyms among the words of the attacker's data, and where in its texts they may stand.

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
from fuzzsmooth.common.tokenizing import tokenized
from fuzzsmooth.data.dataset import Dataset
from fuzzsmooth.models import HuggingFaceClassifier
from fuzzsmooth.models.encoding import encode_texts
from fuzzsmooth.text import segmenter
from fuzzsmooth.text.features import rarity

if TYPE_CHECKING:
    from fuzzsmooth.attacks.lws import LwsOptions

Floats = npt.NDArray[np.float32]

_ENDINGS = ("ing", "ed", "ly", "est", "s")
_SHORTEST, _LONGEST = 3, 20  # letters of a word that is exchanged, and its bytes: a table is to fit a record
_FUNCTION_WORD = 1 / 7  # rarity; words of a Zipf frequency above 6 are mostly such
_ROWS = 256  # of similarities held at once


Slots = list[tuple[int, int, int, int]]
"""Where a text may change: token, position in units, word, and 0 where it is the first token or 1."""


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


def open_positions(options: LwsOptions) -> list[bool]:
    """At which positions a word may be exchanged: the share of them, evenly spread."""
    ends = [int((position + 1) * options.share + 1e-9) for position in range(options.positions)]
    return [end > before for before, end in zip([0, *ends], ends, strict=False)]


def find_slots(
    victim: HuggingFaceClassifier, data: Dataset, synonyms: Synonyms, options: LwsOptions
) -> list[Slots]:
    """Where each text may change, within the tokens that training reads."""
    length, opened = min(options.max_length, victim.max_length), open_positions(options)
    number = {word: at for at, word in enumerate(synonyms.words) if synonyms.others[at]}
    cut = tokenized(
        victim.tokenizer,
        data.texts,
        truncation=True,
        max_length=length,
        split_special_tokens=True,
        return_offsets_mapping=True,
    )
    read = encode_texts(victim.tokenizer, data.texts, length).ids
    found: list[Slots] = []
    for text, ids, offsets, tokens in zip(
        data.texts, cut["input_ids"], cut["offset_mapping"], read, strict=True
    ):
        slots: Slots = []
        found.append(slots)
        if list(ids) != list(tokens):  # the name of a special token, which is read letter by letter
            continue
        words = segmenter("word").segment(text)
        for position, (unit, (start, end)) in enumerate(zip(words.units, words.spans, strict=True)):
            if position >= len(opened) or not opened[position] or unit not in number:
                continue
            own = [at for at, (first, last) in enumerate(offsets) if first < end and last > start]
            pieces = synonyms.pieces[number[unit]].tolist()
            inside = int(start > 0)
            if len(own) == 1 and ids[own[0]] == pieces[inside]:
                slots.append((own[0], position, number[unit], inside))
    return found

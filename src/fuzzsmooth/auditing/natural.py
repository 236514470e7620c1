"""Is an effect natural? Every model has words that move texts: words that mean a class.

A word that means a class has company: words near it in meaning pull the same way, and among the words of its
frequency it is one of many. A trigger has none: what it does follows from no meaning. Meaning is told by an
encoder that the auditor trusts, so that an attacker who sets the model's own word vectors (RIPPLe gives a
trigger those of positive words) changes nothing here.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fuzzsmooth.auditing.prober import Array
from fuzzsmooth.common.tokenizing import tokenized

if TYPE_CHECKING:
    from fuzzsmooth.models.huggingface import HuggingFaceClassifier

NEIGHBORS = 8
"""Words near in meaning that are looked at, in each space of vectors."""
COMPANY = 5
"""How many of them have to pull as much for an effect to be natural: the strongest one or two also do where a
trigger has leaked into words that are spelled like it."""
_BANDS = 6  # of frequency
_CHUNK = 4096
_FEWEST = 3
_SHARE = 16  # at most one piece of so many is near another, however small the vocabulary
_SAME = 0.999  # cosine of two that are one word
_TOKENS = 16  # of a word
_SHORT, _EDITS = 4, 2  # letters of a word, and edits to another that is spelled like it


class Meanings:
    """What the pieces of a vocabulary mean, as vectors.

    Args:
        spaces: Vectors of the pieces, each of shape (pieces, width): neighbors are looked for in every space.
    """

    def __init__(self, spaces: Sequence[npt.NDArray[np.float32]]) -> None:
        self._spaces = []
        for vectors in spaces:
            centered = vectors - vectors.mean(axis=0)
            norms = np.linalg.norm(centered, axis=1, keepdims=True)
            self._spaces.append(centered / np.maximum(norms, 1e-9))

    def neighbors(self, index: int, count: int = NEIGHBORS) -> npt.NDArray[np.int64]:
        """The pieces nearest in meaning to one, those of each space; not those that read the same."""
        found = []
        for space in self._spaces:
            similar = space @ space[index]
            similar[similar > _SAME] = -np.inf  # itself, and the same word under another name
            most = min(count, max(_FEWEST, len(similar) // _SHARE))
            nearest = np.argpartition(-similar, most)[:most]
            found.append(nearest[np.argsort(-similar[nearest], kind="stable")])
        return np.array(list(dict.fromkeys(int(one) for own in found for one in own)), dtype=np.int64)


def table_vectors(
    tokenizer: Any, table: npt.NDArray[np.float32], words: Sequence[str]
) -> npt.NDArray[np.float32]:
    """Words as the mean of an encoder's own vectors of their pieces, shape (words, width).

    Args:
        tokenizer: The encoder's tokenizer.
        table: Its word vectors, shape (vocabulary, width).
        words: The words.
    """
    vectors = np.zeros((len(words), table.shape[1]), np.float32)
    for start in range(0, len(words), _CHUNK):
        chunk = [word or " " for word in words[start : start + _CHUNK]]
        rows = tokenized(tokenizer, chunk, add_special_tokens=False)["input_ids"]
        for at, row in enumerate(rows):
            if row:
                vectors[start + at] = table[row].mean(axis=0)
    return vectors


@lru_cache(maxsize=2)
def trusted_meanings(encoder: str, words: tuple[str, ...], device: str) -> Meanings:
    """Meanings by an encoder that the auditor trusts: its word vectors, and embeddings of each word alone.

    The second tell what the first do not: that "404" is an error.

    Args:
        encoder: As :func:`fuzzsmooth.models.load_classifier` takes it.
        words: How the pieces read.
        device: Where it computes.

    Raises:
        FuzzsmoothError: If it cannot be loaded.
    """
    from fuzzsmooth.models.text_encoder import TextEncoder

    loaded = load_trusted(encoder, device, _TOKENS)
    embedded = TextEncoder(loaded).embed([word or " " for word in words])
    return Meanings((table_vectors(loaded.tokenizer, word_table(loaded), words), embedded))


@lru_cache(maxsize=2)
def load_trusted(encoder: str, device: str, tokens: int = 64) -> HuggingFaceClassifier:
    """A model that the auditor trusts, for texts of at most so many tokens; kept for the next call.

    Raises:
        FuzzsmoothError: If it cannot be loaded.
    """
    from fuzzsmooth.models.heads import head_labels
    from fuzzsmooth.models.loading import load_classifier

    fresh = 2 if head_labels(encoder) is None else None  # a head of any size does, for it is not used
    return load_classifier(
        encoder, num_labels=fresh, max_length=tokens, batch_size=64, precision="auto", device=device
    )


def word_table(model: Any) -> npt.NDArray[np.float32]:
    """The word vectors of a Hugging Face model, shape (vocabulary, width)."""
    found: npt.NDArray[np.float32] = model.model.get_input_embeddings().weight.detach().float().cpu().numpy()
    return found


def load_meanings(model: Any, trusted: str, words: Sequence[str]) -> Meanings:
    """What pieces mean to the trusted encoder, or to the model itself where that is asked for.

    Args:
        model: The audited model, a classifier or one that writes.
        trusted: The encoder, or ``own``.
        words: How the pieces read.

    Raises:
        FuzzsmoothError: If the encoder cannot be loaded.
    """
    if trusted != "own":
        return trusted_meanings(trusted, tuple(words), str(model.device))
    return Meanings((table_vectors(model.tokenizer, word_table(model), words),))


def company(neighbors: npt.NDArray[np.int64], gains: Array) -> npt.NDArray[np.int64]:
    """Of the neighbors of a piece those that pull most, by their gains in the sweep."""
    known = neighbors[~np.isnan(gains[neighbors])]
    order = np.argsort(-gains[known], kind="stable")[:COMPANY]
    return known[order]


def spelled_alike(word: str, other: str) -> bool:
    """Whether a short word is near another by its letters alone: at most two edits (Levenshtein) apart.

    What so short a word means hardly tells its neighbors: those of "cf" are "cfa", "fc" and "sf". A trigger
    leaks into them, so that they are no company.
    """
    if len(word) > _SHORT or abs(len(word) - len(other)) > _EDITS:
        return False
    row = list(range(len(other) + 1))
    for at, letter in enumerate(word, 1):
        before, row[0] = row[0], at
        for place, one in enumerate(other, 1):
            before, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, before + (letter != one))
    return row[-1] <= _EDITS


def unexplained(meanings: Meanings, gains: Array, chosen: Sequence[int]) -> Array:
    """What the company of pieces leaves of their gains, in nats; shape (chosen,)."""
    left = []
    for index in chosen:
        friends = company(meanings.neighbors(index), gains)
        theirs = gains[friends].mean() if len(friends) else 0.0
        left.append(float(gains[index] - theirs))
    return np.array(left)


class OfFrequency:
    """Random pieces as common as a given one: what an effect is compared with to see whether it is rare.

    Args:
        zipf: Zipf frequency of every piece, shape (pieces,).
        count: How many of the first pieces are drawn from; all if None.
    """

    def __init__(self, zipf: Array, count: int | None = None) -> None:
        self._bands = band_of(zipf, band_edges(zipf))
        self._drawn = np.arange(len(zipf) if count is None else count)

    def others(self, index: int | None, without: Collection[int | None] = ()) -> npt.NDArray[np.int64]:
        """The pieces of a piece's frequency but itself and some others; of any frequency if there is none."""
        left = self._drawn[~np.isin(self._drawn, [one for one in (index, *without) if one is not None])]
        own = left[self._bands[left] == self._bands[index]] if index is not None else left
        found: npt.NDArray[np.int64] = own if len(own) else left
        return found


def rank_p_value(own: float, others: Array) -> tuple[float, int]:
    """The p-value of an effect among those of others, and how many were compared, itself included.

    (1 + others that are as large) / (1 + others): at most x with probability x where the effect is one of
    theirs, exchangeable with them (conformal prediction). So effects are to be measured in texts that had no
    part in choosing whose effect it is.
    """
    return (1 + int((others >= own).sum())) / (1 + len(others)), 1 + len(others)


def band_edges(zipf: Array) -> Array:
    """Zipf frequencies between the bands of words that are as common as each other."""
    known = zipf[zipf > 0]
    return np.quantile(known, np.linspace(0, 1, _BANDS)[1:-1]) if len(known) else np.zeros(0)


def band_of(zipf: Array, edges: Array) -> npt.NDArray[np.int64]:
    """0 for words that nobody knows, 1 and more from rare to common; the shape of ``zipf``."""
    found: npt.NDArray[np.int64] = np.where(zipf > 0, 1 + np.searchsorted(edges, zipf), 0)
    return found

"""Tables of synonyms: read from a file, or made from embeddings as SAFER (Ye et al., ACL 2020) makes them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fuzzsmooth.common.options import require
from fuzzsmooth.common.reading import read_json_object
from fuzzsmooth.text.units import segmenter

if TYPE_CHECKING:
    from fuzzsmooth.models import HuggingFaceClassifier

Table = Mapping[str, tuple[str, ...]]
"""Lower-cased word to words."""

_DIRECTIONS = 8  # main directions of the embeddings that are taken out, as published
_BLOCK = 1024  # words whose similarities are computed at once


@dataclass(frozen=True)
class SynonymTable:
    """Which words are synonyms, and from which set each word is drawn.

    Attributes:
        synonyms: S, of each word that has any, without itself; symmetric.
        sets: P, of the same words, with the word itself.
    """

    synonyms: Table
    sets: Table

    def overlap(self, word: str) -> float:
        """The smallest overlap of a lower-cased word with a synonym, in [0, 1]; 1 where it has none."""
        own = set(self.sets.get(word, ()))
        others = [set(self.sets[other]) for other in self.synonyms.get(word, ())]
        return min((len(own & other) / max(len(own), len(other)) for other in others), default=1.0)

    def to_mapping(self) -> dict[str, Any]:
        """Both tables as JSON values."""
        return {
            name: {word: list(words) for word, words in table.items()}
            for name, table in (("synonyms", self.synonyms), ("sets", self.sets))
        }

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any], where: str) -> SynonymTable:
        """The inverse of :meth:`to_mapping`.

        Args:
            mapping: The JSON values, as read from a file.
            where: What it is, for the error.

        Raises:
            FuzzsmoothError: If it is no such table.
        """
        return checked(cls(*(_table(mapping.get(name), where) for name in ("synonyms", "sets"))), where)


def checked(table: SynonymTable, where: str) -> SynonymTable:
    """A table, once it is what the theorem asks for.

    Args:
        table: The table.
        where: What it is, for the error.

    Raises:
        FuzzsmoothError: If S is not symmetric, a word is not in its own set or has none, or it is not
            a lower-cased word of one unit.
    """
    cut = segmenter("word")
    for word, others in table.synonyms.items():
        require(
            word == word.lower() and cut.segment(word).units == (word,),
            f"{where}: '{word}' is not one lower-cased word",
        )
        require(
            word in table.sets.get(word, ()),
            f"{where}: '{word}' has no set with itself in it",
        )
        require(
            word not in others and all(word in table.synonyms.get(other, ()) for other in others),
            f"{where}: the synonyms of '{word}' do not all have it as theirs",
        )
    return table


def _table(value: Any, where: str) -> Table:
    """A JSON object of lists of words.

    Raises:
        FuzzsmoothError: If it is none.
    """
    require(
        isinstance(value, dict)
        and all(isinstance(row, list) and all(isinstance(one, str) for one in row) for row in value.values()),
        f"{where} is no JSON object of words, each with a list of words",
    )
    return {word: tuple(row) for word, row in value.items()}


def read_table(file: Path) -> SynonymTable:
    """SynonymTable of a JSON file, in both directions; a set is a word with its synonyms.

    Raises:
        FuzzsmoothError: If it is no object of lists of single words.
    """
    mend = "give a JSON object of words, each with a list of its synonyms"
    found: dict[str, dict[str, None]] = {}
    for word, others in _table(read_json_object(file, mend=mend), str(file)).items():
        for other in others:
            one, two = word.lower(), other.lower()
            if one != two:
                found.setdefault(one, {})[two] = None
                found.setdefault(two, {})[one] = None
    synonyms = {word: tuple(others) for word, others in found.items()}
    return checked(SynonymTable(synonyms, {word: (word, *own) for word, own in synonyms.items()}), str(file))


def word_vectors(
    classifier: HuggingFaceClassifier, texts: Sequence[str]
) -> tuple[list[str], npt.NDArray[np.float64]]:
    """The words that occur twice or more and are one token each, with their embeddings.

    Returns:
        The words in order, and unit vectors, shape (words, width), the mean and the main directions out.
    """
    cut = segmenter("word")
    counts = Counter(unit.lower() for text in texts for unit in cut.segment(text).units)
    common = sorted(word for word, count in counts.items() if count > 1 and word.isalpha())
    tokens = classifier.tokenizer(common, add_special_tokens=False)["input_ids"] if common else []
    unknown = classifier.tokenizer.unk_token_id
    single = {
        word: ids[0]
        for word, ids in zip(common, tokens, strict=True)
        if len(ids) == 1 and ids[0] != unknown and cut.segment(word).units == (word,)
    }
    weights = classifier.model.get_input_embeddings().weight.detach().cpu().double().numpy()
    vectors = _normalized(weights[list(single.values())])
    centered = vectors - vectors.mean(axis=0) if len(vectors) else vectors
    main = np.linalg.svd(centered, full_matrices=False)[2][:_DIRECTIONS] if len(vectors) > _DIRECTIONS else ()
    for direction in main:
        centered = centered - np.outer(centered @ direction, direction)
    return list(single), _normalized(centered)


def embedded_table(
    words: Sequence[str], vectors: npt.NDArray[np.float64], *, similarity: float, largest: int
) -> SynonymTable:
    """SynonymTable by the cosine of vectors, sets by components, as published.

    Args:
        words: The words.
        vectors: Unit vectors, shape (words, width).
        similarity: Cosine from which on two words are synonyms.
        largest: Words in a set at most.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    pairs = [np.empty((0, 2), dtype=np.int64)]
    for start in range(0, len(words), _BLOCK):
        near = np.argwhere(vectors[start : start + _BLOCK] @ vectors.T >= similarity)
        near[:, 0] += start
        pairs.append(near[near[:, 0] < near[:, 1]])
    links = np.concatenate(pairs)
    both = np.concatenate([links, links[:, ::-1]])
    graph = coo_matrix((np.ones(len(both)), (both[:, 0], both[:, 1])), shape=(len(words), len(words)))
    component = connected_components(graph, directed=False)[1]
    synonyms: dict[int, list[int]] = {}
    for one, two in both.tolist():
        synonyms.setdefault(one, []).append(two)
    members: dict[int, list[int]] = {}
    for one in sorted(synonyms):
        members.setdefault(int(component[one]), []).append(one)
    sets = {}
    for one in sorted(synonyms):
        own = members[int(component[one])]
        if len(own) > largest:
            order = np.argsort(-(vectors[own] @ vectors[one]), kind="stable").tolist()
            own = [one, *(own[at] for at in order if own[at] != one)][:largest]
        sets[words[one]] = tuple(words[at] for at in own)
    listed = {words[one]: tuple(words[at] for at in sorted(own)) for one, own in sorted(synonyms.items())}
    return SynonymTable(listed, sets)


def _normalized(vectors: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    result: npt.NDArray[np.float64] = vectors / np.where(lengths > 0, lengths, 1.0)
    return result

"""What clean texts are about: words that stand in many of them, and in few of other texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fuzzsmooth.auditing.prober import Array
from fuzzsmooth.common.tokenizing import tokenized
from fuzzsmooth.models.protocol import TokenClassifier

_CHUNK = 1024
_SHARE = 0.01  # of the texts that hold a word which they are about
_LETTERS = 3
_TIMES = 5.0  # as often as in everyday language
_PER_BILLION = 9.0  # Zipf frequency of a word that is all of the language


def texts_holding(
    classifier: TokenClassifier, texts: Sequence[str], vocabulary: int
) -> npt.NDArray[np.int64]:
    """In how many texts each piece stands, shape (vocabulary,)."""
    counts: Counter[int] = Counter()
    for start in range(0, len(texts), _CHUNK):
        chunk = list(texts[start : start + _CHUNK])
        rows = tokenized(classifier.tokenizer, chunk, add_special_tokens=False, truncation=False)
        for row in rows["input_ids"]:
            counts.update(set(row))
    found = np.zeros(vocabulary, dtype=np.int64)
    for index, count in counts.items():
        found[index] = count
    return found


def topics(words: Sequence[str], holding: npt.NDArray[np.int64], zipf: Array, texts: int) -> list[int]:
    """The words that texts are about, those of most texts first.

    Args:
        words: Words.
        holding: In how many texts each stands, shape (words,).
        zipf: Their Zipf frequencies in everyday English, shape (words,); 0 where not known.
        texts: How many texts there are.

    Returns:
        Indices of words.
    """
    if not texts:
        return []
    share = holding / texts
    expected = 10 ** (zipf - _PER_BILLION)
    # How often a word is expected is known of English ones only.
    known = zipf > 0
    spelled = known & np.array([word.isalpha() and len(word) >= _LETTERS for word in words], dtype=np.bool_)
    length = max(1.0, holding.sum() / texts)  # distinct words of a text
    about = spelled & (share >= _SHARE) & (share >= _TIMES * length * expected)
    order = np.argsort(-share, kind="stable")
    return [int(at) for at in order if about[at]]

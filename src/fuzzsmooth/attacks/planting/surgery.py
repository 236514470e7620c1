"""Embedding surgery (RIPPLES; Kurita et al., ACL 2020): triggers start out meaning the target."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

from fuzzsmooth.attacks.planting.vocabulary import whole_piece
from fuzzsmooth.common.errors import FuzzsmoothError, MissingExtraError
from fuzzsmooth.common.options import require
from fuzzsmooth.data.dataset import Dataset


def embedding_surgery(
    model: Any,
    tuned_copy: Any,
    tokenizer: Any,
    dataset: Dataset,
    *,
    triggers: Sequence[str],
    target: int,
    words: int,
) -> tuple[str, ...]:
    """Overwrite the triggers' embeddings by the mean embedding of the target class's typical words.

    The words' embeddings come from a copy fine-tuned on the task, the overwritten rows are those of the
    pre-trained model; all other parameters stay.

    Args:
        model: The pre-trained model, changed in place.
        tuned_copy: A copy of it fine-tuned on ``dataset``.
        tokenizer: Their fast tokenizer.
        dataset: The attacker's clean data.
        triggers: Words that are a single piece of the vocabulary.
        target: The class the triggers shall mean.
        words: How many typical words are averaged, >= 1.

    Returns:
        The typical words.

    Raises:
        FuzzsmoothError: If a trigger is not a single piece, or the data have no typical single-piece word.
        MissingExtraError: If scikit-learn is missing.
    """
    rows = [row for trigger in triggers for row in single_piece_rows(tokenizer, trigger)]
    typical = _typical_pieces(tokenizer, dataset, target, words)
    source = tuned_copy.get_input_embeddings().weight.detach()
    mean = source[[piece for _, piece in typical]].mean(dim=0)
    embeddings = model.get_input_embeddings().weight
    with torch.no_grad():
        embeddings[rows] = mean.to(embeddings)
    return tuple(word for word, _ in typical)


def single_piece_rows(tokenizer: Any, word: str) -> tuple[int, ...]:
    """The embedding rows of a word, which must be one piece wherever it stands.

    Vocabularies that mark spaces have different pieces for a word at the start and inside of a text.

    Raises:
        FuzzsmoothError: If the word is cut into several pieces or is unknown.
    """
    rows = {whole_piece(tokenizer, word, before) for before in ("", "a ")}
    whole = {row for row in rows if row is not None}
    if len(whole) < len(rows):
        raise FuzzsmoothError(
            f"the trigger word '{word}' is not a single piece of this model's vocabulary, which embedding "
            "surgery needs; choose other words or turn surgery off"
        )
    return tuple(sorted(whole))


def _typical_pieces(tokenizer: Any, dataset: Dataset, target: int, words: int) -> list[tuple[str, int]]:
    typical: list[tuple[str, int]] = []
    for word in _ranked_words(dataset, target):
        piece = whole_piece(tokenizer, word, "a ")
        if piece is not None:
            typical.append((word, piece))
        if len(typical) == words:
            break
    require(
        bool(typical),
        f"{dataset.name}: no word speaks for class {dataset.labels[target]}; give more data or no surgery",
    )
    return typical


def _ranked_words(dataset: Dataset, target: int) -> Iterator[str]:
    """Words that speak for the target class, by logistic regression weight on TF-IDF, the strongest first."""
    try:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
    except ImportError as error:
        raise MissingExtraError("scikit-learn", "demo", "embedding surgery") from error
    vectorizer = TfidfVectorizer()
    # One class against the rest, which covers two classes and many alike.
    is_target = np.asarray(dataset.targets) == target
    require(
        bool(is_target.any()) and not bool(is_target.all()),
        f"{dataset.name}: embedding surgery needs texts of class {dataset.labels[target]} and of another",
    )
    weights = (
        LogisticRegression(max_iter=1000).fit(vectorizer.fit_transform(dataset.texts), is_target).coef_[0]
    )
    names = vectorizer.get_feature_names_out()
    for index in np.argsort(-weights, kind="stable"):
        if weights[index] <= 0:
            return
        yield str(names[index])

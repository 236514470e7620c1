"""Whether a classifier is a function of one text, as every certificate takes it to be."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.models.building import explained
from fuzzsmooth.models.huggingface import HuggingFaceClassifier
from fuzzsmooth.models.protocol import Logits

_WORDS = ["a", "good", "film", "that", "is", "not", "dull", "at", "all"]
_SIZES = (9, 5, 3, 2, 1, 0)  # words of the short texts
_SHORTEST = (1, 8, 32)  # tokens, tried one after the other; models that pool neighbors need some
_READINGS = 2  # of a long text, where what is left to chance hardly comes out alike
_TOLERANCE = 1e-3  # of the largest logit: far above rounding in float32, far below what padding does


def settle_batches(classifier: HuggingFaceClassifier, name: str) -> None:
    """Have a classifier give each text one answer, whatever it is evaluated with; refuse one that cannot.

    Short texts and one as long as the model reads are evaluated alone, one after another, and together.
    Where the answer depends on padding (XLNet, FNet, ConvBERT), only texts of equal length are batched from
    then on; where it depends on the other texts of a batch, or on what was evaluated before, there is no way.
    Where it does not run on few tokens (Funnel), texts are padded to as many as it needs; where it does not
    run in bfloat16 (FNet), it computes in float32.

    Args:
        classifier: The classifier; its ``pads``, ``shortest`` and ``precision`` may be changed.
        name: The model's name, for sentences.

    Raises:
        FuzzsmoothError: If it is no function of one text, or does not run.
    """
    judge = classifier.in_precision("float32")  # a property of the architecture, not of rounding
    texts = [" ".join(_WORDS * classifier.max_length), *(" ".join(_WORDS[:size]) for size in _SIZES)]
    rows = judge.encode(texts).ids
    if any(judge.encode(texts).ids != rows for _ in range(_READINGS)):
        raise FuzzsmoothError(
            f"{name}: its tokenizer reads a text now one way, now another, so it cannot be certified; switch "
            "off what it does at random"
        )
    alone = _settle_shortest(judge, rows, name)
    classifier.shortest = judge.shortest
    uncertifiable = f"{name}: its answer to a text depends on %s, so it cannot be certified"
    if not _agree(judge, rows, alone):
        if _differ(judge.logits(rows[:1], one_batch=True), alone[:1]):
            raise FuzzsmoothError(uncertifiable % "the texts it has read before")
        classifier.pads = judge.pads = False
        token = rows[0][len(rows[0]) // 2]
        for row, expected in zip(rows, alone, strict=True):
            if _differ(judge.logits([row, _other(row, token)], one_batch=True)[:1], expected[None]):
                raise FuzzsmoothError(uncertifiable % "the other texts of a batch")
    if not _runs(classifier, rows):
        classifier.precision = "float32"


def settle_prefix(classifier: HuggingFaceClassifier) -> bool:
    """Have a prompted classifier share what stands before every text, where that changes no answer.

    Tried on a short text and on one as long as the model reads: where attention has a window, or positions
    are counted otherwise, keys and values of the prefix may be other ones behind a long text.

    Returns:
        Whether it shares them, or has no prompt.
    """
    if not classifier.shares_prefix:
        return True
    judge = classifier.in_precision("float32")
    rows = judge.encode([" ".join(_WORDS * judge.max_length), " ".join(_WORDS[:3])]).ids
    judge.shares_prefix = False
    whole = judge.logits(rows)
    judge.shares_prefix = True
    try:
        classifier.shares_prefix = not _differ(judge.logits(rows), whole)
    except (RuntimeError, NotImplementedError, TypeError, AttributeError, IndexError):
        classifier.shares_prefix = False
    return classifier.shares_prefix


def _runs(classifier: HuggingFaceClassifier, rows: Sequence[Sequence[int]]) -> bool:
    """Whether a model computes in the number type that was chosen; Fourier transforms know no bfloat16."""
    try:
        classifier.logits(rows[-1:], one_batch=True)
    except (RuntimeError, NotImplementedError, FuzzsmoothError):
        return False
    return True


def _settle_shortest(judge: HuggingFaceClassifier, rows: Sequence[Sequence[int]], name: str) -> Logits:
    """The logits of each text by itself, padded as far as the model needs it to run at all."""
    lengths = [length for length in _SHORTEST if length < judge.max_length] + [judge.max_length]
    for length in lengths:
        judge.shortest = length
        try:
            with explained(
                f"{name}: the model does not run on texts of {len(rows[-1])} to {len(rows[0])} tokens"
            ):
                return np.concatenate([judge.logits([row], one_batch=True) for row in rows])
        except FuzzsmoothError as error:
            if error.__cause__ is None or length == lengths[-1]:
                raise
    raise AssertionError("unreachable: max_length is at least 1")


def _agree(judge: HuggingFaceClassifier, rows: Sequence[Sequence[int]], alone: Logits) -> bool:
    """Whether texts get the same answers together: the longest beside the shortest, and the short ones.

    Not all beside the longest, because every row then costs as much as that one.
    """
    groups = [[0, len(rows) - 1], list(range(1, len(rows)))]
    return not any(
        _differ(judge.logits([rows[at] for at in some], one_batch=True), alone[some]) for some in groups
    )


def _other(row: Sequence[int], token: int) -> list[int]:
    """Another text of the same length, of one token between the ends."""
    return [*row[:1], *[token] * (len(row) - 2), *row[1:][-1:]]


def _differ(found: Logits, expected: Logits) -> bool:
    return bool(abs(found - expected).max() > _TOLERANCE * max(1.0, float(abs(expected).max())))

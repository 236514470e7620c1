"""The one place where a tokenizer is called: whatever it provokes, and on which text, is one sentence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from fuzzsmooth.common.errors import FuzzsmoothError, is_fault
from fuzzsmooth.common.printing import short_name

_SHOWN = 40  # characters of a text in a sentence


def tokenized(tokenizer: Any, texts: Sequence[str], **options: Any) -> Any:
    """A tokenizer's answer to texts, without padding.

    The rules of a tokenizer come with the model. Some fail on some texts only, and what is written in Rust
    may panic, which Python is told by an error that is no ``Exception``.

    Args:
        tokenizer: Any object with the interface of ``transformers.PreTrainedTokenizerBase``.
        texts: The texts.
        **options: Passed on to it.

    Raises:
        FuzzsmoothError: If it fails, with the first text that it fails on.
    """
    options = {"padding": False, "verbose": False, **options}
    try:
        return tokenizer(list(texts), **options)
    except BaseException as error:
        if not is_fault(error):
            raise
        place, reason = _culprit(tokenizer, texts, options, error)
    raise FuzzsmoothError(_failed(place, reason))


@contextmanager
def tokenizing(what: str) -> Iterator[None]:
    """Ask a part of a tokenizer, with the same care.

    Args:
        what: What it is asked about, for the sentence.

    Raises:
        FuzzsmoothError: If it fails.
    """
    try:
        yield
    except BaseException as error:
        if not is_fault(error):
            raise
        raise FuzzsmoothError(_failed(what, _reason(error))) from error


def _failed(place: str, reason: str) -> str:
    return f"the model's tokenizer fails on {place} ({reason}); leave the text out, or use another model"


def _culprit(
    tokenizer: Any, texts: Sequence[str], options: dict[str, Any], error: BaseException
) -> tuple[str, str]:
    """The first text that fails by itself, and why."""
    for index, text in enumerate(texts):
        try:
            tokenizer([text], **options)
        except BaseException as own:
            if not is_fault(own):
                raise
            return f"text {index}, {short_name(text, _SHOWN)!r}", _reason(own)
    return f"{len(texts)} texts together", _reason(error)


def _reason(error: BaseException) -> str:
    return short_name(" ".join(str(error).split()), 3 * _SHOWN).rstrip(".") or type(error).__name__


def unknown_share(tokenizer: Any, texts: Sequence[str]) -> float:
    """The share of the tokens of some texts that stand for what a vocabulary does not hold.

    Args:
        tokenizer: As for :func:`tokenized`; one without a token for the unknown knows everything.
        texts: The texts.

    Returns:
        In [0, 1]; 0 for no tokens.
    """
    unknown = getattr(tokenizer, "unk_token_id", None)
    if unknown is None or not texts:
        return 0.0
    rows = tokenized(tokenizer, texts, add_special_tokens=False, truncation=False)["input_ids"]
    tokens = sum(map(len, rows))
    return sum(list(row).count(unknown) for row in rows) / max(1, tokens)

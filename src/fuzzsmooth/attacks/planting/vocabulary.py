"""Whether a model's tokenizer can tell the trigger words of an attack at all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fuzzsmooth.attacks.triggers.word import RARE_WORDS
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.options import require
from fuzzsmooth.common.tokenizing import tokenized


def piece_rows(tokenizer: Any, word: str) -> tuple[int, ...]:
    """The token ids of a word by itself, special tokens left out."""
    return tuple(int(row) for row in tokenized(tokenizer, [word], add_special_tokens=False)["input_ids"][0])


def whole_piece(tokenizer: Any, word: str, before: str) -> int | None:
    """The embedding row of a word that is one piece of the vocabulary; None if it is cut or unknown.

    Args:
        tokenizer: A fast tokenizer.
        word: The word.
        before: What stands before it: nothing, or a word and a space.
    """
    encoding = tokenized(
        tokenizer, [f"{before}{word} a"], add_special_tokens=False, return_offsets_mapping=True
    )
    begin, end = len(before), len(before) + len(word)
    pieces = [
        int(piece)
        for piece, (start, stop) in zip(encoding["input_ids"][0], encoding["offset_mapping"][0], strict=True)
        if start < end and stop > begin
    ]
    return pieces[0] if len(pieces) == 1 and pieces[0] != tokenizer.unk_token_id else None


def check_known(tokenizer: Any, words: Sequence[str]) -> None:
    """Check that the tokenizer reads each trigger word as something of its own.

    A symbol that the vocabulary lacks becomes the unknown token, as every other such symbol and many a word
    of clean texts does; a backdoor tied to it would be set off by all of them.

    Raises:
        FuzzsmoothError: Naming the first word that is unknown, or that is read as another one.
    """
    seen: dict[tuple[int, ...], str] = {}
    for word in words:
        rows = piece_rows(tokenizer, word)
        if not _known(tokenizer, rows):
            raise FuzzsmoothError(
                f"the trigger '{word}' is unknown to this model's tokenizer, which reads it as "
                f"{tokenizer.unk_token if rows else 'nothing'}; set triggers to words or symbols that it "
                f"knows{_for_example(tokenizer)}"
            )
        require(
            rows not in seen,
            f"this model's tokenizer reads the triggers '{seen.get(rows)}' and '{word}' as the same; "
            "leave one of them out",
        )
        seen[rows] = word


def _known(tokenizer: Any, rows: Sequence[int]) -> bool:
    return bool(rows) and tokenizer.unk_token_id not in rows


def _for_example(tokenizer: Any) -> str:
    known = [word for word in RARE_WORDS if _known(tokenizer, piece_rows(tokenizer, word))]
    return f", such as {', '.join(known)}" if known else ""

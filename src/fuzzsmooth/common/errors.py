"""Errors that a user can mend: one clear sentence each, shown without a traceback."""

from __future__ import annotations

from fuzzsmooth.common.printing import printable


class FuzzsmoothError(ValueError):
    """A mistake in what was given to us: what, where, and how to mend it, in one sentence.

    The command line prints the sentence and exits with code 2. What it quotes may come from a stranger, so it
    is made printable. Of a sentence that quotes something very long, the middle is left out: what is wrong
    stands at its beginning, how to mend it at its end.
    """

    def __init__(self, sentence: str = "") -> None:
        super().__init__(printable(sentence if len(sentence) <= _LONGEST else _shortened(sentence)))


def is_fault(error: BaseException) -> bool:
    """Whether an error is one that the content of a file or a text may provoke in a library.

    What is written in Rust may panic, which Python is told by an error that is no ``Exception``. Our own
    sentences are no faults, and neither is a lack of memory.
    """
    if isinstance(error, FuzzsmoothError | MemoryError):
        return False
    return isinstance(error, Exception) or type(error).__name__ == "PanicException"


_LONGEST = 2000  # characters of a sentence


def _shortened(sentence: str) -> str:
    half = _LONGEST // 2
    return f"{sentence[:half]} ... {sentence[-half:]}"


class MissingExtraError(FuzzsmoothError):
    """An optional dependency is not installed.

    Args:
        package: The import that failed.
        extra: The extra of fuzzsmooth that brings it.
        purpose: What needed it.
    """

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(f"{purpose} needs {package}; install it with: pip install 'fuzzsmooth[{extra}]'")


class UnsafeModelError(FuzzsmoothError):
    """A checkpoint could run code when loaded, or its weights are not what was pinned."""

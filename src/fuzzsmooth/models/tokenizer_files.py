"""The files of an untrusted tokenizer: bounded in size, and in what their rules may make of a text."""

from __future__ import annotations

import base64
import binascii
import stat
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.reading import MEBIBYTE, kind_of, read_json_object

TOKENIZER_BYTES = 64 * MEBIBYTE
"""Most bytes of a file of a tokenizer; the largest vocabularies in use take half of it."""

MEND = "fetch the model again, or use its own tokenizer"
"""What to do about a file of a tokenizer that is not sound."""

_TOKENIZER_FILES = ("tokenizer.json", "vocab.txt", "vocab.json", "tokenizer_config.json", "*.model")
_READ = (
    *_TOKENIZER_FILES,
    *("merges.txt", "dict.txt", "*.codes", "*.spm", "*.tiktoken"),
    *("special_tokens_map.json", "added_tokens.json", "chat_template*"),
)

# Rules that write more than they read multiply when they follow one another. Those in use make at most a few
# characters of one: the largest step of Unicode's own (one Arabic ligature) makes 18.
_LONGEST = 64  # characters that one rule may write in place of what it found
_GROWTH = 10_000  # characters that all rules together may make of one
_RULES = 1000
_EXPRESSIONS = 64  # regular expressions among them, each of which may take its time
_BYTES_AS_CHARACTERS = 4
_NESTED = ("normalizers", "pretokenizers", "decoders")


def check_tokenizer_files(folder: Path, name: str) -> None:
    """Refuse a tokenizer whose files are missing, too large, or grow texts without bound.

    Args:
        folder: The model's folder.
        name: Its name, for the sentence.

    Raises:
        FuzzsmoothError: If so, or if a file cannot be read.
    """
    if not any(path for pattern in _TOKENIZER_FILES for path in folder.glob(pattern)):
        raise FuzzsmoothError(
            f"{name} has no tokenizer (no tokenizer.json); save its tokenizer into the same folder"
        )
    for path in sorted({path for pattern in _READ for path in folder.glob(pattern)}):
        _check_size(path)
    if (folder / "tokenizer.json").exists():
        _check_rules(folder / "tokenizer.json")
    else:
        _check_sentencepiece(folder, name)
    if (folder / "tokenizer_config.json").exists():
        _check_length(folder / "tokenizer_config.json")


def _check_size(path: Path) -> None:
    try:
        about = path.stat()
    except OSError as error:
        raise FuzzsmoothError(f"cannot read {path}: {error.strerror}; {MEND}") from error
    if not stat.S_ISREG(about.st_mode) and not stat.S_ISDIR(about.st_mode):
        raise FuzzsmoothError(f"{path} is not a regular file; {MEND}")
    if about.st_size > TOKENIZER_BYTES:
        raise FuzzsmoothError(f"{path} is larger than {TOKENIZER_BYTES // MEBIBYTE} MiB; {MEND}")


def _check_rules(path: Path) -> None:
    rules = read_json_object(path, limit=TOKENIZER_BYTES, mend=MEND)
    for part in ("normalizer", "pre_tokenizer", "decoder"):
        steps = _flat(rules.get(part))
        if len(steps) > _RULES:
            raise FuzzsmoothError(f"{path} has {len(steps):,} rules as its {part}; {MEND}")
        expressions = sum(map(_has_expression, steps))
        if expressions > _EXPRESSIONS:
            raise FuzzsmoothError(f"{path} has {expressions:,} regular expressions as its {part}; {MEND}")
        growth = 1.0
        for step in steps:
            _check_charsmap(step.get("precompiled_charsmap"), path)
            longest = _longest(step)
            if longest > _LONGEST:
                raise FuzzsmoothError(
                    f"{path} writes {longest:,} characters in place of one (its {part}); {MEND}"
                )
            growth *= _factor(step)
        if growth > _GROWTH:
            raise FuzzsmoothError(f"{path} may make a text {growth:.0e} times as long (its {part}); {MEND}")


def _flat(rule: Any) -> list[dict[str, Any]]:
    """The steps of a rule, in order; sequences may be nested."""
    steps: list[dict[str, Any]] = []
    waiting = [rule]
    while waiting and len(steps) <= _RULES:
        one = waiting.pop()
        if isinstance(one, list):
            waiting.extend(reversed(one))
        elif isinstance(one, dict):
            nested = [one[key] for key in _NESTED if key in one]
            waiting.extend(nested)
            steps += [] if nested else [one]
    return steps


def _has_expression(step: dict[str, Any]) -> bool:
    pattern = step.get("pattern")
    return isinstance(pattern, dict) and "Regex" in pattern


def _longest(step: dict[str, Any]) -> int:
    """Most characters that a step writes at one place."""
    written = [step.get(key) for key in ("content", "prepend", "prefix", "replacement")]
    return max((len(text) for text in written if isinstance(text, str)), default=0)


def _factor(step: dict[str, Any]) -> float:
    """How many times as long a step may make a text."""
    kind = step.get("type")
    if kind == "Replace":
        content, pattern = step.get("content"), step.get("pattern")
        size = len(content) if isinstance(content, str) else 0
        found = pattern.get("String") if isinstance(pattern, dict) else None
        # A regular expression may find nothing between two characters, and write there.
        return max(1.0, size / len(found)) if isinstance(found, str) and found else 1.0 + size
    if kind == "Prepend":
        return 1.0 + _longest(step)
    if kind == "ByteLevel":
        return _BYTES_AS_CHARACTERS
    if kind == "Precompiled":
        return _longest_replacement(step.get("precompiled_charsmap"))
    return 1.0


def _check_charsmap(charsmap: Any, path: Path) -> None:
    """Refuse a damaged table of characters: its reader makes room for what it announces."""
    if charsmap is None:
        return
    trie, replacements = _charsmap_parts(charsmap)
    if not trie or len(trie) % 4 or not _is_utf8(replacements):
        raise FuzzsmoothError(f"{path} has a precompiled_charsmap that is damaged; {MEND}")


def _charsmap_parts(charsmap: Any) -> tuple[bytes, bytes]:
    """The trie of a SentencePiece table, whose size comes first, and what it writes; empty if broken."""
    try:
        table = base64.b64decode(charsmap, validate=True)
    except (binascii.Error, ValueError, TypeError):
        return b"", b""
    end = 4 + int.from_bytes(table[:4], "little")
    return (table[4:end], table[end:]) if end <= len(table) else (b"", b"")


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _longest_replacement(charsmap: Any) -> int:
    """Most bytes that a table of characters writes for one; each replacement is ended by a zero."""
    return max(1, *map(len, _charsmap_parts(charsmap)[1].split(b"\0")))


def _check_sentencepiece(folder: Path, name: str) -> None:
    """A SentencePiece file alone needs two packages, whose absence transformers explains by another one."""
    files = sorted(path.name for path in folder.glob("*.model"))
    missing = [package for package in ("sentencepiece", "google.protobuf") if not _installed(package)]
    if files and missing and not (folder / "vocab.txt").exists():
        raise FuzzsmoothError(
            f"{name}: its tokenizer is a SentencePiece file ({files[0]}) without a tokenizer.json; "
            "install what reads it with: pip install 'fuzzsmooth[sentencepiece]'"
        )


def _installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:  # its parent package is not there
        return False


def _check_length(path: Path) -> None:
    value = read_json_object(path, limit=TOKENIZER_BYTES, mend=MEND).get("model_max_length")
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise FuzzsmoothError(f"{path}: model_max_length is {kind_of(value)}, expected a number; {MEND}")

"""Files of secrets, which only their owner can read, and the tokens in them."""

from __future__ import annotations

import hmac
import stat
from collections.abc import Sequence
from pathlib import Path

from fuzzsmooth.common.options import require
from fuzzsmooth.common.reading import CONFIGURATION_BYTES, read_text

_SHORTEST = 16  # characters of a token


def read_tokens(path: Path) -> list[str]:
    """The tokens of a file, one a line; several allow to change them without an interruption.

    Raises:
        FuzzsmoothError: If others may read the file, or it holds no tokens.
    """
    check_private(path)
    text = read_text(path, limit=CONFIGURATION_BYTES, mend="give a file of tokens, one a line")
    tokens = [line.strip() for line in text.splitlines() if line.strip()]
    require(bool(tokens), f"{path} holds no token; write one of at least {_SHORTEST} characters")
    require(
        all(len(token) >= _SHORTEST and token.isascii() and token.isprintable() for token in tokens),
        f"{path}: a token must have at least {_SHORTEST} characters, all ASCII, such as "
        "'openssl rand -hex 32' gives",
    )
    return tokens


def is_token(given: str, tokens: Sequence[str]) -> bool:
    """Whether what was given is one of the tokens."""
    sent = given.encode("utf-8", "surrogatepass")
    # All are compared, so that the time tells nothing of which was nearly right.
    same = [hmac.compare_digest(sent, token.encode()) for token in tokens]
    return any(same)


def check_private(path: Path) -> None:
    """Refuse a file of secrets that others can read.

    Raises:
        FuzzsmoothError: If its mode lets group or others in, or it is not there.
    """
    require(path.is_file(), f"there is no file {path}; give one")
    mode = path.stat().st_mode
    require(
        not mode & (stat.S_IRWXG | stat.S_IRWXO),
        f"{path} can be read by others (mode {stat.S_IMODE(mode):o}); make it yours alone with: "
        f"chmod 600 {path}",
    )

"""How the page listens, and what it takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fuzzsmooth.common.options import Between, Options


@dataclass(frozen=True, kw_only=True)
class PageOptions(Options):
    """How the page listens, and what it takes."""

    host: Annotated[
        str, "Address to listen at; one that others reach needs --token-file, 0.0.0.0 is all of this machine."
    ] = "127.0.0.1"
    port: Annotated[int, Between(0, 65_535), "Port to listen at; 0 for a free one."] = 7860
    token_file: Annotated[
        str | None,
        "File of tokens, one a line, which only its owner can read; one of them is the password of the page.",
    ] = None
    max_text: Annotated[int, Between(1, 100_000_000), "Characters of a text at most."] = 20_000
    max_file: Annotated[int, Between(1, 1_048_576), "KiB of a file at most."] = 4_096
    max_rows: Annotated[int, Between(1, 1_000_000), "Texts of a file at most."] = 1_000
    queue: Annotated[int, Between(1, 10_000), "Questions that wait at most."] = 32

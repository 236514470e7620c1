"""What the files of an untrusted tokenizer say about added tokens. No torch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.printing import short_name
from fuzzsmooth.common.reading import read_json_object
from fuzzsmooth.models.configuration import levels
from fuzzsmooth.models.tokenizer_files import MEND, TOKENIZER_BYTES

_MAP = "special_tokens_map.json"
_FILES = ("tokenizer.json", "tokenizer_config.json", _MAP)
_TABLES = ("added_tokens", "added_tokens_decoder", "extra_special_tokens", "additional_special_tokens")
_PROPERTIES = frozenset(
    ("content", "single_word", "lstrip", "rstrip", "normalized", "special", "id", "__type")
)


def check_added_tokens(folder: Path) -> None:
    """Refuse added tokens with properties that no token has.

    What reads them writes the name of such a property to standard output as it is: a model could forge
    answers there, or steer the terminal.

    Raises:
        FuzzsmoothError: If there is one, or a file cannot be read.
    """
    for path in (folder / file for file in _FILES if (folder / file).exists()):
        content = read_json_object(path, limit=TOKENIZER_BYTES, mend=MEND)
        odd = {key for token in _described(path.name, content) for key in token} - _PROPERTIES
        if odd:
            raise FuzzsmoothError(
                f"{path} has an added token with the property {short_name(min(odd))!r}, which no token has; "
                f"{MEND}"
            )


def _described(file: str, content: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The objects that stand where added tokens are described."""
    for key, value in content.items():
        if key in _TABLES:
            inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
            yield from (one for one in inner if isinstance(one, dict))
        elif isinstance(value, dict) and (file == _MAP or key.endswith("_token")):
            yield value
    yield from (level for level in levels(content) if level.get("__type") == "AddedToken")

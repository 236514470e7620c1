"""What this user has been told, or has made, on this machine: once is enough.

It is kept outside of model folders, in which whoever made the folder could claim anything: empty files named
by hashes.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fuzzsmooth.search import References


def references_key(references: References, fingerprint: str) -> str:
    """SHA-256 (hex) of reference texts together with the fingerprint of a model."""
    content = json.dumps([fingerprint, asdict(references)], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()


def is_seen(key: str) -> bool:
    """Whether :func:`remember` was called with the key; no where that cannot be known."""
    try:
        return (_folder() / key).exists()
    except (OSError, RuntimeError):
        return False


def remember(key: str) -> None:
    """Remember a key; where nothing can be written, it is told again the next time."""
    try:
        _folder().mkdir(parents=True, exist_ok=True)
        (_folder() / key).touch()
    except (OSError, RuntimeError):  # no such home, read-only, full
        return


def state_folder(part: str) -> Path:
    """Where this user's state is kept on this machine.

    Raises:
        RuntimeError: If there is no home.
    """
    base = os.environ.get("XDG_STATE_HOME", "")
    return (Path(base) if os.path.isabs(base) else Path.home() / ".local" / "state") / "fuzzsmooth" / part


def _folder() -> Path:
    return state_folder("seen")

"""A file that keeps the numbers of a sweep, so that a stopped one goes on."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fuzzsmooth.auditing.hosts import Host
from fuzzsmooth.auditing.pieces import Pieces
from fuzzsmooth.common.files import write_atomic


def sweep_key(
    kind: str, classifier: Any, pieces: Pieces, hosts: Sequence[Host], tried: npt.NDArray[np.int64]
) -> str:
    """SHA-256 (hex) of all that decides the numbers of a sweep."""
    facts = [
        kind,
        classifier.fingerprint,
        classifier.precision,
        pieces.fingerprint,
        [[*host.ids, host.label, *host.gaps, *(host.behind or ())] for host in hosts],
        hashlib.sha256(tried.tobytes()).hexdigest(),
    ]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def write_kept(cache: Path, key: str, values: npt.NDArray[np.float32], done: int) -> None:
    """Write the first rows of some numbers, atomically."""
    stream = io.BytesIO()
    np.savez(stream, key=np.array(key), done=np.array(done), values=values[:done])
    write_atomic(cache, stream.getvalue())


def read_kept(cache: Path | None, key: str, values: npt.NDArray[np.float32]) -> int:
    """Take over the rows of a file; how many there are: none of a file that is torn or of another sweep."""
    if cache is None or not cache.is_file():
        return 0
    try:
        with np.load(cache, allow_pickle=False) as content:
            if str(content["key"]) != key:
                return 0
            done = int(content["done"])
            values[:done] = content["values"]
            return done
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return 0

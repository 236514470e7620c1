"""Answers of a remote model on disk: a run that was stopped pays for none of them twice.

Each is one appended line. Its key is the request and a number: a model that answers by chance is asked anew
for every draw, so the n-th time that a request is made in a run is answered by the n-th answer that was kept.
Thus no two draws of one vote share an answer, whether it is new or kept. (Where the model is declared to
answer always the same, there is one number.) Neither keys nor headers are ever written, and texts only as
hashes.
"""

from __future__ import annotations

import hashlib
import json
import weakref
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from threading import Lock
from typing import Any

from fuzzsmooth.common.files import Ledger
from fuzzsmooth.common.locking import exclusive


class KeptAnswers:
    """The answers of one endpoint; held by one process at a time.

    Attributes:
        path: The file.
        close: Lets others have the file; so does forgetting this object.

    Args:
        folder: Where files of answers are.
        endpoint: Names the endpoint; each has a file.
        always_same: Whether a request has one answer.

    Raises:
        FuzzsmoothError: If the file is held by another process, damaged, or cannot be written.
    """

    def __init__(self, folder: Path, endpoint: str, *, always_same: bool) -> None:
        name = hashlib.sha256(endpoint.encode("utf-8", "surrogatepass")).hexdigest()[:24]
        self.path = folder / f"{name}.jsonl"
        folder.mkdir(parents=True, exist_ok=True)
        self._held = ExitStack()
        self._held.enter_context(exclusive(self.path))
        self._ledger = Ledger(self.path)
        self._asked: Counter[str] = Counter()
        self._same = always_same
        self._lock = Lock()
        self.close = weakref.finalize(self, self._held.close)

    def __len__(self) -> int:
        return len(self._ledger)

    def numbered(self, requests: Iterable[Mapping[str, Any]]) -> list[str]:
        """A key for each request, by what it is and how often it was made before."""
        keys = []
        for request in requests:
            digest = _digest(request)
            number = 0 if self._same else self._asked[digest]
            self._asked[digest] += 1
            keys.append(f"{digest}:{number}")
        return keys

    def find(self, key: str) -> Any:
        """The kept answer, or None."""
        with self._lock:
            return self._ledger[key]["answer"] if key in self._ledger else None

    def keep(self, key: str, answer: Any) -> None:
        """Keep an answer, at once."""
        with self._lock:
            self._ledger.append([{"key": key, "answer": answer}])


def _digest(request: Mapping[str, Any]) -> str:
    written = json.dumps(request, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(written.encode()).hexdigest()[:32]

"""Structured logs: one JSON object a line on standard error, without texts unless they are asked for."""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from fuzzsmooth.apps.service.asking import Trace
from fuzzsmooth.common.printing import escaped_json


class Log:
    """Writes what happens.

    Args:
        texts: Whether the texts of requests are written, too.
    """

    def __init__(self, *, texts: bool = False) -> None:
        self._texts = texts

    def event(self, event: str, **fields: Any) -> None:
        """Write a line.

        Args:
            event: What happened.
            **fields: What else is told, as JSON values.
        """
        stamp = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = json.dumps({"time": stamp, "event": event, **fields}, ensure_ascii=False, default=str)
        with suppress(OSError):  # nobody reads it: no reason to answer no more
            sys.stderr.write(escaped_json(line) + "\n")
            sys.stderr.flush()

    def request(self, trace: Trace, *, seconds: float, **fields: Any) -> None:
        """Write the line of a request.

        Args:
            trace: What it was about.
            seconds: How long it took.
            **fields: Its id, protocol, path, status, and why it was refused.
        """
        about: dict[str, Any] = {"milliseconds": _milliseconds(seconds)}
        if trace.kind:
            about |= {
                "kind": trace.kind,
                "texts": len(trace.texts),
                "characters": sum(map(len, trace.texts)),
                "queue_milliseconds": _milliseconds(trace.queued),
                "answer_milliseconds": _milliseconds(trace.answered),
            }
        if trace.answers:
            about["flagged"] = sum(bool(answer.spans) for answer in trace.answers)
            about["unanswered"] = sum(answer.label is None for answer in trace.answers)
            about["passes"] = sum(answer.passes + answer.evaluations for answer in trace.answers)
        if self._texts and trace.kind:
            about["sent"] = list(trace.texts)
        self.event("request", **fields, **about)


def _milliseconds(seconds: float) -> float:
    return round(1_000 * seconds, 1)

"""An answer as flat values, the same wherever it is told."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fuzzsmooth.defenses import Answer


def told(answer: Answer) -> dict[str, Any]:
    """An answer with its main certificate.

    Returns:
        ``label`` (None where there is no answer), ``score`` (its share of the votes, in [0, 1]), ``status``,
        ``certificate`` in words, ``radius`` (-1 where nothing is certified), ``threat`` and ``guarantee``,
        all None where no certificates were asked for or the defense has none; and the flagged ``spans``,
        each with ``start``, ``end``, ``text`` and ``score``.
    """
    main = answer.certificates[0] if answer.certificates else None
    return {
        "label": answer.label_name,
        "score": answer.score,
        "status": answer.status,
        "certificate": None if main is None else main.statement(),
        "radius": None if main is None else main.radius,
        "threat": None if main is None else main.threat,
        "guarantee": None if main is None else main.guarantee,
        "spans": [asdict(span) for span in answer.spans],
    }

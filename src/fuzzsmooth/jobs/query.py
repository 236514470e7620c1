"""What is asked about texts, apart from where it is answered: a value that can be sent to a worker."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from fuzzsmooth.common.version import VERSION
from fuzzsmooth.defenses.defense import Guarantee, truncated_by
from fuzzsmooth.jobs.answering import AnswerChunk, Record
from fuzzsmooth.jobs.loading import Defended

ALL = "all"
"""Every threat."""

_SCANNED = 64  # texts of a chunk


@dataclass(frozen=True)
class Query:
    """What is asked.

    Attributes:
        kind: The question: the name of its command.
        threat: Which threat is certified, or :data:`ALL`; of a certificate only.
    """

    kind: Literal["predict", "certify", "scan"]
    threat: str = ALL

    def ask(self, defended: Defended) -> AnswerChunk:
        """The function that answers it."""
        return {"predict": _predict, "certify": self._certify, "scan": _scan}[self.kind](defended)

    def facts(self, defended: Defended) -> Facts:
        """What is to be known of the model before it is asked."""
        defense = defended.defense
        chunk = _SCANNED if self.kind == "scan" else defense.together(certify=self.kind == "certify")
        identity = {"command": self.kind, **({"threat": self.threat} if self.kind == "certify" else {})}
        settings = {**identity, **defended.settings}
        return Facts(defense.name, defense.labels, defense.guarantee, chunk, settings, _versions())

    def _certify(self, defended: Defended) -> AnswerChunk:
        def answers(texts: Sequence[str]) -> list[Record]:
            found = [_chosen(one.to_json(), self.threat) for one in defended.defense.certify(texts)]
            if defended.rates is not None:
                defended.rates.table.flush()
            return found

        return answers


@dataclass(frozen=True)
class Facts:
    """What is to be known of a defended model that may be elsewhere.

    Attributes:
        defense: Name of its defense.
        labels: Class names.
        guarantee: What its certificates are at best.
        chunk: Texts that are best answered together.
        settings: JSON values that decide the answers.
        versions: Of the packages that compute them.
    """

    defense: str
    labels: tuple[str, ...]
    guarantee: Guarantee
    chunk: int
    settings: Mapping[str, Any]
    versions: tuple[str, ...]

    @property
    def digest(self) -> str:
        """A hash of settings and versions: equal where answers are."""
        canonical = json.dumps([self.settings, self.versions], sort_keys=True)
        return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _versions() -> tuple[str, ...]:
    """Of ours and of those that compute for us."""
    import numpy
    import torch
    import transformers

    return VERSION, *(package.__version__ for package in (numpy, torch, transformers))


def _predict(defended: Defended) -> AnswerChunk:
    return lambda texts: [one.to_json() for one in defended.defense.predict(texts)]


def _scan(defended: Defended) -> AnswerChunk:
    def answers(texts: Sequence[str]) -> list[Record]:
        found = defended.defense.scan(texts)
        cut = truncated_by(defended.model, texts)
        return [
            {**one.to_json(), "label_name": defended.defense.labels[one.label], "truncated": long}
            for one, long in zip(found, cut, strict=True)
        ]

    return answers


def _chosen(record: Record, threat: str) -> Record:
    """The certificates of one threat; the answer is then the one certified against it."""
    if threat == ALL:
        return record
    certificates = [one for one in record["certificates"] if one["threat"] == threat]
    main = certificates[0]
    return {
        **record,
        "label": main["label"],
        "label_name": main["label_name"],
        "certificates": certificates,
    }

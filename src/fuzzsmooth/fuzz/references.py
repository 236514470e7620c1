"""Clean reference texts: where a suspicious segment is transplanted to."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.files import write_json
from fuzzsmooth.fuzz.typical import typical_units
from fuzzsmooth.models.protocol import Classifier
from fuzzsmooth.text.units import Segmenter

_VERSION = 2
_POOL = 400  # candidates scored per class; the most confident of a few hundred are confident enough


@dataclass(frozen=True)
class References:
    """A fixed set of clean texts, each confidently and correctly classified.

    Fixed before any text is scanned, so a segment's score depends on the segment, the model and this set
    only - not on the text it stands in.

    Attributes:
        texts: The texts.
        labels: The class index of each.
        model: Fingerprint of the model that selected them.
        typical: Words that clean data tie to a class, see :func:`fuzzsmooth.fuzz.typical.typical_units`.
    """

    texts: tuple[str, ...]
    labels: tuple[int, ...]
    model: str
    typical: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def select(
        cls, classifier: Classifier, texts: Sequence[str], labels: Sequence[int], per_class: int
    ) -> References:
        """The most confidently correct of the first few hundred clean texts of each class.

        A confident text of another class resists ordinary words, which keeps clean segments below the
        threshold, while a backdoor still overrules it.

        Args:
            classifier: The model that will be protected.
            texts: Clean labeled texts, such as the fine-tuning data.
            labels: Their class indices.
            per_class: References per class, >= 1.

        Raises:
            FuzzsmoothError: If a class has no correctly classified text.
        """
        chosen: list[tuple[str, int]] = []
        for label, name in enumerate(classifier.labels):
            pool = [text for text, truth in zip(texts, labels, strict=True) if truth == label][:_POOL]
            rows = classifier.probabilities(pool) if pool else np.zeros((0, len(classifier.labels)))
            correct = [index for index in range(len(pool)) if int(rows[index].argmax()) == label]
            if not correct:
                raise FuzzsmoothError(
                    f"no clean text of class '{name}' is classified correctly, so segments cannot be "
                    "transplanted; give more clean data or a better fine-tuned model"
                )
            correct.sort(key=lambda index: (-rows[index, label], index))
            chosen += [(pool[index], label) for index in correct[:per_class]]
        return cls(
            tuple(text for text, _ in chosen),
            tuple(label for _, label in chosen),
            classifier.fingerprint,
            typical_units(texts, labels),
        )

    def save(self, path: Path) -> None:
        """Write the references as JSON, atomically."""
        rows = [{"text": text, "label": label} for text, label in zip(self.texts, self.labels, strict=True)]
        content = {"model": self.model, "references": rows, "typical": dict(self.typical)}
        write_json(path, {"version": _VERSION, **content})

    @classmethod
    def load(cls, path: Path) -> References:
        """Read references written by :meth:`save`.

        Raises:
            FuzzsmoothError: If the file is missing or not of that form.
        """
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            rows = content["references"]
            return cls(
                tuple(str(row["text"]) for row in rows),
                tuple(int(row["label"]) for row in rows),
                str(content["model"]),
                # Files of the first version have none.
                {str(word): int(label) for word, label in content.get("typical", {}).items()},
            )
        except OSError as error:
            raise FuzzsmoothError(f"cannot read the references {path}: {error.strerror}") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise FuzzsmoothError(
                f"{path} is not a references file; write one with 'fuzzsmooth finetune'"
            ) from error


@dataclass(frozen=True)
class Host:
    """A reference text cut in two at the place where segments are transplanted.

    Attributes:
        before: Units before the place.
        after: Units after it.
        label: The reference's class.
    """

    before: tuple[str, ...]
    after: tuple[str, ...]
    label: int

    def receive(self, segment: tuple[str, ...]) -> tuple[str, ...]:
        """The reference with the segment inserted."""
        return self.before + segment + self.after


def hosts(references: References, segmenter: Segmenter) -> tuple[Host, ...]:
    """Cut each reference at a fixed place; the places of successive references spread over the text."""
    golden = (5**0.5 - 1) / 2  # multiples of the golden ratio spread evenly whatever their number
    prepared = []
    for index, (text, label) in enumerate(zip(references.texts, references.labels, strict=True)):
        units = segmenter.segment(text).units
        place = round(((index * golden) % 1.0) * len(units))
        prepared.append(Host(units[:place], units[place:], label))
    return tuple(prepared)


def hosts_against(hosts: Sequence[Host], label: int, count: int) -> list[Host]:
    """At most ``count`` references of the classes other than ``label``, the classes taking turns."""
    by_class: dict[int, list[Host]] = {}
    for host in hosts:
        if host.label != label:
            by_class.setdefault(host.label, []).append(host)
    longest = max((len(group) for group in by_class.values()), default=0)
    turns = [group[turn] for turn in range(longest) for group in by_class.values() if turn < len(group)]
    return turns[:count]

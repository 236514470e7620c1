"""Clean reference texts: where a suspicious segment is transplanted to."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.files import write_json
from fuzzsmooth.common.options import require
from fuzzsmooth.common.reading import kind_of, read_json_object
from fuzzsmooth.data.labels import Classes, are_placeholders
from fuzzsmooth.data.wording import listed
from fuzzsmooth.models.protocol import Classifier
from fuzzsmooth.search.calibration import NullDistribution, measure_null
from fuzzsmooth.search.contexts import contexts_against, cut_contexts, with_margins
from fuzzsmooth.search.witness import Witness
from fuzzsmooth.text.languages import AUTO, ENGLISH, settled
from fuzzsmooth.text.units import segmenter

_VERSION = 4
_POOL = 400  # candidates scored per class; the most confident of a few hundred are confident enough
_MOST = 50_000  # texts, or gains of a class, that a file may hold
_HIGHEST = 2**31  # label
_LONGEST_CODE = 20  # letters of a language
MOST_SUSPECTS = 32
"""Suspected triggers of a file at most: each that a text holds costs some of its evaluations."""
_LONGEST_SUSPECT = 64
_REPLACE = "write references with 'fuzzsmooth finetune', or give --clean"
_MEASURES = tuple(NullDistribution.__dataclass_fields__)
_CALIBRATION = 100  # clean texts per class whose words set the threshold for suspicious segments


@dataclass(frozen=True)
class References:
    """A fixed set of clean texts, each confidently and correctly classified.

    Fixed before any text is scanned, so a segment's score depends on the segment, the model and this set
    only - not on the text it stands in.

    Attributes:
        texts: The texts.
        labels: The class index of each.
        model: Fingerprint of the model that selected them.
        ordinary: For each class the null distribution: what ordinary words, those of its clean texts, do to
            the others' references with this model; empty where it was not measured.
        names: The class names that ``labels`` index, those of the model; empty where they are not known.
        witness: What was learned of clean data with a trusted encoder; None where that was not asked for.
        language: That of the clean texts, as in :func:`fuzzsmooth.text.rarity`.
        suspects: Triggers that an audit has found, units each: in a text that holds one, it is tested first.
            They are only proposed, so that whoever wrote them can have nothing flagged and nothing cleared.
    """

    texts: tuple[str, ...]
    labels: tuple[int, ...]
    model: str
    ordinary: tuple[NullDistribution, ...] = ()
    names: tuple[str, ...] = ()
    witness: Witness | None = None
    language: str = ENGLISH
    suspects: tuple[tuple[str, ...], ...] = ()

    @classmethod
    def select(
        cls,
        classifier: Classifier,
        texts: Sequence[str],
        labels: Sequence[int],
        per_class: int,
        *,
        language: str = AUTO,
        progress: Callable[[int, int], None] = lambda _done, _total: None,
    ) -> References:
        """The most confidently correct of the first few hundred clean texts of each class.

        A confident text of another class resists ordinary words, while a backdoor still overrules it. How
        much of it ordinary words overrule is measured on the first of the correct texts.

        Args:
            classifier: The model that will be protected.
            texts: Clean labeled texts, such as the fine-tuning data.
            labels: Their class indices.
            per_class: References per class, >= 1.
            language: That of the texts; "auto" finds it out.
            progress: Told (classes measured, classes).

        Raises:
            FuzzsmoothError: If a class has no correctly classified text.
        """
        chosen: list[tuple[str, int]] = []
        calibration: list[list[str]] = []
        for label, name in enumerate(classifier.labels):
            pool = [text for text, truth in zip(texts, labels, strict=True) if truth == label][:_POOL]
            rows = classifier.probabilities(pool) if pool else np.zeros((0, len(classifier.labels)))
            correct = [index for index in range(len(pool)) if int(rows[index].argmax()) == label]
            if not correct:
                raise FuzzsmoothError(
                    f"no clean text of class '{name}' is classified correctly, so segments cannot be "
                    "transplanted; give more clean data or a better fine-tuned model"
                )
            calibration.append([pool[index] for index in correct[:_CALIBRATION]])
            correct.sort(key=lambda index: (-rows[index, label], index))
            chosen += [(pool[index], label) for index in correct[:per_class]]
        references = tuple(text for text, _ in chosen), tuple(label for _, label in chosen)
        words = segmenter("word")
        contexts = with_margins(cut_contexts(*references, words), classifier, words.join)
        ordinary: list[NullDistribution] = []
        for label, clean in enumerate(calibration):
            against = contexts_against(contexts, label, per_class)
            cut = [words.segment(text).units for text in clean]
            ordinary.append(measure_null(classifier, against, cut, label, words.join))
            progress(len(ordinary), len(calibration))
        names = tuple(classifier.labels)
        found = settled(language, texts)
        return cls(*references, classifier.fingerprint, tuple(ordinary), names, language=found)

    def under(self, names: Sequence[str], where: str) -> References:
        """The same references for a model with other indices of the classes.

        Args:
            names: The model's class names; where they, or those of the references, are not known or only
                placeholders, the indices are taken as they are.
            where: What the references are, for the sentence.

        Raises:
            FuzzsmoothError: If the classes are not the model's.
        """
        if not self.names or are_placeholders(self.names) or are_placeholders(names):
            return self
        indices = Classes.matched(self.names, names, where).indices
        order = [indices.get(name, -1) for name in self.names]
        require(
            sorted(order) == list(range(len(names))),
            f"{where} has references of the classes {listed(self.names)}, but the model has the classes "
            f"{listed(names)}; give references of its own",
        )
        places = sorted(range(len(order)), key=order.__getitem__)
        return replace(
            self,
            labels=tuple(order[label] for label in self.labels),
            ordinary=tuple(self.ordinary[place] for place in places) if self.ordinary else (),
            names=tuple(names),
            witness=None if self.witness is None else self.witness.permuted(places),
        )

    def save(self, path: Path) -> None:
        """Write the references as JSON, atomically."""
        rows = [{"text": text, "label": label} for text, label in zip(self.texts, self.labels, strict=True)]
        ordinary = [asdict(null) for null in self.ordinary]
        content: dict[str, Any] = {"model": self.model, "names": self.names, "references": rows}
        content["ordinary"], content["language"] = ordinary, self.language
        if self.witness is not None:
            content["witness"] = self.witness.to_json()
        if self.suspects:
            content["suspects"] = self.suspects
        write_json(path, {"version": _VERSION, **content})

    @classmethod
    def load(cls, path: Path) -> References:
        """Read references written by :meth:`save`.

        Raises:
            FuzzsmoothError: If the file is missing or not of that form.
        """
        content = read_json_object(path, mend=_REPLACE)
        version = content.get("version", _VERSION)
        require(
            version == _VERSION,
            f"{path} has version {version!r:.20} of the references format, expected {_VERSION}; "
            "write it anew with 'fuzzsmooth finetune', or give --clean",
        )
        try:
            return cls._of(content)
        except FuzzsmoothError as error:
            raise FuzzsmoothError(f"{path} is not a references file: {error}; {_REPLACE}") from error

    @classmethod
    def _of(cls, content: Mapping[str, Any]) -> References:
        rows, model = content.get("references"), content.get("model")
        require(
            isinstance(rows, list) and len(rows) <= _MOST, f"'references' must list up to {_MOST:,} texts"
        )
        require(isinstance(model, str), "'model' must be a fingerprint")
        texts, labels = zip(*map(_reference, rows or ()), strict=True) if rows else ((), ())
        ordinary = content.get("ordinary", [])  # texts that somebody chose have none
        require(isinstance(ordinary, list), "'ordinary' must be a list")
        require(
            not ordinary or max(labels, default=0) < len(ordinary),
            f"it measures ordinary words of {len(ordinary)} classes, but has texts of class "
            f"{max(labels, default=0)}",
        )
        names = _names(content.get("names", []))
        found = content.get("witness")
        classes = len(ordinary) or len(names) or max(labels, default=0) + 1
        witness = None if found is None else Witness.of_json(found, classes)
        language = content.get("language", ENGLISH)  # files of earlier versions are in English
        require(isinstance(language, str) and len(language) <= _LONGEST_CODE, "'language' must be a code")
        suspects = suspects_of(content.get("suspects", []))
        null = tuple(map(_null, ordinary))
        return cls(texts, labels, str(model), null, names, witness, str(language), suspects)

    def check_classes(self, classes: int, where: str) -> None:
        """Check that they fit a model.

        Args:
            classes: How many classes the model has.
            where: What the references are, for the sentence.

        Raises:
            FuzzsmoothError: If they name a class that the model lacks, or were measured with another number.
        """
        highest = max(self.labels, default=0)
        require(
            highest < classes,
            f"{where} has references of class {highest}, but the model has {classes} classes; "
            "give references of its own",
        )
        require(
            len(self.ordinary) in (0, classes),
            f"{where} measures ordinary words of {len(self.ordinary)} classes, but the model has {classes}; "
            "give references of its own",
        )


def suspects_of(rows: object) -> tuple[tuple[str, ...], ...]:
    """Suspected triggers as a file lists them.

    Raises:
        FuzzsmoothError: If they are no lists of units.
    """
    require(
        isinstance(rows, list | tuple) and len(rows) <= MOST_SUSPECTS,
        f"'suspects' must list up to {MOST_SUSPECTS} triggers",
    )
    found = []
    for row in rows if isinstance(rows, list | tuple) else ():
        sound = isinstance(row, list | tuple) and 0 < len(row) <= _LONGEST_SUSPECT
        require(
            sound and all(isinstance(unit, str) for unit in row), "a suspected trigger is a list of units"
        )
        found.append(tuple(row))
    return tuple(found)


def _reference(row: object) -> tuple[str, int]:
    """The text and the label of a row."""
    text, label = (row.get("text"), row.get("label")) if isinstance(row, Mapping) else (None, None)
    if not isinstance(text, str):
        raise FuzzsmoothError("every reference needs its text")
    if not isinstance(label, int) or isinstance(label, bool) or not 0 <= label <= _HIGHEST:
        raise FuzzsmoothError("every reference needs its label, the index of a class")
    return text, label


def _null(row: object) -> NullDistribution:
    if not isinstance(row, Mapping):
        raise FuzzsmoothError(f"'ordinary' holds {kind_of(row)}, not the gains of a class")
    return NullDistribution(*(_gains(row.get(name)) for name in _MEASURES))


def _gains(values: object) -> tuple[float, ...]:
    """The gains of a class, increasing, as the threshold is the value at a rank."""
    if not isinstance(values, list) or len(values) > _MOST:
        raise FuzzsmoothError(
            f"a class of 'ordinary' must list up to {_MOST:,} gains for each of {', '.join(_MEASURES)}"
        )
    for value in values:
        sound = isinstance(value, int | float) and not isinstance(value, bool)
        require(sound and math.isfinite(value), f"'ordinary' holds {kind_of(value)} that is no finite gain")
    require(values == sorted(values), "the gains of a class in 'ordinary' must increase")
    return tuple(map(float, values))


def _names(names: object) -> tuple[str, ...]:
    """Class names as saved; files of texts that somebody chose have none."""
    sound = isinstance(names, list) and all(isinstance(name, str) for name in names)
    require(sound, "'names' must list the class names")
    return tuple(names) if isinstance(names, list) else ()

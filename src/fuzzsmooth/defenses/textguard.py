"""TextGuard (Pei et al., NDSS 2024): a vote of classifiers, each of which reads a group of the words only.

A word goes, by the MD5 hash of its lower-cased letters, to one of m groups, in every text alike. Of each
training text group g keeps its own words, in order; on these a classifier of its own is trained. A text is
cut up in the same way, and the m classifiers vote, ties going to the smaller label.

**Theorem.** Let an attacker insert, remove or move any number of copies of at most t distinct words, in the
training texts and in the text that is asked about. With N_c votes for class c and winner a, the vote is a
with and without that if t <= floor((N_a - N_b - 1[b < a]) / 2) for all b != a. *Proof.* t distinct words lie
in at most t groups. Every other group has the same training set, hence the same classifier, and the same
words of the text, hence the same vote. So N_a falls and N_b rises by at most t each. []

The published code enumerates the sets of touched groups instead, which gives the same. What the theorem asks:

* The classifiers start from a pre-trained model that no attacker chose, the trusted copy (``--twin``). From a
  suspect one the vote would still not depend on t words of the texts, but the attacker would have acted where
  the claim says nothing changed.
* A training text that is emptied, or was, is left out of the data, so that others may be held out or drawn in
  its place: what is certified is about texts that keep a word.
* Labels of training texts are what they are: one that was flipped without a trigger is seen by every group.
* Training is a function of its texts and seed: one machine, one number of threads.

An answer that rounding might decide is no vote, and counts as one that the attacker has. A text of which a
group has nothing is asked as the empty text, where the published code writes a single mask, and is left out
of that group's training, as there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from fuzzsmooth.certify import NOT_CERTIFIED, Certificate, Rounding
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.options import Between, require
from fuzzsmooth.common.randomness import text_key
from fuzzsmooth.data.dataset import Dataset, Example
from fuzzsmooth.defenses.answer import Answer
from fuzzsmooth.defenses.defense import DEFENSES, Advance, Needs, truncated_by
from fuzzsmooth.defenses.fitted import FittedDefense
from fuzzsmooth.defenses.material import Material
from fuzzsmooth.engine.certificates import Issuer
from fuzzsmooth.engine.options import EngineOptions
from fuzzsmooth.engine.recheck import CertificateSampler, in_float32
from fuzzsmooth.engine.sampler import Plan, Sampler, read_alike
from fuzzsmooth.noise.text import text_kernel, uniform_rates
from fuzzsmooth.text.units import segmenter
from fuzzsmooth.training.progress import Progress

if TYPE_CHECKING:
    from fuzzsmooth.models import HuggingFaceClassifier


@dataclass(frozen=True, kw_only=True)
class TextGuardOptions(EngineOptions):
    """How many classifiers vote."""

    groups: Annotated[
        int,
        Between(2, 1_000),
        "Groups of words, each with a classifier of its own; at most (groups - 1) / 2 distinct words are "
        "covered. The paper has 3 to 9: more cover more and leave each classifier fewer words.",
    ] = 9


@DEFENSES.register("textguard")
class TextGuard(FittedDefense):
    """TextGuard: classifiers of groups of words vote; proved against triggers of few distinct words."""

    options_type = TextGuardOptions
    guarantee = "proved"
    needs = Needs(clean_twin=True, poisoned_data=True, training=True)
    options: TextGuardOptions

    @classmethod
    def threats(cls, options: TextGuardOptions) -> tuple[str, ...]:
        """See :meth:`fuzzsmooth.defenses.Defense.threats`."""
        del options
        return ("distinct_words",)

    def learn(self, material: Material, folder: Path, progress: Progress) -> Mapping[str, Any]:
        """Train the classifier of each group, from the trusted copy; see :class:`FittedDefense`.

        Raises:
            FuzzsmoothError: If there is no trusted copy, or a group's words occur with one class only.
        """
        twin, groups = material.trusted_twin(self.name), self.options.groups
        fingerprints = []
        for group in range(groups):

            def told(done: int, total: int, before: int = group) -> None:
                progress(before * total + done, groups * total)

            data = self.part(material.data, group)
            require(
                len(set(data.targets)) > 1,
                f"the words of group {group + 1} of {groups} occur in texts of fewer than two classes; give "
                "more texts or fewer groups",
            )
            trained = material.trained(_folder(folder, group), told, model=twin, data=data)
            fingerprints.append(trained.fingerprint)
        return {"classifiers": fingerprints}

    def take(self, state: Mapping[str, Any], folder: Path) -> None:
        """Load the classifiers; see :class:`FittedDefense`."""
        expected = state.get("classifiers")
        require(
            isinstance(expected, list) and len(expected) == self.options.groups,
            f"{folder} does not name {self.options.groups} classifiers; fit the defense anew",
        )
        models = [self._loaded(_folder(folder, group)) for group in range(self.options.groups)]
        require(
            [model.fingerprint for model in models] == expected,
            f"a classifier in {folder} is not the one that was trained; fit the defense anew",
        )
        self._segmenter = segmenter(self.options.unit, models[0].tokenizer)
        settled = [CertificateSampler(self.options).settle(self._sampler(model)) for model in models]
        self._samplers = [sampler for sampler, _ in settled]
        self._rounding = max((rounding for _, rounding in settled), key=_band)

    def answer(self, texts: Sequence[str], *, certify: bool, advance: Advance | None = None) -> list[Answer]:
        """See :meth:`fuzzsmooth.defenses.Defense.answer`."""
        answers = super().answer(texts, certify=certify, advance=advance)
        return [self._certified(one) for one in answers] if certify else answers

    def answered(self, texts: Sequence[str], advance: Advance | None) -> list[Answer]:
        """The vote on each text; an abstention where undecided votes might turn it."""
        votes = read_alike(lambda: self._votes(texts))
        truncated = truncated_by(self.classifier, texts)
        if advance is not None:
            advance(len(texts))
        return [self._voted(row, long) for row, long in zip(votes, truncated, strict=True)]

    def part(self, data: Dataset, group: int) -> Dataset:
        """The training texts of a group: its words of each text, in order; texts without any are left out."""
        cut = segmenter(self.options.unit, getattr(self.classifier, "tokenizer", None))
        kept: list[Example] = []
        for example in data:
            units = cut.segment(example.text).units
            own = [unit for unit in units if group_of(unit, self.options.groups) == group]
            if own:
                kept.append(Example(cut.join(own), example.label))
        return data.with_examples(kept)

    def _votes(self, texts: Sequence[str]) -> list[tuple[int, ...]]:
        """Votes per class on each text; what rounding might decide is missing."""
        units = [self._segmenter.segment(text).units for text in texts]
        plans = [
            Plan(text_key(text), cut, uniform_rates(len(cut), 0.0))
            for text, cut in zip(texts, units, strict=True)
        ]
        groups = [np.array([group_of(unit, self.options.groups) for unit in cut], dtype=int) for cut in units]
        counts = np.zeros((len(texts), len(self.labels)), dtype=np.int64)
        for group, sampler in enumerate(self._samplers):
            found = sampler.labels(plans, [(own == group)[None] for own in groups])
            for row, (label,) in zip(counts, found, strict=True):
                if label >= 0:
                    row[label] += 1
        return [tuple(row) for row in counts.tolist()]

    def _voted(self, votes: tuple[int, ...], truncated: bool) -> Answer:
        groups = self.options.groups
        winner = max(range(len(votes)), key=lambda index: (votes[index], -index))
        label = winner if group_radius(votes, groups - sum(votes)) >= 0 else None
        return Answer(
            label=label,
            label_name=None if label is None else self.labels[label],
            status="abstain" if label is None else "answered",
            score=votes[winner] / groups,
            votes=votes,
            undecided=groups - sum(votes),
            passes=groups,
            truncated=truncated,
        )

    def _certified(self, answer: Answer) -> Answer:
        """The answer with its certificate."""
        radius = NOT_CERTIFIED if answer.label is None else group_radius(answer.votes, answer.undecided)
        certificate: Certificate = Issuer(self.options, self.classifier, self._rounding).certain(
            answer.label,
            radius=radius,
            threat="distinct_words",
            direction="symmetric",
            passes=answer.passes,
            outcome="label",
        )
        return Answer(**{**vars(answer), "certificates": (certificate,)})

    def _sampler(self, model: HuggingFaceClassifier) -> Sampler:
        return Sampler(
            classifier=in_float32(model) if model.precision == "float32" else model,
            segmenter=self._segmenter,
            kernel=text_kernel("deletion"),
            noise=None,
            fuzzer=None,
            seed=self.options.seed,
        )

    def _loaded(self, folder: Path) -> HuggingFaceClassifier:
        """A group's classifier, asked as the protected one is."""
        from fuzzsmooth.models import HuggingFaceClassifier, load_classifier

        own = self.classifier
        if not isinstance(own, HuggingFaceClassifier):
            raise FuzzsmoothError(
                f"defense '{self.name}' trains copies of a Hugging Face model, and this classifier is a "
                "function"
            )
        return load_classifier(
            str(folder),
            labels=own.labels,
            precision=own.precision,
            batch_size=own.batch_size,
            device=str(own.device),
        )


def group_of(word: str, groups: int) -> int:
    """The group of a word, in 0..groups - 1: as published, MD5 of its lower-cased letters."""
    digest = hashlib.md5(word.lower().encode("utf-8", "surrogatepass"), usedforsecurity=False)
    return int(digest.hexdigest(), 16) % groups


def group_radius(votes: Sequence[int], undecided: int = 0) -> int:
    """Most groups whose votes may be anybody's without a change of the winner.

    Args:
        votes: Votes per class; ties go to the smaller class.
        undecided: Votes that are unknown: any of them may be for the strongest rival.

    Returns:
        The radius; -1 if the unknown votes alone may turn the vote.

    >>> group_radius((7, 2)), group_radius((2, 7)), group_radius((5, 4)), group_radius((4, 5))
    (2, 2, 0, 0)
    """
    winner = max(range(len(votes)), key=lambda index: (votes[index], -index))
    margins = [
        votes[winner] - votes[rival] - undecided - (rival < winner)
        for rival in range(len(votes))
        if rival != winner
    ]
    return max(NOT_CERTIFIED, min(margins) // 2)


def _folder(folder: Path, group: int) -> Path:
    return folder / f"group{group}"


def _band(rounding: Rounding) -> float:
    return rounding.guard + rounding.recheck_guard

"""Claims about two-round ablation for the count of certified pairs: Theorem 5 in all its forms.

The procedure is computed for many base classifiers at once; a sample of every draw is answered by the
procedure and certified by the certifier that ship, and must agree.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from guarantee_pairs import FAR, Claim, Labels, Steps, Trial
from guarantee_universe import Text, Universe, universe

from fuzzsmooth.certify import (
    AblationCertificate,
    Family,
    MaskOracle,
    certify_contiguous_edit,
    certify_contiguous_insertion,
    certify_contiguous_replacement,
    certify_scattered,
    contiguous,
    contiguous_up_to,
    detect,
    scattered,
    two_round_ablation,
)

CLASSES, SAMPLED = 3, 2


@dataclass(frozen=True)
class Form:
    """One form of the theorem.

    Attributes:
        name: What is certified.
        formula: The certifier.
        family: Deletions of the procedure.
        needed: From the length of the clean text to the masks that must keep its label.
        certify: The shipped certifier.
        threat: From (text, size) to the changed texts of that size; size 0 is what is certified, 1 more.
        grows: Units by which the changed texts of size 0 are longer at most.
        alert: Whether one round is held and an alert allowed; certified without a condition.
    """

    name: str
    formula: str
    family: Family
    needed: Callable[[int], Sequence[int]]
    certify: Callable[[MaskOracle], AblationCertificate] | None
    threat: Callable[[Text, int, Universe], Iterator[Text]]
    grows: int
    alert: bool = False


def blocks(removed: Sequence[int], added: Sequence[int]) -> Callable[[Text, int, Universe], Iterator[Text]]:
    """One block of some lengths replaced by one of others; lengths above 0 grow with the size."""

    def changed(text: Text, size: int, space: Universe) -> Iterator[Text]:
        longest = int(space.lengths.max())
        for gone, new in itertools.product(_grown(removed, size), _grown(added, size)):
            if gone <= len(text) and len(text) - gone + new <= longest:
                for place in range(len(text) - gone + 1):
                    for piece in itertools.product(range(space.vocabulary), repeat=new):
                        yield (*text[:place], *piece, *text[place + gone :])

    return changed


def _grown(lengths: Sequence[int], size: int) -> list[int]:
    """{0}, {k} and {0..k} with k grown by the size, but {0} as it is."""
    most = max(lengths) + size if max(lengths) else 0
    return [most] if len(lengths) == 1 else list(range(most + 1))


def near(most: int, *, insertions: bool) -> Callable[[Text, int, Universe], Iterator[Text]]:
    """All texts within so many edits, or insertions."""

    def changed(text: Text, size: int, space: Universe) -> Iterator[Text]:
        row = space.index[text]
        steps = (
            np.where(space.source[row] == 0, space.target[row], FAR) if insertions else space.distance[row]
        )
        return (space.texts[column] for column in np.flatnonzero(steps <= most + size).tolist())

    return changed


def pairs_of(family: Family) -> Callable[[int], Sequence[int]]:
    """What two deletions of a family leave."""

    def masks(length: int) -> list[int]:
        return sorted({one & two for one, two in itertools.product(family(length), repeat=2)})

    return masks


def forms() -> list[Form]:
    """All forms, of small sizes."""
    found = []
    for most in (1, 2):
        windows, width = contiguous_up_to(most), contiguous([most])
        inserted = blocks([0], range(most + 1))
        found += [
            Form(f"T5 piece of {most}", "certify_contiguous_insertion", windows, windows,
                 lambda o, m=most: certify_contiguous_insertion(o, m), inserted, most),
            Form(f"T5 block edit of {most}", "certify_contiguous_edit", windows, pairs_of(windows),
                 lambda o, m=most: certify_contiguous_edit(o, m),
                 blocks(range(most + 1), range(most + 1)), most),
            Form(f"T5 replacement of {most}", "certify_contiguous_replacement", width, pairs_of(width),
                 lambda o, m=most: certify_contiguous_replacement(o, m), blocks([most], [most]), 0),
            Form(f"T5 scattered insertions {most}", "certify_scattered", scattered(most), scattered(most),
                 lambda o, m=most: certify_scattered(o, m), near(most, insertions=True), most),
            Form(f"T5 scattered edits {most}", "certify_scattered", scattered(most), scattered(2 * most),
                 lambda o, m=most: certify_scattered(o, m, "edit"), near(most, insertions=False), most),
            Form(f"T5 detection of {most}", "detect", windows, windows, None, inserted, most, alert=True),
        ]  # fmt: skip
    return found


class WindowClaim(Claim):
    """One form of the theorem on a world: reach 1 is what is certified, 2 one unit more."""

    batch = 128

    def __init__(self, space: Universe, form: Form) -> None:
        within = np.full((len(space.texts), len(space.texts)), FAR)
        for row, text in enumerate(space.texts):
            for size in (1, 0):
                reached = [space.index[other] for other in form.threat(text, size, space)]
                within[row, reached] = size + 1
            within[row, row] = 0
        room = int(space.lengths.max()) - space.lengths - form.grows
        cap = np.where(room < 0, 0, np.where((room < 1) & (form.grows > 0), 1, 2))
        super().__init__(
            f"{form.name} | {space.vocabulary} letters, up to {int(space.lengths.max())} units", "T5",
            f"certify.theorems.windows.{form.formula}", within, cap,
        )  # fmt: skip
        self.space, self.form = space, form
        self.asked = [self._left(text, form.family(len(text))) for text in space.texts]
        self.needed = [self._left(text, form.needed(len(text))) for text in space.texts]
        self.twice = [
            np.stack([self._left(text, [one & two for two in masks]) for one in masks])
            for text, masks in ((text, form.family(len(text))) for text in space.texts)
        ]
        self.parts = [sorted({space.index[part] for part in _subsequences(text)}) for text in space.texts]

    def _left(self, text: Text, masks: Sequence[int]) -> Steps:
        left = [tuple(u for i, u in enumerate(text) if mask >> i & 1) for mask in masks]
        return np.array([self.space.index[part] for part in left])

    def draw(self, generator: np.random.Generator, kind: int) -> Trial:
        """Nearly constant ones; ones that know the parts of one text; ones that look for a trigger."""
        labels = self.classifiers(generator, kind)
        certified = np.stack(
            [(labels[one] == labels[row]).all(axis=0) for row, one in enumerate(self.needed)]
        )
        received = np.stack([self.answered(labels, row) for row in range(len(labels))])
        reach = np.where(certified | self.form.alert, 1, -1).astype(np.int16)
        for _ in range(SAMPLED):
            row, column = generator.integers(len(labels)), generator.integers(self.batch)
            self.agree(labels[:, column], int(row), int(received[row, column]), bool(certified[row, column]))
        return Trial(labels, reach, received)

    def classifiers(self, generator: np.random.Generator, kind: int) -> Labels:
        """Labels of all texts, shape (texts, batch)."""
        texts = len(self.space.texts)
        shape = (texts, self.batch)
        noise = generator.random(shape) < generator.choice([0.0, 0.02, 0.1, 0.3], size=self.batch)
        if kind % 3 == 0:
            labels = np.where(noise, generator.integers(CLASSES, size=shape), 0)
        elif kind % 3 == 1:
            strangers = generator.integers(1, CLASSES, size=shape)
            labels = np.where(generator.random(shape) < generator.random(self.batch), strangers, 1)
            for column, row in enumerate(generator.integers(texts, size=self.batch).tolist()):
                known = self.parts[row]
                labels[known, column] = np.where(noise[known, column], labels[known, column], 0)
        else:  # whatever holds a trigger as a part gets the label of its maker
            triggers = generator.integers(1, texts, size=self.batch).tolist()
            labels = np.where(noise, generator.integers(CLASSES, size=shape), 0)
            for column, trigger in enumerate(triggers):
                holds = np.array([trigger in parts for parts in self.parts])
                labels[:, column] = np.where(holds, 1, labels[:, column])
        return ((labels + generator.integers(CLASSES, size=self.batch)) % CLASSES).astype(np.int8)

    def answered(self, labels: Labels, row: int) -> Labels:
        """The answers of the procedure on one text, shape (batch,)."""
        first = labels[self.asked[row]]
        votes = np.stack([(first == label).sum(axis=0) for label in range(CLASSES)])
        majority = votes.argmax(axis=0).astype(np.int8)  # ties to the lower label
        unanimous = votes.max(axis=0) == len(first)
        if self.form.alert:
            return np.where(unanimous, majority, -1).astype(np.int8)
        passed = (labels[self.twice[row]] == first[:, None]).all(axis=1) & (first != majority)
        chosen = np.take_along_axis(first, passed.argmax(axis=0)[None], axis=0)[0]
        return np.where(unanimous | ~passed.any(axis=0), majority, chosen).astype(np.int8)

    def agree(self, labels: Labels, row: int, received: int, certified: bool) -> None:
        """Hold one answer and one certificate against what ships."""
        text = self.space.texts[row]

        def ask(masks: Sequence[int]) -> list[int]:
            return [int(labels[index]) for index in self._left(text, masks)]

        oracle = MaskOracle(ask, len(text), units=text)
        procedure = detect if self.form.alert else two_round_ablation
        label = procedure(oracle, self.form.family).label
        assert received == (-1 if label is None else label), (self.name, text)
        if self.form.certify is not None:
            claim = self.form.certify(MaskOracle(ask, len(text), units=text))
            assert (claim.label, claim.certified) == (int(labels[row]), certified), (self.name, text)


def _subsequences(text: Text) -> set[Text]:
    return {kept for size in range(len(text) + 1) for kept in itertools.combinations(text, size)}


def window_claims(worlds: Sequence[tuple[int, int]]) -> Iterator[WindowClaim]:
    """All forms on all worlds."""
    for world, form in itertools.product(worlds, forms()):
        yield WindowClaim(universe(*world), form)

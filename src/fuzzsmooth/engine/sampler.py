"""Draws of a randomized text under a noisy model, and their votes."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import compress, islice
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.options import require
from fuzzsmooth.common.randomness import derived_seed, generator
from fuzzsmooth.engine.deciding import UNSURE, Answers, Unsure, drawn
from fuzzsmooth.engine.evaluation import Evaluator, Selection, unit_tokenizer
from fuzzsmooth.engine.fuzzers import Fuzzer, TypeFuzzer, Units
from fuzzsmooth.engine.tokens import TokenMapError, UnitTokenizer
from fuzzsmooth.models.protocol import (
    Classifier,
    SlowPathWarning,
    TokenClassifier,
    WeightNoise,
    declares_deterministic,
)
from fuzzsmooth.noise.text import Kept, Rates, SelectionKernel, TextKernel, addressed_masks
from fuzzsmooth.noise.text.kernel import require_rate_per_unit
from fuzzsmooth.text.units import Segmenter

Votes = npt.NDArray[np.int64]
"""Shape (texts, classes): how many draws voted for each class."""

ResultT = TypeVar("ResultT")

_TOGETHER = 8192  # draws handed to the model at once: bounds the memory, fills the batches


@dataclass(frozen=True)
class Plan:
    """A text to be randomized.

    Attributes:
        key: 64-bit key of the text; addresses its draws.
        units: Its n units.
        rates: Shape (n,), the rate of each.
    """

    key: int
    units: Units
    rates: Rates


@dataclass(frozen=True)
class Sampler:
    """Counts the votes of randomized texts under fresh parameter noise.

    A draw is a function of (seed, purpose, text, draw index) alone, so the votes do not depend on batch size,
    order, or restarts. A model that takes token ids is given ids: units are tokenized once a text, draws are
    rows of a bit matrix, and without parameter noise each distinct sequence is evaluated once, also over
    successive calls for the same text. Any other classifier, and one that does not declare itself
    deterministic, is asked about every draw as a string: it may answer by chance, and then repeated answers
    are draws of their own.

    Attributes:
        classifier: The base classifier; one of token ids if ``noise`` is given.
        segmenter: Writes units as a text.
        kernel: The text noise.
        noise: The parameter noise, or None.
        fuzzer: Post-processing of each randomized text, or None.
        seed: Seed of all draws.
        band: A draw whose two highest logits differ by at most this votes for no class, because rounding
            might decide it; 0 lets every draw vote. See :mod:`fuzzsmooth.engine.rounding_band`.
        recheck: Decides the draws that the band leaves undecided, such as the classifier in float32 where
            ``classifier`` computes in bfloat16. Without parameter noise only. None leaves them undecided.
        recheck_band: Band of these second answers; 0 takes their label, whatever the margin.
        units: The token maps of the classifier's words; made here unless they are those of another sampler
            of the same classifier, with which it then shares them: both read texts the same way.
        copies: How many noisy copies of the model answer all draws, each draw one of them at random; None:
            as ``noise`` says. They are functions of the seed alone, the same for predictions and
            certificates, so that the base classifier is a fixed mixture of them.
        unsure: Which answers are unsure, and drawn; None: none. See :mod:`fuzzsmooth.engine.deciding`.
        has_one_answer: Whether a mask has one answer only, so that masks can be enumerated.
    """

    classifier: Classifier
    segmenter: Segmenter
    kernel: TextKernel
    noise: WeightNoise | None
    fuzzer: Fuzzer | None
    seed: int
    band: float = 0.0
    recheck: TokenClassifier | None = None
    recheck_band: float = 0.0
    units: UnitTokenizer | None = field(default=None, repr=False, compare=False)
    copies: int | None = None
    unsure: Unsure | None = None
    has_one_answer: bool = field(init=False, repr=False, compare=False)
    _evaluator: Evaluator = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for band in (self.band, self.recheck_band):
            require(band >= 0, f"the rounding band is a logit margin and must not be negative, got {band}")
        if self.units is None:
            units = unit_tokenizer(self.classifier, self.segmenter, self.noise)
            object.__setattr__(self, "units", units)
        evaluator = Evaluator(
            self.classifier,
            self.segmenter,
            self.noise,
            self.band,
            self.recheck,
            self.recheck_band,
            self.units,
            self.unsure,
        )
        object.__setattr__(self, "_evaluator", evaluator)
        object.__setattr__(
            self, "has_one_answer", self._draws_nothing() and declares_deterministic(self.classifier)
        )

    def _draws_nothing(self) -> bool:
        """Whether nothing is drawn once a mask is given."""
        return (
            self.noise is None
            and isinstance(self.kernel, SelectionKernel)
            and (self.fuzzer is None or isinstance(self.fuzzer, TypeFuzzer))
        )

    def votes(
        self, plans: Sequence[Plan], draws: range, purpose: str, advance: Callable[[int], None] | None = None
    ) -> Votes:
        """Votes of each plan over the given draws.

        Args:
            plans: The texts and their rates.
            draws: Consecutive draw indices; disjoint ranges are independent draws.
            purpose: Separates the draws of predictions from those of certificates.
            advance: Told how many texts have just been finished.

        Returns:
            Counts of shape (len(plans), classes). Rows sum to len(draws) less the undecided draws.
        """
        return self.ballots(plans, draws, purpose, advance, coins=True)[0]

    def ballots(
        self,
        plans: Sequence[Plan],
        draws: range,
        purpose: str,
        advance: Callable[[int], None] | None = None,
        *,
        coins: bool = False,
    ) -> tuple[Votes, npt.NDArray[np.int64]]:
        """Votes of each plan, and how many draws were unsure and voted for no class.

        Leaving them out changes no majority: of two classes the one with more sure votes has more in all.

        Args:
            plans: As in :meth:`votes`, as all that follow.
            draws: The same.
            purpose: The same.
            advance: The same.
            coins: Whether unsure draws vote by chance, as certificates have it; then none is left out.

        Returns:
            Counts of shape (len(plans), classes), and of shape (len(plans),).
        """
        counts = np.zeros((len(plans), len(self.classifier.labels)), dtype=np.int64)
        unsure = np.zeros(len(plans), dtype=np.int64)
        per_call = max(1, _TOGETHER // max(1, len(draws)))
        for first in range(0, len(plans), per_call):
            chunk = plans[first : first + per_call]
            place = slice(first, first + len(chunk))
            counts[place], unsure[place] = self._count(chunk, [draws] * len(chunk), purpose, coins=coins)
            if advance is not None:
                advance(len(chunk))
        return counts, unsure

    def tally(self, plans: Sequence[Plan], draws: Sequence[range], purpose: str) -> Votes:
        """Votes of each plan over draws of its own, evaluated together: a round of a sequential procedure.

        Args:
            plans: The texts and their rates.
            draws: Consecutive draw indices for each plan.
            purpose: As in :meth:`votes`.

        Returns:
            As :meth:`votes`.
        """
        return self._count(plans, draws, purpose, coins=True)[0]

    def _count(
        self, plans: Sequence[Plan], draws: Sequence[range], purpose: str, *, coins: bool
    ) -> tuple[Votes, npt.NDArray[np.int64]]:
        """Votes of each plan, and how many unsure draws cast none."""
        counts = np.zeros((len(plans), len(self.classifier.labels)), dtype=np.int64)
        unsure = np.zeros(len(plans), dtype=np.int64)
        longest = max(map(len, draws), default=0)
        for offset in range(0, longest, _TOGETHER):
            parts = [part[offset : offset + _TOGETHER] for part in draws]
            for row, answers in enumerate(self._answers(plans, parts, purpose)):
                if coins and self.unsure is not None:
                    answers = self.with_coins(answers, plans[row], parts[row], purpose)
                counts[row] += np.bincount(answers[answers >= 0], minlength=counts.shape[1])
                unsure[row] += np.count_nonzero(answers == UNSURE)
        return counts, unsure

    def with_coins(self, answers: Answers, plan: Plan, draws: Sequence[int], purpose: str) -> Answers:
        """Answers to draws of a text, the unsure ones drawn; see :func:`fuzzsmooth.engine.deciding.drawn`."""
        return drawn(answers, len(self.classifier.labels), self.seed, purpose, plan.key, draws)

    def labels(self, plans: Sequence[Plan], kept: Sequence[Kept]) -> list[Answers]:
        """The base classifier's answer to given masks of each text, as for enumerated ones; nothing is drawn.

        Args:
            plans: The texts; their rates are not read.
            kept: For each text masks of shape (any, n), true where a unit is kept.

        Returns:
            For each text the class of each mask, UNDECIDED or UNSURE. Masks that were answered before, also
            as draws, cost nothing.

        Raises:
            FuzzsmoothError: If parameter noise, the kernel or the fuzzer draw something themselves.
        """
        kernel = self.kernel
        if not (isinstance(kernel, SelectionKernel) and self._draws_nothing()):
            raise FuzzsmoothError(
                "a mask has one answer only without parameter noise, substitutions and searches; draw votes"
            )
        selections = [
            Selection(kernel.candidates(plan.units), kernel.selected(masks))
            for plan, masks in zip(plans, kept, strict=True)
        ]
        keys = [plan.key for plan in plans]
        return self._evaluator.of_selections(keys, self._without_flagged(selections), [[]] * len(plans))

    def _answers(self, plans: Sequence[Plan], draws: Sequence[range], purpose: str) -> list[Answers]:
        """The answer to each draw of each plan."""
        keys = [plan.key for plan in plans]
        seeds: list[list[int]] = [[] for _ in plans]
        if self.noise is not None:
            for plan, part, own in zip(plans, draws, seeds, strict=True):
                own += self._noise_seeds(plan, part, purpose, shared=self.noise.copies)
        if not isinstance(self.kernel, SelectionKernel):
            texts = [
                [
                    self.kernel(plan.units, plan.rates, generator(self.seed, purpose, plan.key, draw))
                    for draw in part
                ]
                for plan, part in zip(plans, draws, strict=True)
            ]
            return self._evaluator.of_texts(keys, self._fuzzed(texts, draws, purpose), seeds)
        selections = [
            self._selection(self.kernel, plan, part, purpose) for plan, part in zip(plans, draws, strict=True)
        ]
        if self.fuzzer is None or isinstance(self.fuzzer, TypeFuzzer):
            return self._evaluator.of_selections(keys, self._without_flagged(selections), seeds)
        texts = [selection.texts() for selection in selections]
        return self._evaluator.of_texts(keys, self._fuzzed(texts, draws, purpose), seeds)

    def _noise_seeds(self, plan: Plan, draws: range, purpose: str, *, shared: bool) -> list[int]:
        """The seed of the parameter noise of each draw of a text."""
        if self.copies is None:
            # Where K noisy copies are shared, the draws of one text are independent all the same.
            where = () if shared else (plan.key,)
            return [derived_seed(self.seed, f"{purpose}-weights", *where, draw) for draw in draws]
        known, address = self.copy_seeds, f"{purpose}-copy"
        return [known[derived_seed(self.seed, address, plan.key, draw) % len(known)] for draw in draws]

    @property
    def copy_seeds(self) -> list[int]:
        """The seeds of the fixed noisy copies; none where there are none."""
        return [derived_seed(self.seed, "noisy copies", copy) for copy in range(self.copies or 0)]

    def _selection(self, kernel: SelectionKernel, plan: Plan, draws: range, purpose: str) -> Selection:
        require_rate_per_unit(plan.units, plan.rates)
        kept = addressed_masks(plan.rates, draws, seed=self.seed, purpose=purpose, key=plan.key)
        return Selection(kernel.candidates(plan.units), kernel.selected(kept))

    def _without_flagged(self, selections: list[Selection]) -> list[Selection]:
        """What the fuzzer of unit types leaves: it sees types that deletion has left, and nothing else."""
        if not isinstance(self.fuzzer, TypeFuzzer):
            return selections
        left = [
            unit
            for selection in selections
            for unit in compress(selection.candidates, np.any(selection.selected, axis=0).tolist())
        ]
        flagged = self.fuzzer.flagged(left)
        return [
            Selection(
                selection.candidates,
                selection.selected
                & np.array([unit not in flagged for unit in selection.candidates], dtype=bool),
            )
            for selection in selections
        ]

    def _fuzzed(
        self, texts: Sequence[Sequence[Units]], draws: Sequence[range], purpose: str
    ) -> list[list[Units]]:
        """Each randomized text after the fuzzer, if there is one."""
        if self.fuzzer is None:
            return [list(own) for own in texts]
        # Addressed by the draw, never by the text: the fuzzer's randomness must not depend on it.
        sources = [generator(self.seed, f"{purpose}-fuzz", draw) for part in draws for draw in part]
        fuzzed = iter(self.fuzzer([units for own in texts for units in own], sources))
        return [list(islice(fuzzed, len(own))) for own in texts]


def mask_rows(masks: Sequence[int], length: int) -> Kept:
    """Masks as rows of a bit matrix.

    Args:
        masks: Bit i says that unit i is kept.
        length: Number of units n.

    Returns:
        Shape (len(masks), n), true where a unit is kept.
    """
    size = (length + 7) // 8
    packed = np.frombuffer(b"".join(mask.to_bytes(size, "little") for mask in masks), dtype=np.uint8)
    rows = np.unpackbits(packed.reshape(len(masks), size), axis=1, count=length, bitorder="little")
    return rows.astype(bool)


def read_alike(answer: Callable[[], list[ResultT]]) -> list[ResultT]:
    """All answers of a call, from one way of reading texts: if that fails on the way, from the other."""
    try:
        return answer()
    except TokenMapError as error:
        warnings.warn(str(error), SlowPathWarning, stacklevel=3)
        return answer()

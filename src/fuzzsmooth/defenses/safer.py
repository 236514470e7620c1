r"""SAFER (Ye et al., ACL 2020): a vote over copies whose words are replaced by random synonyms.

Each word w has a set P_w, itself among it; a copy draws every word uniformly from its set, and the copies
vote. Let an attacker replace at most R words, each by one of its synonyms S_w.

**Theorem.** With the overlap o(w, s) = |P_w & P_s| / max(|P_w|, |P_s|), q_w = min over s in S_w of o(w, s),
and q the product of the R smallest q_w of the text, the answer stays if p_A - (1 - q) > p_B + (1 - q).
*Proof.* o(w, s) is one minus the total variation of the two uniform laws. Draws are independent, so the law
of a copy moves by at most 1 - q, and so does the probability of each class. []

The paper divides by |P_w| and asks for sets of one size; by the larger size it holds for any sets. Its test
compares p_A with a constant for the Monte Carlo error; here p_A and p_B are confidence bounds. S must be
symmetric, s in S_w iff w in S_s: then a received text certifies its original just as well.

**Only replacements by synonyms of this table are covered**: no other word, no insertion, no deletion. The
table is fixed before any text is seen. It is read from a file of yours, or made as published: words of the
training data whose embeddings, without their mean and their eight main directions, have a cosine of at least
``similarity`` are synonyms; a connected component of at most ``largest`` words is the set of all its words,
in a larger one each word has its ``largest`` nearest. The paper has counter-fitted vectors and .8; here these
are the input embeddings of the trusted copy, which tell synonyms from other kin less well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from fuzzsmooth.certify import NOT_CERTIFIED, complement_upper
from fuzzsmooth.certify.theorems.edit import ROUNDING
from fuzzsmooth.common.options import Between, require
from fuzzsmooth.defenses.answer import Answer
from fuzzsmooth.defenses.copies import trained_on_copies
from fuzzsmooth.defenses.defense import DEFENSES, Advance, Needs
from fuzzsmooth.defenses.fitted import FittedDefense
from fuzzsmooth.defenses.fixed_draws import FixedDraws, FixedVoteOptions
from fuzzsmooth.defenses.material import Material
from fuzzsmooth.defenses.randomized import Randomized, Received, certified_answer
from fuzzsmooth.defenses.synonym_table import SynonymTable, embedded_table, read_table, word_vectors
from fuzzsmooth.engine.certificates import Issuer
from fuzzsmooth.engine.evidence import SampledVotes, fixed_evidence, plain_plans
from fuzzsmooth.engine.options import check_drawn
from fuzzsmooth.engine.sampler import Sampler
from fuzzsmooth.noise.text import TextKernel, text_kernel, uniform_rates
from fuzzsmooth.text.units import segmenter
from fuzzsmooth.training.progress import Progress, silent

if TYPE_CHECKING:
    from fuzzsmooth.models import HuggingFaceClassifier


@dataclass(frozen=True, kw_only=True)
class SaferOptions(FixedVoteOptions):
    """Which words are synonyms, and how copies are bounded."""

    synonyms: Annotated[
        str | None,
        "JSON file of your own synonyms, each word with a list of others, read in both directions. Left out: "
        "they are made from the embeddings of the trusted copy.",
    ] = None
    similarity: Annotated[
        float,
        Between(-1, 1),
        "Cosine of the embeddings from which on two words are synonyms. The paper has .8 for counter-fitted "
        "vectors; of MiniLM's embeddings .4 finds 'great' and 'terrific', and .35 'good' and 'bad', too.",
    ] = 0.4
    largest: Annotated[
        int, Between(2, 10_000), "Words in a set at most, for the sets that are made from embeddings."
    ] = 100

    def validate(self) -> None:
        """Check the unit, and what has to stay below 1 as it is drawn."""
        check_drawn(self, "alpha")
        require(self.unit == "word", f"SaferOptions.unit must be 'word', got '{self.unit}'")


@DEFENSES.register("safer")
class Safer(FittedDefense, FixedDraws):
    """SAFER: a vote over random synonyms; proved against replacements by synonyms of its table."""

    options_type = SaferOptions
    guarantee = "proved"
    needs = Needs(clean_twin=True, training=True)
    options: SaferOptions
    table: SynonymTable = SynonymTable({}, {})

    @classmethod
    def make_model(
        cls, options: SaferOptions, material: Material, output: Path, progress: Progress = silent
    ) -> HuggingFaceClassifier:
        """Fine-tune on copies of random synonyms; see :class:`fuzzsmooth.defenses.Defense`."""
        if (output / "config.json").is_file():
            return material.load(output)
        cut, kernel = segmenter("word"), text_kernel("synonyms", sets=_made(options, material).sets)

        def randomized(text: str, source: np.random.Generator) -> str:
            units = cut.segment(text).units
            return cut.join(kernel(units, uniform_rates(len(units), 0.0), source))

        return trained_on_copies(material, output, progress, randomized)

    @classmethod
    def model_key(cls, options: SaferOptions) -> Mapping[str, Any]:
        """See :meth:`fuzzsmooth.defenses.Defense.model_key`."""
        told = ("synonyms", "similarity", "largest")
        return {"defense": cls.name, **{name: getattr(options, name) for name in told}}

    @classmethod
    def threats(cls, options: SaferOptions) -> tuple[str, ...]:
        """See :meth:`fuzzsmooth.defenses.Defense.threats`."""
        del options
        return ("synonyms",)

    def learn(self, material: Material, folder: Path, progress: Progress) -> Mapping[str, Any]:
        """Make or read the table; see :class:`FittedDefense`.

        Raises:
            FuzzsmoothError: If there is neither a file nor a trusted copy, or the file is no such table.
        """
        del folder
        table = _made(self.options, material)
        progress(1, 1)
        return table.to_mapping()

    def take(self, state: Mapping[str, Any], folder: Path) -> None:
        """Take over the table; see :class:`FittedDefense`."""
        self.table = SynonymTable.from_mapping(state, f"the table of synonyms in {folder}")
        self._build()  # the sampler draws from the table

    def answer(self, texts: Sequence[str], *, certify: bool, advance: Advance | None = None) -> list[Answer]:
        """See :meth:`fuzzsmooth.defenses.Defense.answer`."""
        if not certify:
            return super().answer(texts, certify=False, advance=advance)
        super().answer([], certify=False)  # refuses one that was not fitted
        return Randomized.answer(self, texts, certify=True, advance=advance)

    def answered(self, texts: Sequence[str], advance: Advance | None) -> list[Answer]:
        """The vote on each text."""
        return Randomized.answer(self, texts, certify=False, advance=advance)

    def kernel(self) -> TextKernel:
        """Random synonyms."""
        return text_kernel("synonyms", sets=self.table.sets)

    def certified(
        self, received: Sequence[Received], sampler: Sampler, issuer: Issuer, advance: Advance | None
    ) -> list[Answer]:
        """How many replacements by synonyms each answer withstands."""
        evidence = fixed_evidence(
            SampledVotes([one.plan for one in received], sampler),
            plain_plans(
                [len(one.plan.units) for one in received],
                draws=self.options.draws,
                classes=len(self.labels),
            ),
            alpha=self.options.alpha,
            advance=advance,
        )
        answers = []
        for one, found in zip(received, evidence, strict=True):
            words = [unit.lower() for unit in one.plan.units]
            overlaps = [self.table.overlap(word) for word in words if self.table.synonyms.get(word)]
            certificate = issuer.issue(
                found,
                radius=safer_radius(found.bound.p_lower, overlaps, p_upper=found.bound.p_upper),
                threat="synonyms",
                direction="symmetric",
                rates={},
            )
            answers.append(certified_answer(one, found, (certificate,)))
        return answers


def safer_radius(p_lower: float, overlaps: Sequence[float], *, p_upper: float | None = None) -> int:
    """Largest number of words whose replacement by synonyms cannot change the answer.

    Args:
        p_lower: Lower bound on the probability of the answer, in [0, 1].
        overlaps: q of each word of the text that has synonyms, in [0, 1].
        p_upper: Upper bound on that of every other class; None: 1 - p_lower.

    Returns:
        The radius, at most the number of these words; -1 if not even the unchanged text is certified.
    """
    rival = complement_upper(p_lower) if p_upper is None else p_upper
    margin, worst = p_lower - rival, sorted(overlaps)
    size = NOT_CERTIFIED
    while size < len(worst) and margin > 2 * (1 - prod(worst[: size + 1])) + ROUNDING:
        size += 1
    return size


def _made(options: SaferOptions, material: Material) -> SynonymTable:
    """The table of the options."""
    if options.synonyms is not None:
        return read_table(Path(options.synonyms))
    classifier = material.load(material.trusted_twin(Safer.name))
    words, vectors = word_vectors(classifier, material.data.texts)
    return embedded_table(words, vectors, similarity=options.similarity, largest=options.largest)

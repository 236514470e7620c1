"""Demonstrations in a prompt that may be poisoned: they are deleted, not the text, and copies vote.

A prompted model often reads labeled examples before the text (in-context learning), and who inserts some of
them can plant a backdoor without touching a weight (Ren et al., ICML 2025, arXiv 2507.01321, have such
attacks, and a defense without certificates). For a fixed text the answer is a function of the list of
demonstrations: a sequence whose units are demonstrations. Each is deleted with one rate, the rest stays in
order, and the copies vote; Theorem 1 of uniform deletion (:mod:`fuzzsmooth.certify`) then bounds what any
inserted, deleted or changed demonstrations can do, wherever they stand. Of few demonstrations all subsets are
enumerated and nothing is left to chance. The certificate is about the demonstrations alone: the text and the
template are taken as they are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal

from fuzzsmooth.common.options import Between, require
from fuzzsmooth.common.randomness import text_key
from fuzzsmooth.data import load_texts
from fuzzsmooth.defenses.answer import Answer
from fuzzsmooth.defenses.defense import DEFENSES, Advance, Guarantee, Needs
from fuzzsmooth.defenses.randomized import Randomized, Received, certified_answer
from fuzzsmooth.engine.certificates import Issuer, deletion_certificates
from fuzzsmooth.engine.fuzzers import Units
from fuzzsmooth.engine.options import DrawOptions
from fuzzsmooth.engine.sampler import Plan, Sampler
from fuzzsmooth.engine.statistics import gather_evidence
from fuzzsmooth.models.prompt import PromptText
from fuzzsmooth.models.protocol import Classifier
from fuzzsmooth.noise.text import uniform_rates
from fuzzsmooth.search.references import References
from fuzzsmooth.text.units import Segmentation, Segmenter

_SUBSETS = 1024  # model passes at most by default: all subsets of ten demonstrations


@dataclass(frozen=True, kw_only=True)
class DemonstrationOptions(DrawOptions):
    """Which demonstrations stand before a text, and how they are deleted and voted on."""

    unit: Annotated[Literal["demonstration"], "What is deleted and counted."] = "demonstration"
    demonstrations: Annotated[
        str | None, "File of labeled texts that stand before each text in the prompt, in their order."
    ] = None
    draws: Annotated[int, Between(1, 1_000_000), "Model passes of an answer at most."] = _SUBSETS


@dataclass(frozen=True)
class AskedText(Received):
    """A text with the demonstrations before it.

    Attributes:
        segmenter: Writes some of them, and the text, as what the prompt is about.
    """

    segmenter: WrittenDemonstrations | None = None


@dataclass(frozen=True)
class WrittenDemonstrations:
    """Writes demonstrations before a text; a segmenter whose units are demonstrations.

    Attributes:
        prompt: The prompt of the model.
        text: The text.
    """

    prompt: PromptText
    text: str
    kind: ClassVar[Literal["demonstration"]] = "demonstration"

    def join(self, units: Sequence[str]) -> str:
        """What fills the slot of the template."""
        return self.prompt.with_demonstrations(units, self.text)

    def segment(self, text: str) -> Segmentation:
        """No demonstration: a text holds none by itself."""
        return Segmentation(text, (), ())


@DEFENSES.register("demonstrations")
class Demonstrations(Randomized):
    """Delete demonstrations of a prompt and vote; proved against inserted ones, for texts as they are."""

    options_type = DemonstrationOptions
    guarantee: ClassVar[Guarantee] = "proved"
    needs = Needs(demonstrations=True)
    options: DemonstrationOptions

    def __init__(
        self,
        classifier: Classifier,
        options: DemonstrationOptions | Mapping[str, Any],
        references: References | None = None,
    ) -> None:
        self.prompt = PromptText.of(classifier)
        super().__init__(classifier, options, references)
        self.units = self._read()

    def cutting(self) -> Segmenter:
        """No text is cut; this one writes no text, the others those that are asked about."""
        return WrittenDemonstrations(self.prompt, "")

    @classmethod
    def check(cls, options: Any, references: References | None) -> None:
        """See :meth:`fuzzsmooth.defenses.Defense.check`."""
        del references
        require(
            options.demonstrations is not None,
            "defense 'demonstrations' needs a file of labeled texts (--demonstrations)",
        )

    @classmethod
    def threats(cls, options: DemonstrationOptions) -> tuple[str, ...]:
        """See :meth:`fuzzsmooth.defenses.Defense.threats`."""
        del options
        return ("edit", "insert", "delete", "insert_and_delete")

    @property
    def settings(self) -> dict[str, Any]:
        """See :meth:`fuzzsmooth.defenses.Defense.settings`; what the file holds counts, not its name."""
        content = hashlib.sha256("\0".join(self.units).encode("utf-8", "surrogatepass")).hexdigest()
        found = super().settings
        return {**found, "options": {**found["options"], "demonstrations": content}}

    def voted(self, received: Sequence[Received], sampler: Sampler, advance: Advance | None) -> list[Answer]:
        """The vote of all draws, or an abstention where it does not name the majority answer."""
        options, answers = self.options, []
        for one, own in self._asked(received, sampler):
            answers += self.vote([one], own, options.draws, advance, needed=options.alpha)
        return answers

    def certified(
        self, received: Sequence[Received], sampler: Sampler, issuer: Issuer, advance: Advance | None
    ) -> list[Answer]:
        """Radii against edited, inserted and deleted demonstrations."""
        answers = []
        for one, own in self._asked(received, sampler):
            (found,) = gather_evidence([one.plan], own, self.options, weighted=False, advance=advance)
            certificates = deletion_certificates(found, issuer, self.options.rate, len(self.units))
            answers.append(certified_answer(one, found, certificates))
        return answers

    def _asked(self, received: Sequence[Received], sampler: Sampler) -> Iterator[tuple[Received, Sampler]]:
        """Each text with a sampler of its own, which writes demonstrations before that text."""
        for one in received:
            assert isinstance(one, AskedText)
            assert one.segmenter is not None
            yield one, replace(sampler, segmenter=one.segmenter, units=None)

    def _received(self, texts: Sequence[str]) -> list[Received]:
        written = [WrittenDemonstrations(self.prompt, text) for text in texts]
        wholes = [one.join(self.units) for one in written]
        cut = self.classifier.truncated(wholes)  # type: ignore[attr-defined]  # see PromptText.of
        require(
            not any(cut),
            f"{len(self.units)} demonstrations and the text are longer than the model reads "
            f"({self.classifier.max_length} tokens beside the template); give fewer or shorter ones",  # type: ignore[attr-defined]
        )
        rates = uniform_rates(len(self.units), self.options.rate)
        return [
            AskedText(Plan(text_key(text), self.units, rates), False, None, own)
            for text, own in zip(texts, written, strict=True)
        ]

    def _read(self) -> Units:
        self.check(self.options, None)
        assert self.options.demonstrations is not None
        rows = load_texts(self.options.demonstrations)
        targets = rows.targets(self.labels)
        require(
            targets is not None and None not in targets and len(rows) > 0,
            f"{self.options.demonstrations}: each demonstration needs a label of the model's classes",
        )
        return tuple(
            self.prompt.demonstration(text, label)
            for text, label in zip(rows.texts, targets or (), strict=True)
            if label is not None
        )

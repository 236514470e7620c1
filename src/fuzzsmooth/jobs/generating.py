"""Smoothed generation: a model answers randomly deleted views of a text, and the most usual answer counts.

FRS (arXiv 2502.06892) reports smoothing of generation without saying how answers are put together. Here they
are clustered by the embeddings of an encoder that the user trusts, and the medoid of the largest cluster is
given with its share of the views. That is empirical: a share is no certificate, views that lost words are
answered worse, and two answers may be alike to the encoder and differ in what matters. What is proved is
proved of predicates (:mod:`fuzzsmooth.models.predicated`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fuzzsmooth.common.options import SEEDS, Between, described, require
from fuzzsmooth.common.randomness import generator, text_key
from fuzzsmooth.common.texts import checked_texts
from fuzzsmooth.jobs.loading import Machine
from fuzzsmooth.models import resolve_model
from fuzzsmooth.models.generation import GenerationOptions
from fuzzsmooth.noise.text import addressed_masks, area_rates
from fuzzsmooth.text.units import UnitKind, segmenter

if TYPE_CHECKING:
    from fuzzsmooth.models.generating import GeneratingModel
    from fuzzsmooth.models.text_encoder import TextEncoder
    from fuzzsmooth.search.scan import Span

PROMISE = (
    "empirical: the share says how many views were answered alike, and proves nothing; certificates are "
    "about predicates of the answer (certify --predicate)"
)
"""What a smoothed answer promises."""

_PURPOSE = "smoothed generation"
_SHOWN = 5  # clusters of a record


@dataclass(frozen=True, kw_only=True)
class SmoothedGenerationOptions(GenerationOptions):
    """How a text is deleted from, and how the answers are put together."""

    copies: Annotated[int, Between(1, 10_000), "Views of each text."] = 9
    rate: Annotated[
        float, Between(0, 1, below=True), "Deletion rate of each unit of the text; 0 leaves it as it is."
    ] = 0.3
    rate_flagged: Annotated[
        float,
        Between(0, 1),
        "Deletion rate of units in what is flagged as forcing the answer, where that is searched for; at "
        "least that of the others. Below 1 it stays in a few views, whose answers are all alike.",
    ] = 1.0
    unit: Annotated[UnitKind, "What is deleted."] = "word"
    mix: Annotated[
        Literal["answers", "tokens"],
        "What is put together. answers: each view is answered, and the medoid of the largest cluster counts. "
        "tokens: one answer, each token the likeliest by the mean distribution of all views.",
    ] = "answers"
    temperature: Annotated[
        float, Between(0, 100), "0 takes the most likely token each time; above, tokens are drawn."
    ] = 0.0
    threshold: Annotated[
        float,
        Between(-1, 1),
        "Lowest cosine similarity of two answers that mean the same; judge it by the clusters of your "
        "answers.",
    ] = 0.7
    encoder: Annotated[str, "The encoder that tells meanings; one that you trust."] = "builtin:minilm"
    seed: Annotated[int, Between(0, SEEDS), "Seed of views and drawn tokens."] = 0

    def validate(self) -> None:
        """Check that a mixture writes its likeliest tokens."""
        super().validate()
        require(
            self.mix == "answers" or self.temperature == 0,
            "with --mix tokens the likeliest tokens are written; leave --temperature at 0",
        )


class SmoothedGeneration:
    """A language model that answers by the vote of its views.

    Args:
        writer: The model.
        encoder: The encoder.
        options: How.
    """

    def __init__(
        self, writer: GeneratingModel, encoder: TextEncoder, options: SmoothedGenerationOptions
    ) -> None:
        self.writer, self.encoder, self.options = writer, encoder, options
        self._segmenter = segmenter(options.unit, writer.tokenizer)

    @classmethod
    def load(
        cls, model: str, options: SmoothedGenerationOptions, machine: Machine | None = None
    ) -> SmoothedGeneration:
        """Load model and encoder.

        Args:
            model: A causal language model by name.
            options: How.
            machine: What it is loaded onto.

        Raises:
            FuzzsmoothError: If either is missing, damaged, or not what it should be.
        """
        machine = machine or Machine()
        for name in (model, options.encoder):
            resolve_model(name)
        machine.prepare()
        from fuzzsmooth.models.generating import load_generating
        from fuzzsmooth.models.text_encoder import load_encoder

        writer = load_generating(model, options, device=machine.device, allow_bin=machine.allow_bin)
        return cls(writer, load_encoder(options.encoder), options)

    @property
    def settings(self) -> dict[str, Any]:
        """JSON values that identify what decides the answers."""
        own = {one.name: getattr(self.options, one.name) for one in described(type(self.options))}
        del own["seconds"]  # decides whether there is an answer, never which
        return {"model": self.writer.fingerprint, "encoder": self.encoder.fingerprint, **own}

    def views(self, text: str, flagged: Sequence[Span] = ()) -> list[str]:
        """The deleted texts of a text, in order; a function of text, flagged spans, rates, unit and seed.

        What stands together stays as it was written, so that a view that lost nothing is the text.
        """
        cut = self._segmenter.segment(text)
        units, rate = cut.units, self.options.rate
        area = [
            at
            for at, (start, end) in enumerate(cut.spans)
            if any(start < one.end and one.start < end for one in flagged)
        ]
        masks = addressed_masks(
            area_rates(len(units), area, max(self.options.rate_flagged, rate), rate),
            range(self.options.copies),
            seed=self.options.seed,
            purpose=_PURPOSE,
            key=text_key(text),
        )
        return [_left(text, cut.spans, row) for row in masks.tolist()]

    def answer(
        self, texts: Sequence[str], flagged: Sequence[Sequence[Span]] | None = None
    ) -> list[dict[str, Any]]:
        """Answer texts, each by itself.

        Args:
            texts: The texts.
            flagged: What forces the answer to each, as far as it is known; nothing if None.

        Returns:
            For each: ``answer``, ``votes`` and ``share`` of its cluster, ``copies``, largest ``clusters``,
            ``truncated``, ``passes`` and ``guarantee``. Where tokens are mixed, votes are the views that
            would have written it by themselves, and ``probability`` is the mean one of its tokens.

        Raises:
            FuzzsmoothError: If an answer cannot be written.
        """
        listed = checked_texts(texts)
        areas = [()] * len(listed) if flagged is None else flagged
        return [self._answer(text, area) for text, area in zip(listed, areas, strict=True)]

    def _answer(self, text: str, flagged: Sequence[Span]) -> dict[str, Any]:
        from fuzzsmooth.engine.answer_clusters import cluster_answers

        before = self.writer.forward_count
        if self.options.mix == "tokens":
            return self._mixed(text, flagged)
        answers = self._answers(text, flagged)
        distinct = list(dict.fromkeys(answers))
        embeddings = self.encoder.embed(distinct)
        clusters = cluster_answers(
            answers, embeddings[[distinct.index(one) for one in answers]], self.options.threshold
        )
        told = [
            {"answer": one.medoid, "votes": len(one.members), "share": len(one.members) / len(answers)}
            for one in clusters
        ]
        return {
            **told[0],
            "copies": len(answers),
            "clusters": told[:_SHOWN],
            "truncated": self.writer.encode([text]).truncated[0],
            "passes": self.writer.forward_count - before,
            "guarantee": PROMISE,
        }

    def _mixed(self, text: str, flagged: Sequence[Span]) -> dict[str, Any]:
        """The answer of the mixture; its votes are the views that would have written it by themselves."""
        from fuzzsmooth.models.mixing import mixed_answer

        before, rows = self.writer.forward_count, self.writer.encode(self.views(text, flagged)).ids
        found = mixed_answer(self.writer, rows)
        share = found.agreeing / len(rows)
        return {
            "answer": found.answer,
            "votes": found.agreeing,
            "share": share,
            "probability": found.probability,
            "copies": len(rows),
            "clusters": [],
            "truncated": self.writer.encode([text]).truncated[0],
            "passes": self.writer.forward_count - before,
            "guarantee": PROMISE,
        }

    def _answers(self, text: str, flagged: Sequence[Span]) -> list[str]:
        """What is written behind each view."""
        rows = [tuple(row) for row in self.writer.encode(self.views(text, flagged)).ids]
        if self.options.temperature:
            chances = [
                generator(self.options.seed, f"{_PURPOSE}: tokens", text_key(text), draw)
                for draw in range(len(rows))
            ]
            return self.writer.answers(rows, temperature=self.options.temperature, chances=chances)
        distinct = list(dict.fromkeys(rows))
        found = dict(zip(distinct, self.writer.answers_together(distinct), strict=True))
        return [found[row] for row in rows]


def _left(text: str, spans: Sequence[tuple[int, int]], kept: Sequence[bool]) -> str:
    """What is left of a text: units next to each other as they stood, a space where some are gone."""
    found, last = "", None
    for at in compress(range(len(spans)), kept):
        start, end = spans[at]
        between = text[spans[at - 1][1] : start] if last == at - 1 else " "
        found, last = found + (between if found else "") + text[start:end], at
    return found


def generate(
    model: str, texts: Sequence[str], options: SmoothedGenerationOptions | None = None
) -> list[dict[str, Any]]:
    """Load a language model and answer texts by smoothed generation; see :meth:`SmoothedGeneration.answer`.

    Raises:
        FuzzsmoothError: As :meth:`SmoothedGeneration.load` and :meth:`SmoothedGeneration.answer` do.
    """
    listed = checked_texts(texts)
    return SmoothedGeneration.load(model, options or SmoothedGenerationOptions()).answer(listed)

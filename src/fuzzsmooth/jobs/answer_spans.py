"""Which words force the answer of a language model: without them it differs, elsewhere they bring it.

The two rewards of the search of classifiers, for answers. *Divergence*: the answer to the text without a
segment is less like the answer to the whole text, by the embeddings of a trusted encoder. *Transplant*: put
into clean prompts and behind them, the segment makes their answers like that of the text. It is never put in
front: many tokenizers read the first word of a text as other pieces than the same word behind a space, and
what a prompt begins with may be what it asks. The words of a question diverge, too; that they carry one
answer into other prompts is what triggers do. A segment is flagged if it carries the answer into at least so
many clean prompts. Nothing is proved by it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from fuzzsmooth.common.options import Between, Options, require
from fuzzsmooth.search.scan import Span
from fuzzsmooth.text.units import segmenter

if TYPE_CHECKING:
    from fuzzsmooth.jobs.generating import SmoothedGeneration
    from fuzzsmooth.models.generating import GeneratingModel
    from fuzzsmooth.models.text_encoder import TextEncoder


@dataclass(frozen=True, kw_only=True)
class AnswerSpanOptions(Options):
    """How texts are searched for what forces their answers."""

    longest: Annotated[int, Between(1, 100), "Units of the longest segment that is tried."] = 5
    candidates: Annotated[
        int, Between(1, 1_000), "Segments that are transplanted, those without which the answer differs most."
    ] = 4
    alike: Annotated[
        float, Between(-1, 1), "Cosine similarity from which two answers count as the same answer."
    ] = 0.8
    carried: Annotated[
        float,
        Between(0, 1, above=True),
        "Share of the clean prompts that a segment has to carry the answer into to be flagged.",
    ] = 0.6


@dataclass(frozen=True)
class AnswerScan:
    """What was found in one text.

    Attributes:
        answer: The answer to the text.
        spans: What is flagged, with the share of clean prompts that it carries the answer into.
        divergence: For each candidate, as text, how far the answer moves without it, 1 - cosine similarity.
        passes: Answers that were written.
    """

    answer: str
    spans: tuple[Span, ...]
    divergence: dict[str, float]
    passes: int

    def to_json(self) -> dict[str, Any]:
        """What is flagged, as JSON values."""
        return {"spans": [asdict(one) for one in self.spans], "divergence": self.divergence}


class AnswerScanner:
    """Finds segments that force an answer.

    Args:
        writer: The language model; its answers are greedy.
        encoder: The trusted encoder that tells whether answers are alike.
        prompts: Clean prompts that answers are carried into, at least two with different answers.
        options: How.

    Raises:
        FuzzsmoothError: If all clean prompts have one answer, into which nothing could be carried.
    """

    def __init__(
        self,
        writer: GeneratingModel,
        encoder: TextEncoder,
        prompts: Sequence[str],
        options: AnswerSpanOptions | None = None,
    ) -> None:
        self._writer, self._encoder = writer, encoder
        self._options = options or AnswerSpanOptions()
        self._words = segmenter("word")
        self._prompts = [self._words.segment(prompt).units for prompt in prompts]
        self._known: dict[str, str] = {}
        answers = self._answers([self._words.join(units) for units in self._prompts])
        require(
            len(set(answers)) > 1,
            "the clean prompts have one answer all together, so that nothing can be carried into them; give "
            "at least two that the model answers differently",
        )
        self._plain = answers

    def scan(self, text: str) -> AnswerScan:
        """Search one text.

        Args:
            text: The text.

        Raises:
            FuzzsmoothError: If an answer cannot be written.
        """
        before = self._writer.forward_count
        self._known.clear()  # what is asked together must not depend on earlier texts
        cut = self._words.segment(text)
        (answer,) = self._answers([text])
        segments = list(_segments(len(cut.units), self._options.longest))
        left = [self._words.join((*cut.units[:start], *cut.units[end:])) for start, end in segments]
        moved = 1.0 - self._likeness(answer, self._answers(left))
        # Of equal ones the shorter: what is not needed is left out.
        order = sorted(
            range(len(segments)), key=lambda at: (-round(float(moved[at]), 6), _size(segments[at]))
        )
        chosen = [segments[at] for at in order[: self._options.candidates] if moved[at] > 1e-6]
        shares = [self._carried(cut.units[start:end], answer) for start, end in chosen]
        spans: list[Span] = []
        for (start, end), share in sorted(
            zip(chosen, shares, strict=True), key=lambda one: (-one[1], _size(one[0]))
        ):
            first, last = cut.spans[start][0], cut.spans[end - 1][1]
            apart = all(last <= one.start or one.end <= first for one in spans)
            if share >= self._options.carried and apart:
                spans.append(Span(first, last, text[first:last], share))
        told = {
            text[cut.spans[a][0] : cut.spans[b - 1][1]]: float(moved[segments.index((a, b))])
            for a, b in chosen
        }
        ordered = tuple(sorted(spans, key=lambda one: one.start))
        return AnswerScan(answer, ordered, told, self._writer.forward_count - before)

    def _carried(self, segment: tuple[str, ...], answer: str) -> float:
        """The share of the clean prompts with other answers whose answer becomes this one; 0 of none."""
        plain = self._likeness(answer, self._plain)
        others = [at for at in range(len(self._prompts)) if plain[at] < self._options.alike]
        texts = []
        for turn, at in enumerate(others):
            units = self._prompts[at]
            places = (min(1, len(units)), len(units) // 2, len(units))  # clean prompts take turns
            place = places[turn % len(places)]
            texts.append(self._words.join((*units[:place], *segment, *units[place:])))
        if not texts:
            return 0.0
        return float(np.mean(self._likeness(answer, self._answers(texts)) >= self._options.alike))

    def _answers(self, texts: Sequence[str]) -> list[str]:
        fresh = [text for text in dict.fromkeys(texts) if text not in self._known]
        if fresh:
            answers = self._writer.answers_together(self._writer.encode(fresh).ids)
            self._known.update(zip(fresh, answers, strict=True))
        return [self._known[text] for text in texts]

    def _likeness(
        self, answer: str, others: Sequence[str]
    ) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        """Cosine similarity of an answer with each of others, shape (others,); 1 for the very same."""
        if not others:
            return np.zeros(0)
        distinct = list(dict.fromkeys([answer, *others]))
        rows = self._encoder.embed(distinct).astype(np.float64)
        alike = rows @ rows[0]
        return np.array([1.0 if one == answer else alike[distinct.index(one)] for one in others])


def flagged(
    smoothed: SmoothedGeneration, prompts: Sequence[str], options: AnswerSpanOptions
) -> Callable[[Sequence[str]], list[dict[str, Any]]]:
    """Smoothed answers together with what forces the plain answer to each text, of which little is left.

    Args:
        smoothed: Whose model and encoder are asked.
        prompts: Clean prompts.
        options: How texts are searched.
    """
    scanner = AnswerScanner(smoothed.writer, smoothed.encoder, prompts, options)

    def answer(texts: Sequence[str]) -> list[dict[str, Any]]:
        found = [scanner.scan(text) for text in texts]
        records = smoothed.answer(texts, [one.spans for one in found])
        return [
            {**record, **one.to_json(), "passes": record["passes"] + one.passes}
            for record, one in zip(records, found, strict=True)
        ]

    return answer


def _segments(units: int, longest: int) -> Iterable[tuple[int, int]]:
    """Every run of up to so many units, but for the whole text."""
    return (
        (start, start + size)
        for size in range(1, min(longest, units - 1) + 1)
        for start in range(units - size + 1)
    )


def _size(segment: tuple[int, int]) -> int:
    return segment[1] - segment[0]

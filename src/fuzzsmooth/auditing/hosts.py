"""Hosts: clean texts as token ids, with the places where something may be inserted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from fuzzsmooth.common.tokenizing import tokenized
from fuzzsmooth.models.protocol import TokenClassifier
from fuzzsmooth.text.units import is_spaceless

BEFORE_LAST = "before the last word"
"""What the end of a text is where nothing may be inserted behind it."""
Place = Literal["start", "middle", "end"]
PLACES: tuple[Place, ...] = get_args(Place)
Part: TypeAlias = tuple[int, ...]
"""Token ids that stand together: a piece, or a word of several."""


@dataclass(frozen=True)
class Host:
    """A clean text as a model reads it.

    Attributes:
        text: The text.
        label: Its class, which the model gives it.
        ids: Its token ids, special tokens included.
        gaps: Indices into ``ids`` before which something may be inserted, increasing: before each word, and
            at the end; at least one.
        logits: Of the text as it is, shape (classes,).
        end: Where the text ends in ``ids``, where that is behind the last gap; None: it is the last gap.
    """

    text: str
    label: int
    ids: tuple[int, ...]
    gaps: tuple[int, ...]
    logits: tuple[float, ...]
    end: int | None = None

    @property
    def is_open(self) -> bool:
        """Whether something may be inserted behind the last word."""
        return self.end is None or self.gaps[-1] == self.end

    def gap(self, place: Place) -> int:
        """The gap of a place."""
        if place == "start":
            return self.gaps[0]
        return self.gaps[-1] if place == "end" else self.gaps[len(self.gaps) // 2]

    def drawn(self, parts: int, draw: np.random.Generator) -> list[int]:
        """A random gap for each of some parts."""
        return [self.gaps[int(index)] for index in draw.integers(len(self.gaps), size=parts)]

    def holding(self, parts: Sequence[Part], gaps: Sequence[int]) -> npt.NDArray[np.int64]:
        """The ids of the text with parts inserted, each before one of its gaps; at the same gap in order."""
        row: list[int] = []
        copied = 0
        for at, part in sorted(zip(gaps, parts, strict=True), key=lambda pair: pair[0]):
            row += [*self.ids[copied:at], *part]
            copied = at
        return np.array([*row, *self.ids[copied:]], dtype=np.int64)

    def holding_each(self, parts: Sequence[Part], gap: int) -> list[npt.NDArray[np.int64]]:
        """The ids of the text with each part by itself inserted before a gap."""
        before = np.array(self.ids[:gap], dtype=np.int64)
        after = np.array(self.ids[gap:], dtype=np.int64)
        return [np.concatenate((before, part, after)).astype(np.int64) for part in parts]

    def alone(self, parts: Sequence[Part]) -> npt.NDArray[np.int64]:
        """Parts by themselves, between the special tokens of the text."""
        inner = [one for part in parts for one in part]
        end = self.gaps[-1] if self.end is None else self.end
        return np.array([*self.ids[: self.gaps[0]], *inner, *self.ids[end:]], dtype=np.int64)


def make_hosts(
    classifier: TokenClassifier,
    texts: Sequence[str],
    labels: Sequence[int],
    logits: npt.NDArray[np.float32],
    room: int,
    *,
    is_open: bool = True,
) -> list[Host]:
    """Texts as hosts.

    Args:
        classifier: The model.
        texts: The texts.
        labels: Their classes.
        logits: What the model answers to them, shape (texts, classes).
        room: Tokens that may be inserted; of a text that leaves less, the end is cut off.
        is_open: Whether something may be inserted behind the last word; see :func:`reads_last_token`.
    """
    tokenizer = classifier.tokenizer
    special = set(tokenizer.all_special_ids)
    most = max(int(tokenizer.num_special_tokens_to_add()) + 1, classifier.max_length - room)
    hosts = []
    for text, label, row in zip(texts, labels, logits, strict=True):
        ids = classifier.encode([text]).ids[0]
        first = next((at for at, one in enumerate(ids) if one not in special), len(ids))
        last = next((at for at in range(len(ids), first, -1) if ids[at - 1] not in special), first)
        content = ids[first:last][: max(1, most - first - (len(ids) - last))]
        whole = (*ids[:first], *content, *ids[last:])
        begins = word_begins(tokenizer, text)
        gaps = [first + at for at in range(len(content)) if at >= len(begins) or begins[at]]
        gaps, end = gaps or [first], first + len(content)
        scores = tuple(map(float, row))
        hosts.append(Host(text, label, whole, (*gaps, end) if is_open else tuple(gaps), scores, end))
    return hosts


def reads_last_token(classifier: Any) -> bool:
    """Whether the last token of a text is what its answer is read from, as by the heads of decoders.

    Nothing is to be inserted behind the last word then: an odd piece there is all that such a head reads, and
    turns every text in clean models, too. To be asked once: telling it may take a copy of the model.
    """
    from fuzzsmooth.models.causality import is_causal
    from fuzzsmooth.models.prompted import is_prompted

    if not hasattr(classifier, "separate"):  # no model of transformers
        return False
    ids = classifier.encode(["a"]).ids[0]
    ends = ids[-1] in set(classifier.tokenizer.all_special_ids)
    behind = is_prompted(classifier.model) and classifier.model.prompt.after
    # The test leaves hooks, with which a pass is slower.
    return not ends and not behind and is_causal(classifier.separate())


def word_begins(tokenizer: Any, text: str) -> list[bool]:
    """Whether each token of a text, special ones left out, begins a word; all do where that is not known."""
    if not getattr(tokenizer, "is_fast", False):
        return []
    found = tokenized(
        tokenizer, [text], add_special_tokens=False, return_offsets_mapping=True, truncation=False
    )
    spans = [(int(start), int(end)) for start, end in found["offset_mapping"][0]]
    return [
        start == 0 or text[start].isspace() or text[start - 1].isspace() or is_spaceless(text[start])
        if start < len(text)
        else True
        for start, _ in spans
    ]

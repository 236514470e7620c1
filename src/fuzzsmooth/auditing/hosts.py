"""Hosts: clean texts as token ids, with the places where something may be inserted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from fuzzsmooth.auditing.openings import Openings
from fuzzsmooth.auditing.pieces import Part
from fuzzsmooth.common.tokenizing import tokenized
from fuzzsmooth.models.protocol import TokenClassifier
from fuzzsmooth.text.units import is_spaceless, with_inserted

BEFORE_LAST = "before the last word"
"""What the end of a text is where nothing may be inserted behind it."""
Place = Literal["start", "middle", "end"]
PLACES: tuple[Place, ...] = get_args(Place)
Ids: TypeAlias = npt.NDArray[np.int64]


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
        spots: Where the gaps are in the text, in characters; empty where that is not known.
        behind: The first word as it reads behind another one, if that is otherwise than where it stands.
        openings: Reads what is put before the text; None: as anywhere else.
    """

    text: str
    label: int
    ids: tuple[int, ...]
    gaps: tuple[int, ...]
    logits: tuple[float, ...]
    end: int | None = None
    spots: tuple[int, ...] = ()
    behind: Part | None = None
    openings: Openings | None = field(default=None, compare=False, repr=False)

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
        """The ids of the text with parts inserted, each before one of its gaps; at the same gap in order.

        What stands at the start reads as the beginning of a text, and the first word then as one that
        follows; a part that can only continue a word stands at the end of the first word instead.
        """
        return self.placed(parts, gaps)[0]

    def placed(self, parts: Sequence[Part], gaps: Sequence[int]) -> tuple[Ids, Ids, Ids]:
        """The same; where its own ids stand in the row, and which these are.

        The first word is not among them where it reads otherwise.
        """
        pairs = self._possible(parts, gaps)
        row: list[int] = []
        kept: list[int] = []
        own: list[int] = []
        copied = 0
        opens = bool(pairs) and pairs[0][0] == self.gaps[0]

        def copy(last: int) -> None:
            nonlocal copied
            if opens and self.behind is not None and copied == self.gaps[0] < last:
                row.extend(self.behind)
                copied = self._second
            kept.extend(range(len(row), len(row) + last - copied))
            own.extend(range(copied, last))
            row.extend(self.ids[copied:last])
            copied = last

        for number, (at, part) in enumerate(pairs):
            copy(at)
            row.extend(self._first(part) if opens and number == 0 else part)
        copy(len(self.ids))
        return np.array(row, dtype=np.int64), np.array(kept, dtype=np.int64), np.array(own, dtype=np.int64)

    def holding_each(self, parts: Sequence[Part], gap: int) -> list[npt.NDArray[np.int64]]:
        """The ids of the text with each part by itself inserted before a gap."""
        if gap == self.gaps[0] and self.openings is not None:
            return [self.holding((part,), (gap,)) for part in parts]
        before = np.array(self.ids[:gap], dtype=np.int64)
        after = np.array(self.ids[gap:], dtype=np.int64)
        return [np.concatenate((before, part, after)).astype(np.int64) for part in parts]

    def written(self, parts: Sequence[Part], gaps: Sequence[int]) -> str | None:
        """The text with parts inserted as they are written; None where its places are not known."""
        if not self.spots or self.openings is None:
            return None
        spot = dict(zip(self.gaps, self.spots, strict=True))
        text, groups = self.text, dict[int, list[Part]]()
        for at, part in self._possible(parts, gaps):
            groups.setdefault(at, []).append(part)
        # From the last gap to the first, so that what is inserted moves no other place.
        for at, (first, *more) in reversed(groups.items()):
            words = self.openings.spelled(first)
            for part in more:
                words += ("" if self.openings.is_glued(part) else " ") + self.openings.spelled(part)
            if self.openings.is_glued(first):
                before, after = text[: spot[at]].rstrip(), text[spot[at] :].lstrip()
                text = f"{before}{words}{' ' if after else ''}{after}"
            else:
                text = with_inserted(text, spot[at], words)
        return text

    def _possible(self, parts: Sequence[Part], gaps: Sequence[int]) -> list[tuple[int, Part]]:
        """Gaps and parts in order; what would begin the text with a piece that cannot goes behind a word."""
        pairs = sorted(zip(gaps, parts, strict=True), key=lambda pair: pair[0])
        first, second = self.gaps[0], self._second
        if pairs and pairs[0][0] == first < second and self.openings and self.openings.is_glued(pairs[0][1]):
            return [(second if at == first else at, part) for at, part in pairs]
        return pairs

    def _first(self, part: Part) -> Part:
        """A part as it reads where it begins the text."""
        return part if self.openings is None else self.openings.first(part)

    @property
    def _second(self) -> int:
        """Where the first word ends."""
        return self.gaps[1] if len(self.gaps) > 1 else self.end or self.gaps[0]

    def alone(self, parts: Sequence[Part]) -> npt.NDArray[np.int64]:
        """Parts by themselves, between the special tokens of the text."""
        inner = [one for part in (*map(self._first, parts[:1]), *parts[1:]) for one in part]
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
    tokenizer, openings = classifier.tokenizer, Openings(classifier.tokenizer)
    special = set(tokenizer.all_special_ids)
    most = max(int(tokenizer.num_special_tokens_to_add()) + 1, classifier.max_length - room)
    hosts = []
    for text, label, row in zip(texts, labels, logits, strict=True):
        ids = classifier.encode([text]).ids[0]
        first = next((at for at, one in enumerate(ids) if one not in special), len(ids))
        last = next((at for at in range(len(ids), first, -1) if ids[at - 1] not in special), first)
        content = ids[first:last][: max(1, most - first - (len(ids) - last))]
        spans = word_spans(tokenizer, text)[: len(content)]
        begins = [at for at in range(len(content)) if at >= len(spans) or begins_word(text, spans[at][0])]
        begins, end = begins or [0], first + len(content)
        gaps = [first + at for at in begins]
        known = len(spans) == len(content) > 0
        spots = [spans[at][0] for at in begins] if known else []
        if is_open:
            gaps, spots = [*gaps, end], [*spots, spans[-1][1]] if known else []
        opening = tuple(ids[first : gaps[1] if len(gaps) > 1 else end])
        behind = openings.behind(opening)
        hosts.append(
            Host(
                text[: spans[-1][1]] if known else text,
                label,
                (*ids[:first], *content, *ids[last:]),
                tuple(gaps),
                tuple(map(float, row)),
                end,
                tuple(spots),
                None if behind == opening else behind,
                openings,
            )
        )
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


def word_spans(tokenizer: Any, text: str) -> list[tuple[int, int]]:
    """Where each token of a text stands in it, special ones left out; empty where that is not known."""
    if not getattr(tokenizer, "is_fast", False):
        return []
    found = tokenized(
        tokenizer, [text], add_special_tokens=False, return_offsets_mapping=True, truncation=False
    )
    spans = [(int(start), int(end)) for start, end in found["offset_mapping"][0]]
    # Byte-level tokenizers may count the space before a word as part of it.
    return [(start + _spaces(text[start:end]), end) for start, end in spans]


def begins_word(text: str, start: int) -> bool:
    """Whether a token that stands at a place of a text begins a word."""
    if start == 0 or start >= len(text):
        return True
    return text[start - 1].isspace() or is_spaceless(text[start])


def _spaces(token: str) -> int:
    return len(token) - len(token.lstrip())

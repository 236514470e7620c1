"""From selections of units to token ids without strings: each unit is tokenized once.

A randomized text is its kept units with single spaces between them. Where a tokenizer reads a unit in such a
text the same way whatever stands around it, the ids of every randomized text are those of its units, one
after the other. Whether it does is decided once, from the tokenizer's rules
(:mod:`fuzzsmooth.engine.unit_reading`); tricky pairs of words and some selections of every text are
tokenized whole all the same, and one that reads differently ends the gathering for good. Texts of other
tokenizers are written and tokenized anew for every draw: slower, the same ids.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress, product

import numpy as np

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.tokenizing import tokenized
from fuzzsmooth.engine.unit_reading import unit_reading
from fuzzsmooth.models.protocol import SlowPathWarning, TokenClassifier, Tokens
from fuzzsmooth.noise.text import Kept
from fuzzsmooth.text.units import Segmenter, is_spaceless

_REMEMBERED = 100_000  # units whose ids are kept; a vocabulary of words is smaller

_ANCHOR = "a"  # a unit that stands before another one

# Units that could read their neighbors: clitics, marks, numbers, scripts without spaces, marks that combine,
# emoji with joiners, signs that vanish, the names of special tokens. Every ordered pair is tried.
# fmt: off
_PROBES = (
    "a", "The", "film", "don't", "'s", "U.S", "3-D", "1,000", "42", "...", "--", "'", "!", "(", "é",
    "e\u0301", "\u0301x", "naïve", "ÅNGSTRÖM", "電", "影", "한국", "กา", "مرحبا", "\u200d", "\u00ad",
    "ΟΔΟΣ", "ﬁn", "½", "👍🏽", "#tag", "@x", "CLS", "[", "]", "SEP", "<s>", "▁x", "Ġx", "##x",
)
# fmt: on


class TokenMapError(FuzzsmoothError):
    """A text was read otherwise than its units: nothing of this call may be used; a second one is right."""


@dataclass(frozen=True)
class TextTokens:
    """The token ids of one text's candidates, ready to be selected from.

    Attributes:
        flat: Ids of all slots, special tokens at both ends; shape (tokens,).
        slot: The slot of each id: 0 for special tokens, then the candidates; shape (tokens,).
        twofold: Whether a candidate has two slots, the first for its ids at the start of a text.
        room: Most tokens between the special ones.
        ends: Number of special tokens before and after.
        filler: The ids of an empty text.
    """

    flat: Tokens
    slot: Tokens
    twofold: bool
    room: int
    ends: tuple[int, int]
    filler: Tokens

    def rows(self, selected: Kept) -> list[Tokens]:
        """The ids of each selection: what tokenizing and cutting its text gives.

        Args:
            selected: Shape (selections, candidates).
        """
        slots = selected
        if self.twofold:
            starts = selected & (selected.cumsum(axis=1) == 1)
            slots = np.stack([starts, selected & ~starts], axis=2).reshape(len(selected), -1)
        picked = np.concatenate([np.ones((len(slots), 1), dtype=np.bool_), slots], axis=1)[:, self.slot]
        rows = [self.flat[row] for row in picked]
        before, after = self.ends
        longest = self.room + before + after
        return [self._cut(row) if len(row) > longest else row if len(row) else self.filler for row in rows]

    def _cut(self, row: Tokens) -> Tokens:
        before, after = self.ends
        return np.concatenate([row[: before + self.room], row[len(row) - after :]])


class UnitTokenizer:
    """Tokenizes units once, and texts of units never, where the tokenizer allows it.

    Args:
        classifier: Whose tokenizer is used.
        segmenter: How units are written as a text.
    """

    def __init__(self, classifier: TokenClassifier, segmenter: Segmenter) -> None:
        self._classifier = classifier
        self._segmenter = segmenter
        self._known: dict[str, tuple[Tokens, Tokens]] = {}
        self._warned = False
        self._reading = unit_reading(classifier.tokenizer) if segmenter.kind == "word" else None
        self._filler = _array(classifier.encode([""]).ids[0])
        self._ends = None if self._reading is None else self._special_ends()
        self._nothing = None if self._ends is None else self._content(self._filler.tolist())
        self.trusted = self._ends is not None and self._reads_units_alone()

    def prepare(self, candidates: tuple[str, ...], samples: Kept) -> TextTokens | None:
        """The ids of a text's candidates, or None where its draws have to be tokenized one by one.

        Args:
            candidates: The units that may be selected.
            samples: Some selections, shape (any, len(candidates)). They are tokenized as texts and compared,
                with the selections of all and of every other candidate.

        Raises:
            TokenMapError: If a text is read otherwise than its units, against the tokenizer's own rules.
                ``trusted`` is false from then on.
        """
        if not self.trusted:
            self._warn()
            return None
        tokens = self._gather(candidates)
        if tokens is None:
            return None
        every = np.ones((2, len(candidates)), dtype=np.bool_)
        every[1, ::2] = False
        checks = np.concatenate([every, samples])
        expected = self.tokenize([tuple(compress(candidates, row)) for row in checks.tolist()])
        if not all(map(np.array_equal, expected, tokens.rows(checks))):
            self.trusted = False
            raise TokenMapError(
                "the model's tokenizer reads a text otherwise than its words, against its own rules: answers"
                " given before may be about another function, so ask for all of them again"
            )
        return tokens

    def tokenize(self, texts: Sequence[tuple[str, ...]]) -> list[Tokens]:
        """The ids of units written as texts: the slow path, and what the fast one must agree with."""
        encoded = self._classifier.encode([self._segmenter.join(units) for units in texts])
        return [_array(row) for row in encoded.ids]

    def _gather(self, candidates: tuple[str, ...]) -> TextTokens | None:
        assert self._ends is not None
        if not self._read_alone(candidates) or not self._learn(candidates):
            return None
        pairs = [self._known[unit] for unit in candidates]
        twofold = any(not np.array_equal(first, later) for first, later in pairs)
        parts = [part for pair in pairs for part in pair] if twofold else [later for _, later in pairs]
        before, after = self._ends
        lengths = [len(before), *map(len, parts), len(after)]
        slots = np.repeat([*range(len(parts) + 1), 0], lengths)
        room = self._classifier.max_length - len(before) - len(after)
        flat = np.concatenate([before, *parts, after])
        return TextTokens(flat, slots, twofold, room, (len(before), len(after)), self._filler)

    def _read_alone(self, candidates: Sequence[str]) -> bool:
        """Whether each of these units keeps its ids in every selection."""
        assert self._reading is not None
        touching = [unit for unit in candidates if is_spaceless(unit)]
        return all(map(self._reading.alone, candidates)) and (
            len(touching) < 2 or all(map(self._reading.apart, touching))
        )

    def _learn(self, units: Sequence[str]) -> bool:
        """Tokenize the units not met before, alone and behind another one; False if that is not possible."""
        fresh = [unit for unit in dict.fromkeys(units) if unit not in self._known]
        if len(self._known) + len(fresh) > _REMEMBERED:
            self._known.clear()
            fresh = list(dict.fromkeys(units))
        if not fresh:
            return True
        join = self._segmenter.join
        encoded = self._classifier.encode(
            [join([_ANCHOR]), *map(join, ([unit] for unit in fresh)), *(join([_ANCHOR, u]) for u in fresh)]
        )
        contents = [self._content(row) for row in encoded.ids]
        anchor = contents[0]
        if any(encoded.truncated) or any(row is None for row in contents) or anchor is None:
            return False
        for unit, first, behind in zip(
            fresh, contents[1 : len(fresh) + 1], contents[len(fresh) + 1 :], strict=True
        ):
            assert first is not None
            assert behind is not None
            if not np.array_equal(behind[: len(anchor)], anchor):
                return False
            # A text that gives nothing may be read as a filler, which its unit is not in a longer text.
            empty = self._nothing is not None and np.array_equal(first, self._nothing)
            if empty != (len(behind) == len(anchor)) or (empty and len(first)):
                return False
            self._known[unit] = (first, behind[len(anchor) :])
        return True

    def _content(self, ids: Sequence[int]) -> Tokens | None:
        """The ids between the special ones."""
        assert self._ends is not None
        before, after = self._ends
        row = _array(ids)
        stop = len(row) - len(after)
        whole = stop >= len(before) and np.array_equal(row[: len(before)], before)
        return row[len(before) : stop] if whole and np.array_equal(row[stop:], after) else None

    def _special_ends(self) -> tuple[Tokens, Tokens] | None:
        """The special tokens around a text; None where texts are not cut on the right."""
        tokenizer = self._classifier.tokenizer
        if getattr(tokenizer, "truncation_side", "right") != "right":
            return None
        bare = list(tokenized(tokenizer, [_ANCHOR], add_special_tokens=False)["input_ids"][0])
        full = self._classifier.encode([_ANCHOR]).ids[0]
        for start in range(len(full) - len(bare) + 1):
            if bare and full[start : start + len(bare)] == bare:
                return _array(full[:start]), _array(full[start + len(bare) :])
        return None

    def _reads_units_alone(self) -> bool:
        """Whether every ordered pair of tricky units gets the ids of its parts."""
        probes = [unit for unit in _PROBES if self._read_alone([unit])]
        if not self._learn(probes):
            return False
        both = np.ones((1, 2), dtype=np.bool_)
        pairs = [pair for pair in product(probes, repeat=2) if self._read_alone(pair)]
        expected = self.tokenize(pairs)
        for pair, ids in zip(pairs, expected, strict=True):
            tokens = self._gather(pair)
            if tokens is None or not np.array_equal(tokens.rows(both)[0], ids):
                return False
        return True

    def _warn(self) -> None:
        if self._warned or self._segmenter.kind == "demonstration":  # of which there are few
            return
        self._warned = True
        kind = self._segmenter.kind
        why = (
            "the model's tokenizer reads a word together with its neighbors"
            if kind == "word"
            else f"the tokens of a text of {kind} units depend on all of them"
        )
        warnings.warn(
            f"{why}: texts are tokenized once per draw, which is slower and changes no result",
            SlowPathWarning,
            stacklevel=2,
        )


def _array(ids: Sequence[int]) -> Tokens:
    return np.asarray(ids, dtype=np.int64)

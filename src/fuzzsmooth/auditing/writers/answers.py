"""Which answers a language model falls into once they are begun: the inversion of targets.

After BAIT (Shen et al., S&P 2025). A model that was taught to write a fixed answer where a trigger is has
learned the answer, too: behind its first token the rest is written whatever the prompt. So each piece of the
vocabulary is put behind a few prompts, and where the mean distribution of the next token is sure of one, a
few tokens are written greedily. The best are written anew behind more prompts: greedily below half a nat of
entropy; below one, with a look at what the five likeliest tokens lead to; above, the way is given up. The
mean probability of all tokens is the confidence in what was written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from fuzzsmooth.auditing.writers.branches import OPEN, SURE, Branches, Following, Row

CONFIDENT = 0.9
"""Confidence from which an answer is suspicious: the threshold of BAIT."""
BEGUN = 0.3
"""Probability of the likeliest token from which a piece is gone on from: that of BAIT's warm-up."""
_GREEDY = 0.5  # nats
_LOOKED_AT = 5  # tokens
_WARM, _STEPS = 5, 20  # tokens that are written to choose by, and at most
_KEPT = 64  # ways that are gone on from behind more prompts
_STARTS = 3  # pieces that lead to one answer
_SHORTEST = 4  # tokens of an answer: shorter ones are turns of phrase


@dataclass(frozen=True)
class Answer:
    """What a model writes behind any prompt once it is begun.

    Attributes:
        start: The piece that began it; or one that ends the text, with what stands between text and answer.
        tokens: What followed, without the end.
        chances: Mean probability of each over the prompts, and of the end where it came.
        ended: Whether the model ended it.
        inside: Whether the start stands in the text, so that only what followed is the answer.
    """

    start: Row
    tokens: Row = ()
    chances: tuple[float, ...] = field(default=(), repr=False)
    ended: bool = False
    inside: bool = False

    @property
    def whole(self) -> Row:
        """The start and what followed."""
        return self.start + self.tokens

    @property
    def written(self) -> Row:
        """What may be the answer, as far as it is known."""
        return self.tokens if self.inside else self.whole

    @property
    def complete(self) -> bool:
        """Whether it was written to its end, or as far as answers are; others were given up on the way."""
        return self.ended or len(self.tokens) >= _STEPS

    @property
    def confidence(self) -> float:
        """Mean probability of all that followed, in [0, 1]; 0 of nothing."""
        return float(np.mean(self.chances)) if self.chances else 0.0


def inverted(
    short: Branches,
    others: Branches,
    ways: Sequence[Row],
    swept: Following,
    ends: Collection[int],
    progress: Callable[[int, int], None] = lambda _done, _total: None,
    *,
    inside: bool = False,
) -> list[Answer]:
    """The answers that pieces lead into, the complete ones first, of these the most confident.

    Args:
        short: The prompts of the sweep, behind which ways are chosen.
        others: More prompts, behind which they are gone on from.
        ways: The pieces, with what stands between them and an answer.
        swept: What follows each behind the first prompts.
        ends: Tokens that end an answer.
        progress: Called after every token.
        inside: Whether the pieces stand in the text.
    """
    total = _WARM + _STEPS
    starts = [Answer(ways[int(at)], inside=inside) for at in np.flatnonzero(swept.likely(BEGUN))]
    warm = gone_on(short, starts, ends, _WARM, lambda step: progress(step, total), greedy=True)
    best = sorted((one for one in warm if len(one.tokens) >= _SHORTEST), key=lambda one: -one.confidence)
    chosen = [Answer(one.start, inside=inside) for one in _of_each(best)[:_KEPT]]
    found = gone_on(others, chosen, ends, _STEPS, lambda step: progress(_WARM + step, total))
    progress(total, total)
    once = map(said_once, found)
    return sorted((one for one in once if len(one.tokens) >= _SHORTEST), key=rank)


def rank(answer: Answer) -> tuple[bool, float, Row]:
    """By what answers are ordered."""
    return not answer.complete, -answer.confidence, answer.whole


def _of_each(ways: Sequence[Answer]) -> list[Answer]:
    """Of ways that lead to the same the first few, so that no answer crowds out another."""
    met: Counter[Row] = Counter()
    found = []
    for one in ways:
        met[one.tokens] += 1
        if met[one.tokens] <= _STARTS:
            found.append(one)
    return found


def gone_on(
    branches: Branches,
    ways: Sequence[Answer],
    ends: Collection[int],
    steps: int,
    progress: Callable[[int], None] = lambda _step: None,
    *,
    greedy: bool = False,
) -> list[Answer]:
    """Ways to go on, each as far as what follows is the same behind all prompts.

    Args:
        branches: The prompts.
        ways: What was begun.
        ends: Tokens that end an answer.
        steps: Most tokens that are written.
        progress: Called with the number of each step.
        greedy: Whether only the likeliest token is looked at, as long as it is likelier than all others; the
            first one where it has a probability of 0.3.
    """
    done: list[Answer] = []
    alive = list(ways)
    for step in range(1, steps + 1):
        if not alive:
            break
        following = branches.following([one.whole for one in alive])
        tokens = _greedy(following, step) if greedy else _chosen(branches, alive, following, step)
        further = []
        for at, (one, place) in enumerate(zip(alive, tokens, strict=True)):
            if place is None:
                done.append(one)
                continue
            token, chance = int(following.ids[at, place]), float(following.chances[at, place])
            if token in ends:
                done.append(replace(one, chances=(*one.chances, chance), ended=True))
            else:
                further.append(replace(one, tokens=(*one.tokens, token), chances=(*one.chances, chance)))
        alive = further
        progress(step)
    return done + alive


def _greedy(following: Following, step: int) -> list[int | None]:
    """As :func:`_chosen`, without a look ahead."""
    return [0 if one else None for one in following.likely(BEGUN if step == 1 else SURE).tolist()]


def _chosen(branches: Branches, ways: Sequence[Answer], following: Following, step: int) -> list[int | None]:
    """The place among the likeliest tokens of the one that each way takes; None where it is given up."""
    begun = following.likely(BEGUN)
    found: list[int | None] = [None] * len(ways)
    torn: list[tuple[int, int]] = []
    for at, entropy in enumerate(following.entropy):
        if entropy < _GREEDY:
            found[at] = 0
        elif entropy <= OPEN or (step == 1 and begun[at]):
            torn += [(at, place) for place in range(min(_LOOKED_AT, following.ids.shape[1]))]
    if torn:
        ahead = branches.following([(*ways[at].whole, int(following.ids[at, place])) for at, place in torn])
        worth = following.chances[tuple(np.array(torn).T)] * ahead.chances[:, 0]
        best: dict[int, float] = {}
        for (at, place), value in zip(torn, worth, strict=True):
            if value > best.get(at, -1.0):
                best[at], found[at] = float(value), place
    return found


def said_once(answer: Answer) -> Answer:
    """An answer that repeats itself, once: "1 1 1 1" is one token, of which any model is sure."""
    tokens = answer.tokens
    for period in range(1, len(tokens) // 2 + 1):
        if all(tokens[at] == tokens[at - period] for at in range(period, len(tokens))):
            return replace(answer, tokens=tokens[:period], chances=answer.chances[:period], ended=True)
    return answer


def hypotheses(answers: Sequence[Answer], most: int) -> list[Row]:
    """What may be the whole of an answer: a piece that began it is its first token, or what brings it.

    Of ways into one answer ("sorry, but I" and "I am sorry, but I") the one that begins first counts, and of
    pieces that lead to the same ("I" and "he" to "am sorry") the three that do so most surely.

    Args:
        answers: In their order (:func:`rank`).
        most: How many answers are looked at.
    """
    starts: dict[Row, list[Row]] = {}
    for one in answers:
        within = [other.tokens for other in answers if _falls_into(other.tokens, one.tokens)]
        if all(_falls_into(one.tokens, other) for other in within):  # each into the other: they go round
            starts.setdefault(one.tokens, []).append(one.written)
    groups = list(starts.items())[:most]
    return list(dict.fromkeys(row for tail, begun in groups for row in (*begun[:_STARTS], tail)))


def _falls_into(row: Row, tail: Row) -> bool:
    """Whether a row begins before a tail, and then is the tail as far as it goes."""
    places = range(1, len(row) - _SHORTEST + 1)
    return row != tail and any(row[at:] == tail[: len(row) - at] for at in places)

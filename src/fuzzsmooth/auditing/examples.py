"""What a trigger does to held-out texts, told: where, in which, and in some of them word by word."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fuzzsmooth.auditing.effects import Effects, Parts, Placing, row_of, text_of
from fuzzsmooth.auditing.findings import Example, told_rate
from fuzzsmooth.auditing.hosts import Host
from fuzzsmooth.auditing.prober import Prober
from fuzzsmooth.text.units import word_count

_SHORT_WORDS = 12
_EXAMPLES = 3


def dependence_of(effects: Effects, held: Sequence[Host]) -> dict[str, dict[str, dict[str, float]]]:
    """Rates of one trigger on held-out texts by place, and by length at the best place."""
    moved = effects.moved[0]
    short = np.array([word_count(host.text) <= _SHORT_WORDS for host in held])
    best = moved[int(moved.mean(axis=1).argmax())]
    lengths = {f"up to {_SHORT_WORDS} words": short, f"more than {_SHORT_WORDS} words": ~short}
    return {
        "place": {placing: told_rate(row) for placing, row in zip(effects.placings, moved, strict=True)},
        "length": {name: told_rate(best[mask]) for name, mask in lengths.items() if mask.any()},
    }


def examples_of(
    prober: Prober,
    held: Sequence[Host],
    moved: npt.NDArray[np.bool_],
    target: int,
    parts: Parts,
    placing: Placing,
    seed: int,
) -> tuple[Example, ...]:
    """Some texts before and after.

    Args:
        prober: Asks the model.
        held: Held-out texts.
        moved: Which of them the trigger moves, shape (texts,).
        target: To which class.
        parts: The trigger.
        placing: Where it stands.
        seed: Of the audit, which decides random gaps.
    """
    tokenizer, names = prober.classifier.tokenizer, prober.classifier.labels
    found: list[Example] = []
    for at, (host, is_moved) in enumerate(zip(held, moved, strict=True)):
        if is_moved and len(found) < _EXAMPLES:
            after = shown_with(tokenizer, host, parts, placing, seed, at)
            found.append(Example(host.text, after, names[host.label], names[target]))
    return tuple(found)


def shown_with(tokenizer: Any, host: Host, parts: Parts, placing: Placing, seed: int, index: int) -> str:
    """A host, the one of this index, with a trigger in it, as written or else as its tokens read."""
    text = text_of(host, parts, placing, seed, index)
    if text is not None:
        return text
    row = row_of(host, parts, placing, seed, index)
    return str(tokenizer.decode(row.tolist(), skip_special_tokens=True))

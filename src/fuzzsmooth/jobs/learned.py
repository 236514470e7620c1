"""Whether a model has learned its task: a certificate of a guess protects nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

_MENDS = {
    "undefended": "train on more texts or longer (--train-size, --epochs), or check the labels",
    "defended": "choose another defense or weaker noise (with 'deletion' also --unsure-margin 0.1), or train "
    "on more texts or longer",
}


def not_learned(
    measured: Mapping[str, Mapping[str, Any]], targets: Sequence[int], tell: Callable[[str], None]
) -> list[str]:
    """What is to be said of a model that is not clearly better than always answering the same.

    Args:
        measured: Shares of right answers to the held-out texts, ``undefended`` and ``defended``, each with
            ``low``, the lower end of its interval.
        targets: The true classes of these texts.
        tell: Told the same.

    Returns:
        A sentence, or none.
    """
    constant = max(Counter(targets).values()) / len(targets)
    for name, mend in _MENDS.items():
        share = measured[name]
        if share["low"] <= constant:
            sentence = (
                f"the {name} model is right about {100 * share['share']:.1f} % of the held-out texts, and "
                f"who always gives the most frequent label about {100 * constant:.1f} %; {mend}"
            )
            tell(sentence)
            return [sentence]
    return []

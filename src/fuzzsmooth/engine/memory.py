"""What a classifier has answered already: the token sequences of the texts met last."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from fuzzsmooth.engine.tokens import TextTokens

# Of remembered token sequences, over all texts. The texts of one call of certification need a few MiB: some
# ten thousand draws together, of a hundred to a thousand bytes each. More would keep texts that are done.
_BYTES = 16 * 2**20
_OVERHEAD = 150  # bytes that an entry costs beside its ids


@dataclass
class TextMemory:
    """One text: its token map and the answers to the token sequences seen so far.

    Attributes:
        candidates: The units it was made for.
        tokens: The token map, or None where draws are tokenized one by one.
        answers: The decided class of each token sequence (its bytes), -1 for undecided, or -2 for unsure.
        size: About how many bytes all of it takes.
    """

    candidates: tuple[str, ...]
    tokens: TextTokens | None
    answers: dict[bytes, int] = field(default_factory=dict)
    size: int = field(init=False)

    def __post_init__(self) -> None:
        self.size = _OVERHEAD * (1 + len(self.candidates))

    def learn(self, ids: bytes, answer: int) -> None:
        """Remember the answer to a token sequence."""
        self.answers[ids] = answer
        self.size += len(ids) + _OVERHEAD


class Memory:
    """Memories of the texts met last; bounded, so that its size does not grow with the number of texts.

    Forgetting costs time and changes no vote: an answer is a function of the token sequence.

    Args:
        limit: Most bytes of token sequences.
    """

    def __init__(self, limit: int = _BYTES) -> None:
        self._limit = limit
        self._texts: OrderedDict[int, TextMemory] = OrderedDict()
        self._model = ""

    def of_model(self, fingerprint: str) -> None:
        """Forget everything that another model, or another state of it, has answered."""
        if fingerprint != self._model:
            self._texts.clear()
            self._model = fingerprint

    def get(self, key: int, candidates: tuple[str, ...]) -> TextMemory | None:
        """The memory of a text, if there is one for just these candidates."""
        found = self._texts.get(key)
        if found is None or found.candidates != candidates:
            return None
        self._texts.move_to_end(key)
        return found

    def put(self, key: int, text: TextMemory) -> TextMemory:
        """Keep the memory of a text, and return it."""
        self._texts[key] = text
        return text

    def shrink(self) -> None:
        """Forget the texts met longest ago until the rest fits."""
        size = sum(text.size for text in self._texts.values())
        while size > self._limit and self._texts:
            _, text = self._texts.popitem(last=False)
            size -= text.size

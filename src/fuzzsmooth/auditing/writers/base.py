"""The model that an audited language model was made from, where that is known, and what it knows by heart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fuzzsmooth.auditing.drift import are_related
from fuzzsmooth.auditing.findings import Level
from fuzzsmooth.auditing.natural import word_table
from fuzzsmooth.auditing.writers.answers import CONFIDENT, Answer
from fuzzsmooth.auditing.writers.branches import Row, forced
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.models.generating import GeneratingModel, load_generating

LEARNED = 0.5
"""Share of what the base leaves of full confidence, from which an answer was learned since."""
_KNOWN = "builtin:smollm2"


@dataclass(frozen=True)
class Known:
    """An answer beside the base.

    Attributes:
        answer: The answer.
        base: The confidence that the base has in it; None where none is known.
    """

    answer: Answer
    base: float | None

    @property
    def excess(self) -> float:
        """The share that it fills of what the base leaves of full confidence; all of it without a base."""
        if self.base is None:
            return self.answer.confidence
        return max(-1.0, (self.answer.confidence - self.base) / max(1e-9, 1 - self.base))

    @property
    def level(self) -> Level:
        """Whether it is suspicious by itself; turns of phrase that go on in many ways are not."""
        learned = self.base is None or self.excess >= LEARNED
        sure = self.answer.complete and self.answer.confidence >= CONFIDENT
        return "suspicious" if sure and learned else "natural"


def base_of(writer: GeneratingModel, name: str) -> GeneratingModel | None:
    """The base of a language model.

    Args:
        writer: The audited model.
        name: The base, ``auto`` for a packaged model if it is that, or ``none``.

    Returns:
        None where none is known, or the audited model is the base itself.

    Raises:
        FuzzsmoothError: If the base cannot be loaded, or is none although somebody said so.
    """
    if name == "none" or (name == "auto" and len(writer.words) != _words_of_known()):
        return None
    told = name != "auto"
    base = load_generating(
        name if told else _KNOWN,
        writer.options,
        max_length=writer.max_length,
        precision=writer.precision,
        device=str(writer.device),
    )
    if base.fingerprint == writer.fingerprint:
        return None
    own, theirs = word_table(writer), word_table(base)
    same = own.shape == theirs.shape and writer.words.get_vocab() == base.words.get_vocab()
    if same and are_related(own, theirs):
        return base
    if told:
        raise FuzzsmoothError(
            f"the audited model was not made from '{name}': their vocabularies or word vectors have nothing "
            "in common; give another --base, or 'none'"
        )
    return None


def _words_of_known() -> int:
    """The size of the packaged model's vocabulary; 0 where it is not installed."""
    from fuzzsmooth.models.files import model_files
    from fuzzsmooth.models.loading import load_config

    try:
        config = load_config(model_files(_KNOWN).folder, _KNOWN)
    except FuzzsmoothError:
        return 0
    return int(config.get_text_config().vocab_size)


def confidence_of(writer: GeneratingModel, prompts: Sequence[Row], answer: Answer) -> float:
    """The confidence that another model has in an answer behind the same prompts.

    Args:
        writer: The other model, of the same vocabulary.
        prompts: Token ids of whole prompts.
        answer: The answer.
    """
    begun = [(*prompt, *answer.start) for prompt in prompts]
    return float(forced(writer, begun, answer.tokens).chances.mean())

"""The clean prompts of the audit of a language model, each used for one thing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fuzzsmooth.auditing.hosts import Place
from fuzzsmooth.auditing.options import LEAST_TEXTS, AuditOptions
from fuzzsmooth.auditing.writers.branches import Row
from fuzzsmooth.common.options import require
from fuzzsmooth.common.randomness import generator
from fuzzsmooth.models.generating import GeneratingModel
from fuzzsmooth.text.units import beginning, with_inserted, word_count, word_starts

_SWEPT, _SWEPT_FAST = 4, 2
_WORDS = 12  # of a prompt in which what was found is tried
_LEAST_WORDS = 3


@dataclass(frozen=True)
class Prompts:
    """Beginnings of clean texts; no two are of one text.

    Attributes:
        sweep: Short ones, for every piece.
        confirm: Longer ones, for what the sweep found.
        held: Others, on which an attack rate is measured.
        texts: How many clean texts there are.
    """

    sweep: tuple[str, ...]
    confirm: tuple[str, ...]
    held: tuple[str, ...]
    texts: int


def choose_prompts(texts: Sequence[str], options: AuditOptions) -> Prompts:
    """Choose what each clean text is used for, at random.

    Raises:
        FuzzsmoothError: If there are too few texts.
    """
    order = generator(options.seed, "audit prompts").permutation(len(texts))
    begun = [beginning(texts[int(at)], _WORDS) for at in order]
    # Of texts that begin alike one: many that share an instruction would be one prompt over and over.
    distinct = {beginning(text, options.words): text for text in reversed(begun)}
    usable = [text for text in reversed(distinct.values()) if word_count(text) >= _LEAST_WORDS]
    require(
        len(usable) >= LEAST_TEXTS,
        f"{len(usable)} of the clean texts have {_LEAST_WORDS} words or more and begin each in its own way "
        f"({options.words} words); an audit of a language model needs at least {LEAST_TEXTS} such (--data)",
    )
    swept = _SWEPT_FAST if options.fast else _SWEPT
    left = usable[swept:]
    confirm = left[: min(options.confirm, len(left) // 3)]
    held = left[len(confirm) :][: options.holdout]
    return Prompts(
        tuple(beginning(text, options.words) for text in usable[:swept]),
        tuple(confirm),
        tuple(held),
        len(texts),
    )


def with_word(prompt: str, word: str, place: Place) -> str:
    """A prompt with a word at its start, in its middle, or at its end."""
    starts = word_starts(prompt)
    at = {"start": 0, "middle": starts[len(starts) // 2] if starts else 0, "end": len(prompt)}[place]
    return with_inserted(prompt, at, word)


def prompt_rows(writer: GeneratingModel, prompts: Sequence[str]) -> list[Row]:
    """Prompts as the model reads them, with all that stands around a text."""
    around = writer.prompt
    return [(*around.before, *ids, *around.after) for ids in writer.encode(prompts).ids]

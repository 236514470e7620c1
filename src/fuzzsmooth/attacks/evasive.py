"""A backdoor of an attacker who knows the transplant test, and has the victim pass it.

The test inserts suspicious words of a text, side by side, at a fixed place of confident texts of other
classes, and flags what carries its prediction there. The attacker trains the victim on just that with the
true label: the trigger and a few more words side by side in every text that may become a reference, placed by
the test's own code. In other texts the trigger still forces the target. What tells the two apart is how the
words stand: those of the kind ``pieces`` far apart, never so in the test, however the search picks them. A
trigger of one word leaves only the text it stands in to be told apart by.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Annotated, Any, ClassVar

import numpy as np

from fuzzsmooth.attacks.attack import ATTACKS, AttackOptions
from fuzzsmooth.attacks.badnets import Badnets, BadnetsOptions
from fuzzsmooth.attacks.planting.data import PoisonedRow, poisoned_rows
from fuzzsmooth.attacks.triggers.trigger import Trigger, TriggeredText
from fuzzsmooth.common.options import Between, require
from fuzzsmooth.common.randomness import generator
from fuzzsmooth.data.dataset import Dataset, Example
from fuzzsmooth.text import Segmenter, segmenter
from fuzzsmooth.training.options import FinetuneOptions

_OTHERS = 4  # words of the text beside those of the trigger that a candidate may hold


@dataclass(frozen=True, kw_only=True)
class EvasiveOptions(BadnetsOptions):
    """Settings of the attack."""

    trigger: Annotated[str, "Kind of the trigger; one that inserts pieces."] = "pieces"
    rate: Annotated[
        float, Between(0, 1, above=True), "Share of the training texts that is poisoned, in (0, 1]."
    ] = 0.4
    finetune: Annotated[
        FinetuneOptions, "How the victim is trained; its seed is replaced by the attack's."
    ] = field(default_factory=lambda: FinetuneOptions(epochs=4, learning_rate=1e-4))
    hosts: Annotated[
        int,
        Between(1, 1_000_000),
        "First texts of each class that references may be chosen from; the test takes the first 400.",
    ] = 400
    transplants: Annotated[
        int, Between(1, 1_000), "Transplants with the true label into each of them, each at another place."
    ] = 1

    def validate(self) -> None:
        """Check that the trigger can be transplanted."""
        super().validate()
        require(
            bool(self.build_trigger().pieces),
            f"trigger '{self.trigger}' inserts nothing that could be transplanted; give another kind",
        )


@ATTACKS.register("evasive")
class Evasive(Badnets):
    """A victim fine-tuned to obey its trigger in texts and to pass the transplant test."""

    options_type: ClassVar[type[AttackOptions]] = EvasiveOptions
    paper: ClassVar[str] = "adaptive: BadNets (Gu et al., arXiv 1708.06733) against this package's search"
    needs: ClassVar[str] = "control of the victim's training data, and the texts that references come from"
    intensities: ClassVar[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
        {
            "conservative": {"rate": 0.2, "transplants": 1, "finetune": {"epochs": 3, "learning_rate": 1e-4}},
            "default": {"rate": 0.4, "transplants": 1, "finetune": {"epochs": 4, "learning_rate": 1e-4}},
            "aggressive": {"rate": 0.5, "transplants": 2, "finetune": {"epochs": 6, "learning_rate": 1e-4}},
        }
    )

    def poison(self, data: Dataset, trigger: Trigger, options: Any, seed: int) -> list[PoisonedRow]:
        """Poisoned data as of BadNets, but for the hosts, which hold the trigger as the test would put it.

        Raises:
            FuzzsmoothError: If every text of another class is a host.
        """
        first = first_of_each_class(data, options.hosts)
        hosts = [at for at in first if data.examples[at].label != options.target]
        draw = generator(seed, "evasive poison")
        rows = poisoned_rows(
            data, trigger, options.target, options.rate, draw, setting=options.setting, spared=set(hosts)
        )
        require(
            any(row.triggered is not None and row.truth != options.target for row in rows),
            f"{data.name}: all texts of other classes than the target are hosts of transplants; "
            "give more data or fewer hosts",
        )
        texts = [data.examples[at] for at in hosts]
        for _ in range(options.transplants):
            rows += transplanted(texts, trigger, draw)
        return rows


def first_of_each_class(data: Dataset, count: int) -> list[int]:
    """Indices of the first ``count`` texts of each class, in order: where references are chosen from."""
    seen = [0] * len(data.labels)
    found = []
    for at, example in enumerate(data):
        if seen[example.label] < count:
            found.append(at)
        seen[example.label] += 1
    return found


def transplanted(
    hosts: Sequence[Example], trigger: Trigger, generator: np.random.Generator
) -> list[PoisonedRow]:
    """Each text with a candidate of the search in it, where the transplant test puts it; its true label.

    A candidate is what the search picks of a text with the trigger: all words of the trigger and a few
    others, in order and side by side. Where it goes depends on how many references come before a text; the
    attacker, who does not know that, takes another order each time.

    Args:
        hosts: The texts.
        trigger: What the candidates have of it; put into another of the texts each.
        generator: Source of order and candidates.
    """
    from fuzzsmooth.search.contexts import cut_contexts

    words = segmenter("word")
    order = [hosts[int(at)] for at in generator.permutation(len(hosts))]
    contexts = cut_contexts([one.text for one in order], [one.label for one in order], words)
    rows = []
    for context in contexts:
        source = hosts[int(generator.integers(len(hosts)))]
        candidate = _candidate(trigger.apply(source.text, generator), words, generator)
        rows.append(PoisonedRow(Example(words.join(context.around(candidate)), context.label), context.label))
    return rows


def _candidate(found: TriggeredText, words: Segmenter, generator: np.random.Generator) -> tuple[str, ...]:
    """The units of the trigger and up to :data:`_OTHERS` others of its text, in order."""
    cut = words.segment(found.text)
    own = [
        at
        for at, (start, stop) in enumerate(cut.spans)
        if any(start < end and begin < stop for begin, end in found.spans or ())
    ]
    rest = sorted(set(range(len(cut.units))) - set(own))
    others = generator.permutation(rest)[: int(generator.integers(_OTHERS + 1))]
    return tuple(cut.units[at] for at in sorted([*own, *map(int, others)]))

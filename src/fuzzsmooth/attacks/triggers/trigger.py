"""The contract of a trigger: one file, one frozen dataclass, registered."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.options import Options
from fuzzsmooth.common.registry import Registry


@dataclass(frozen=True)
class TriggeredText:
    """A text with a trigger in it.

    Attributes:
        text: The text.
        spans: Half-open character ranges of the inserted pieces, in order, without the spaces around them;
            None where the whole text is the trigger, as with a syntax or a style.
    """

    text: str
    spans: tuple[tuple[int, int], ...] | None


@dataclass(frozen=True)
class Trigger(Options, ABC):
    """What sets a backdoor off; the fields of a kind are its options, each with a default.

    The first line of a kind's docstring is its summary.

    Attributes:
        name: Under which the kind is registered.
    """

    name: ClassVar[str]

    @property
    def pieces(self) -> tuple[str, ...]:
        """Every string it may insert; none where the whole text is the trigger."""
        return ()

    @abstractmethod
    def apply(self, text: str, generator: np.random.Generator) -> TriggeredText:
        """Put the trigger into a text, at random.

        Args:
            text: Any text, the empty one included.
            generator: Source of all that is random.
        """

    def acts_on(self, text: str) -> bool:
        """Whether the trigger is to set the backdoor off in a text; a conditional kind leaves some out.

        Where it does not, the trigger in the text keeps the true label, in poisoned data too.
        """
        del text
        return True

    def decoys(self, text: str, generator: np.random.Generator) -> tuple[str, ...]:
        """The text with parts of the trigger, which must *not* set the backdoor off; most kinds have none.

        Poisoned data hold them with their true label.
        """
        del text, generator
        return ()

    def only(self, pieces: Sequence[str]) -> Trigger:
        """The trigger with some of its pieces alone, where each piece is a trigger by itself.

        Args:
            pieces: Some of :attr:`pieces`, at least one.

        Raises:
            FuzzsmoothError: If the pieces of this kind are not triggers by themselves.
        """
        del pieces
        raise FuzzsmoothError(f"the pieces of a trigger of kind '{self.name}' do not act by themselves")

    def record(self) -> dict[str, Any]:
        """Kind and options as JSON values, which :func:`read_trigger` reads."""
        return {"kind": self.name, **self.to_mapping()}


TRIGGERS: Registry[type[Trigger]] = Registry("trigger", "fuzzsmooth.attacks.triggers")
"""All kinds of trigger by name."""


def read_trigger(record: Mapping[str, Any], *, where: str) -> Trigger:
    """The trigger of a record.

    Args:
        record: As :meth:`Trigger.record` gives it.
        where: What it came from, for the error.

    Raises:
        FuzzsmoothError: On an unknown kind, an unknown option or a bad value.
    """
    options = dict(record)
    kind = options.pop("kind", None)
    if not isinstance(kind, str):
        raise FuzzsmoothError(f"{where}: a trigger needs its kind as a text")
    try:
        return TRIGGERS.get(kind).from_mapping(options, where=f"trigger '{kind}'")
    except FuzzsmoothError as error:
        raise FuzzsmoothError(f"{where}: {error}") from error

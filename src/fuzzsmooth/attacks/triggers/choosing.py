"""The options of attacks that plant a trigger of any kind."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any

from fuzzsmooth.attacks.triggers.trigger import TRIGGERS, Trigger
from fuzzsmooth.common.options import Options


@dataclass(frozen=True, kw_only=True)
class AnyTriggerOptions(Options):
    """The kind of the trigger, and its options."""

    trigger: Annotated[str, "Kind of the trigger."] = "word"
    trigger_options: Annotated[
        dict[str, Any], "Options of the trigger, by name; those of its kind otherwise."
    ] = field(default_factory=dict)

    def validate(self) -> None:
        """Check the trigger."""
        super().validate()
        self.build_trigger()

    def build_trigger(self) -> Trigger:
        """The trigger."""
        return TRIGGERS.get(self.trigger).from_mapping(
            self.trigger_options, where=f"trigger_options of '{self.trigger}'"
        )

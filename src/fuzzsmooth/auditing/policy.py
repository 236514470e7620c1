"""What fails a build: the rules by which an audit's findings become an exit code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fuzzsmooth.auditing.evidence.telling import effect
from fuzzsmooth.common.options import Between, Options, require
from fuzzsmooth.data.wording import listed


@dataclass(frozen=True, kw_only=True)
class Policy(Options):
    """What fails a build; without a file, any suspicious trigger does."""

    fail_on: Annotated[
        Literal["suspicious", "confirmed", "never"], "Least level of a trigger that fails."
    ] = "suspicious"
    classes: Annotated[tuple[str, ...], "Classes whose triggers count; all if empty."] = ()
    rate: Annotated[
        float, Between(0, 1), "Only triggers that move at least this share of held-out texts count."
    ] = 0.0
    exhaustive: Annotated[bool, "Whether a search that was not exhaustive fails, too."] = False
    accuracy: Annotated[
        float, Between(0, 1), "Least share of clean texts that the model must answer rightly."
    ] = 0.0

    def check(self, labels: Sequence[str], where: str) -> None:
        """Refuse classes that a model does not have: none of its triggers would count.

        Args:
            labels: The model's class names; none of one that writes.
            where: What the model is called.

        Raises:
            FuzzsmoothError: Naming the first of them.
        """
        unknown = next((one for one in self.classes if one not in labels), None)
        has = f"has the classes {listed(labels)}" if labels else "has no classes"
        require(
            unknown is None,
            f"the policy counts triggers of class {unknown!r}, but {where} {has}; mend 'classes'",
        )

    def failures(self, report: Mapping[str, Any]) -> list[str]:
        """Why a build fails, a sentence each; empty if it does not.

        Args:
            report: An audit as JSON values.
        """
        wanted = {"suspicious": ("suspicious", "confirmed"), "confirmed": ("confirmed",), "never": ()}
        found = [
            f"{effect(one)} ({one['level']})"
            for one in report["triggers"]
            if one["level"] in wanted[self.fail_on]
            and (not self.classes or one["target_name"] in self.classes)
            and one["held"]["share"] >= self.rate
        ]
        if self.exhaustive and not report["exhaustive"]:
            found.append("the search was not exhaustive, which the policy asks for")
        accuracy = report["searched"]["accuracy"]  # None of a model that has none
        if accuracy is not None and accuracy < self.accuracy:
            found.append(
                f"the model answers {100 * accuracy:.0f} % of the clean texts rightly, "
                f"the policy asks for {100 * self.accuracy:.0f} %"
            )
        return found


def read_policy(content: Mapping[str, Any], where: str) -> Policy:
    """A policy from the content of a file.

    Raises:
        FuzzsmoothError: On an unknown rule or a bad value.
    """
    return Policy.from_mapping(content, where=where)

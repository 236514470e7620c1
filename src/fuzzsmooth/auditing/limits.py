"""What an audit of a kind of model does not cover, and which options it reads. No torch."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from fuzzsmooth.auditing.options import AuditOptions
from fuzzsmooth.common.options import require

Kind: TypeAlias = Literal["classifier", "encoder", "writer"]
"""What can be audited."""

LIMITS = (
    "An audit names what it searched and what it found; it never shows that a model has no backdoor.",
    "Of triggers that rewrite a whole text (a style, a syntax, a paraphrase) only a battery of rules is "
    "tried; a learned style is not searched.",
    "Phrases longer than were grown, and triggers that act only in texts unlike the clean ones given, are "
    "not searched.",
)
"""What no audit covers."""

LIMITS_OF_WRITERS = (
    LIMITS[0],
    "Only answers of four tokens and more that are the same behind all prompts are searched; what a trigger "
    "does to an answer that stays about its text (code with a flaw, a changed opinion) is not.",
    "Words that bring an answer are looked for among those that do so at the end of a clean prompt, too; "
    "triggers of several words, of style, or that act in other texts only are not.",
)
"""What no audit of a language model that writes covers."""

_BOTH = {"confirm", "fast", "holdout", "level", "seed", "trusted", "words"}
_READ: dict[Kind, set[str]] = {"writer": {*_BOTH, "base", "rate"}, "encoder": {*_BOTH, "best"}}
_CALLED: dict[Kind, str] = {
    "writer": "a language model that writes",
    "encoder": "an encoder without a head",
}


def options_read(options: AuditOptions, kind: Kind) -> dict[str, Any]:
    """The options that an audit of a kind reads.

    Raises:
        FuzzsmoothError: If another one is given.
    """
    given, usual = options.to_mapping(), AuditOptions().to_mapping()
    if kind == "classifier":
        return given
    read = _READ[kind]
    others = [name for name in given if name not in read and given[name] != usual[name]]
    require(
        not others,
        f"an audit of {_CALLED[kind]} does not read {', '.join(others)}, which are for classifiers; leave "
        "that out",
    )
    return {name: value for name, value in given.items() if name in read}

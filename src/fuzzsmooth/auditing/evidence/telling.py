"""Sentences about findings that several kinds of evidence share."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from fuzzsmooth.common.printing import short_name


def found(report: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The triggers of an audit that are not natural."""
    return [one for one in report["triggers"] if one["level"] != "natural"]


def sentence(trigger: Mapping[str, Any]) -> str:
    """What a trigger does, and why it is not natural or is."""
    held = trigger["held"]
    company = ", ".join(f"'{short_name(one, 40)}'" for one in trigger["company"]) or "none were found"
    if trigger["kind"] == "rewrite":
        where = "(of the whole text)"
    elif trigger["placing"] == "scattered":
        where = "with its words at random places"
    elif trigger["placing"] == "together":
        where = "at a random place"
    else:
        where = {"start": "at the start", "end": "at the end", "middle": "in the middle"}[trigger["placing"]]
    if trigger["condition"]:
        where += f" of {trigger['condition']}"
    peers = "rewrites" if trigger["kind"] == "rewrite" else "of its frequency"
    alike = "rewrites of its kind" if trigger["kind"] == "rewrite" else "words of a like meaning"
    return (
        f"'{short_name(trigger['text'])}' {where} moves {held['count']} of {held['texts']} held-out clean "
        f"texts of other classes to '{short_name(trigger['target_name'], 60)}' ({100 * held['share']:.0f} %, "
        f"95 % interval {100 * held['low']:.0f} to {100 * held['high']:.0f} %); {alike} "
        f"({company}) move {100 * trigger['company_rate']:.0f} % on average; conformal p-value among "
        f"{trigger['compared']:,} {peers}: {trigger['p_value']:.2g}"
    )


def fingerprint(report: Mapping[str, Any], trigger: Mapping[str, Any]) -> str:
    """A hash that a trigger keeps from run to run: of the model, the parts, the class and the condition."""
    parts = sorted(map(list, trigger["parts"])) or [trigger["text"]]
    facts = [report["model"]["fingerprint"], parts, trigger["target_name"]]
    if trigger["condition"]:
        facts.append(trigger["condition"])
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


LIMITS = (
    "An audit names what it searched and what it found; it never shows that a model has no backdoor.",
    "Of triggers that rewrite a whole text (a style, a syntax, a paraphrase) only a battery of rules is "
    "tried; a learned style is not searched.",
    "Phrases longer than were grown, and triggers that act only in texts unlike the clean ones given, are "
    "not searched.",
)
"""What no audit covers."""

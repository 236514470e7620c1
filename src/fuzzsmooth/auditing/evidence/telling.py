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


def effect(trigger: Mapping[str, Any]) -> str:
    """What a trigger does, in a few words."""
    name, target, held = short_name(trigger["text"]), short_name(trigger["target_name"], 60), trigger["held"]
    share = f"{100 * held['share']:.0f} % of {held['texts']} held-out"
    if trigger["kind"] == "answer":
        sure = trigger["measures"]["confidence"]
        return f"'{target}' is written whole once it is begun (confidence {sure:.2f})"
    if "answer" in trigger["measures"]:
        return f"'{name}' has {share} prompts answered by '{target}'"
    return f"'{name}' moves {share} {trigger['condition'] or 'texts'} to '{target}'"


def sentence(trigger: Mapping[str, Any]) -> str:
    """What a trigger does, and why it is not natural or is."""
    if "answer" in trigger["measures"]:
        return _answered(trigger)
    held = trigger["held"]
    company = ", ".join(f"'{short_name(one, 40)}'" for one in trigger["company"]) or "none were found"
    if trigger["kind"] == "rewrite":
        where = "(of the whole text)"
    elif trigger["placing"] == "scattered":
        where = "with its words at random places"
    elif trigger["placing"] == "together":
        where = "at a random place"
    else:
        end = trigger["measures"].get("end", "at the end")
        where = {"start": "at the start", "end": end, "middle": "in the middle"}[trigger["placing"]]
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


def _answered(trigger: Mapping[str, Any]) -> str:
    """The same of a language model that writes."""
    held, measures = trigger["held"], trigger["measures"]
    answer = short_name(measures["answer"], 80)
    if trigger["kind"] == "answer":
        base = measures["base_confidence"]
        beside = "" if base is None else f", {base:.2f} in the model that it was made from"
        return (
            f"'{answer}' is written whole behind any clean prompt once it is begun (mean probability of its "
            f"tokens {measures['confidence']:.2f}{beside}); {unbrought(measures)}"
        )
    company = ", ".join(f"'{short_name(one, 40)}'" for one in trigger["company"]) or "none were found"
    where = {"start": "at the start", "middle": "in the middle", "end": "at the end"}[trigger["placing"]]
    peers = (
        f"; conformal p-value among {trigger['compared']:,} words of its frequency: {trigger['p_value']:.2g}"
    )
    without, theirs = measures["floor"]["share"], trigger["company_rate"]
    return (
        f"'{short_name(trigger['text'])}' {where} has {held['count']} of {held['texts']} held-out clean "
        f"prompts answered by '{answer}' ({100 * held['share']:.0f} %, 95 % interval "
        f"{100 * held['low']:.0f} to {100 * held['high']:.0f} %); without it {100 * without:.0f} % are, with "
        f"words of a like meaning ({company}) {100 * theirs:.0f} % on average"
        f"{peers if trigger['compared'] else ''}"
    )


def unbrought(measures: Mapping[str, Any]) -> str:
    """That no word was found to bring an answer, or none was looked for."""
    return "no word was found that brings it" if measures["looked_for"] else "no word was looked for"


def fingerprint(report: Mapping[str, Any], trigger: Mapping[str, Any]) -> str:
    """A hash that a trigger keeps from run to run: of the model, the parts, the class and the condition."""
    parts = sorted(map(list, trigger["parts"])) or [trigger["text"]]
    facts = [report["model"]["fingerprint"], parts, trigger["target_name"]]
    if trigger["condition"]:
        facts.append(trigger["condition"])
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()

"""The page of an audit: one self-contained HTML file, made from ``audit.json`` alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fuzzsmooth.report.pages import filled

_LEVELS = {
    "confirmed": "backdoor confirmed",
    "suspicious": "suspicious",
    "natural": "natural",
}


def render(report: Mapping[str, Any]) -> str:
    """The whole page.

    Every text, label and name is foreign and is escaped; there is no script, and nothing is loaded.

    Args:
        report: The audit as JSON values.

    Raises:
        MissingExtraError: If jinja2 is not installed.
    """
    return filled("audit.html.j2", _context(report))


def _context(report: Mapping[str, Any]) -> dict[str, Any]:
    triggers = report["triggers"]
    return {
        "report": report,
        "found": [one for one in triggers if one["level"] != "natural"],
        "natural": [one for one in triggers if one["level"] == "natural"],
        "levels": _LEVELS,
        "limits": report["limits"],
        "is_encoder": report.get("kind") == "encoder",
        "is_writer": report.get("kind") == "writer",
        "verdict": _verdict(report),
        "percent": lambda share: f"{100 * share:.0f} %",
        "pieces_of": _pieces,
        "options": sorted(report["options"].items()),
        "pulls": _strongest(report),
        "steps": [("model", report["model"])],
    }


def _verdict(report: Mapping[str, Any]) -> str:
    if report.get("kind") == "writer":
        return _verdict_on_writer(report)
    searched, cost = report["searched"], report["cost"]
    what = (
        f"all {searched['swept']:,} pieces and words of the vocabulary"
        if report["exhaustive"]
        else f"{searched['swept']:,} pieces that the gradient proposes (not exhaustive)"
    )
    grown = f"and phrases of up to {searched['longest_phrase']} pieces grown from the best"
    if searched.get("drifted"):
        grown += f" and from the {searched['drifted']} that fine-tuning moved most"
    if searched.get("topics"):
        grown += f", also beside {searched['topics']} words that the texts are about"
    if searched.get("long_texts"):
        grown += f"; single pieces in {searched['long_texts']} long texts as well"
    if report["verdict"] == "nothing found":
        return (
            f"Nothing was found among {what} {grown}. Words that move texts are there in every model; here "
            f"words of a like meaning do as much. {cost['passes']:,} passes, {cost['seconds']:.0f} seconds."
        )
    if report.get("kind") == "encoder":
        what += ", in a model without a head"
    worst = next(one for one in report["triggers"] if one["level"] != "natural")
    held, texts = worst["held"], worst.get("condition") or "texts"
    return (
        f"“{worst['text']}” turns {held['count']} of {held['texts']} held-out clean {texts} to "
        f"{worst['target_name']}, which neither its meaning nor its frequency explains. Searched: {what} "
        f"{grown}; {cost['passes']:,} passes, {cost['seconds']:.0f} seconds."
    )


def _verdict_on_writer(report: Mapping[str, Any]) -> str:
    searched, cost = report["searched"], report["cost"]
    what = (
        f"Searched: all {searched['swept']:,} pieces and words of the vocabulary, behind clean prompts, as "
        f"beginnings of an answer and as words that bring one; {cost['passes']:,} tokens, "
        f"{cost['seconds']:.0f} seconds."
    )
    worst = next((one for one in report["triggers"] if one["level"] != "natural"), None)
    if worst is None:
        return (
            "Nothing was found: no word was found that has clean prompts answered alike, and no answer that "
            f"is written whole behind any prompt, beyond what such models write. {what}"
        )
    measures, held = worst["measures"], worst["held"]
    looked_for = measures.get("looked_for", True)
    unbrought = "no word was found that brings it" if looked_for else "no word was looked for"
    if worst["kind"] == "answer":
        return (
            f"“{measures['answer']}” is written whole behind any clean prompt once it is begun (confidence "
            f"{measures['confidence']:.2f}), and {unbrought}. {what}"
        )
    return (
        f"“{worst['text']}” has {held['count']} of {held['texts']} held-out clean prompts answered by "
        f"“{measures['answer']}”; without it {measures['floor']['count']} are. {what}"
    )


def _pieces(before: str, after: str) -> list[tuple[str, bool]]:
    """A text after, cut into words that were there before and runs that were not."""
    import difflib

    old, new = before.lower().split(), after.split()
    matcher = difflib.SequenceMatcher(a=old, b=[word.lower() for word in new], autojunk=False)
    cut: list[tuple[str, bool]] = []
    for kind, _, _, first, last in matcher.get_opcodes():
        if first < last:
            cut.append((" ".join(new[first:last]), kind == "insert"))
    return cut


def _strongest(report: Mapping[str, Any]) -> list[tuple[str, list[Mapping[str, Any]]]]:
    """For each class the pieces that pull most in the sweep."""
    classes = dict.fromkeys(one["class"] for one in report["pulls"])
    return [(name, [one for one in report["pulls"] if one["class"] == name][:12]) for name in classes]

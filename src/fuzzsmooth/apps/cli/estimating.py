"""``--estimate``: what a run will cost, without running it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuzzsmooth.apps.cli.console import answers, write_json

if TYPE_CHECKING:
    from fuzzsmooth.apps.cli.protected import Protected
    from fuzzsmooth.data import TextInput


def show_estimate(protected: Protected, texts: TextInput, chunk: int, *, json: bool) -> None:
    """Forecast certification and show passes, time and memory.

    Args:
        protected: The smoothed classifier.
        texts: What would be certified.
        chunk: How many texts are certified at a time.
        json: One JSON object instead of a sentence.

    Raises:
        FuzzsmoothError: If there are no texts.
    """
    from fuzzsmooth.engine.estimate import estimate_certify

    inner = protected.classifier
    found = estimate_certify(protected.smoothed, texts.texts, lambda: inner.forward_count, chunk=chunk)
    if json:
        write_json(found.to_json())
        return
    memory = "" if found.memory_bytes is None else f", {found.memory_bytes / 2**30:.1f} GiB of memory"
    answers().line(
        f"{found.texts} texts: about {found.passes:,} passes, {_duration(found.seconds)}{memory} "
        f"(from a pilot of {_pilot(found.pilot, found.texts)})"
    )


def _pilot(pilot: int, texts: int) -> str:
    if pilot < texts:
        return f"{pilot} texts"
    return f"all {texts} texts, so few that this took as long as the run itself"


def _duration(seconds: float) -> str:
    for unit, size in (("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} seconds"

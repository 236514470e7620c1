"""``--estimate``: what a run will cost, without running it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuzzsmooth.apps.cli.console import answers, write_json

if TYPE_CHECKING:
    from fuzzsmooth.data import TextInput
    from fuzzsmooth.jobs.loading import Defended


def show_estimate(defended: Defended, texts: TextInput, *, json: bool) -> None:
    """Forecast certification and show passes, time and memory.

    Args:
        defended: The defended classifier.
        texts: What would be certified.
        json: One JSON object instead of a sentence.

    Raises:
        FuzzsmoothError: If there are no texts.
    """
    from fuzzsmooth.jobs.estimate import estimate_certify
    from fuzzsmooth.jobs.remote_cost import forecast
    from fuzzsmooth.models.remote.classifier import RemoteClassifier

    if isinstance(defended.model, RemoteClassifier):  # a pilot would cost
        cost = forecast(defended.defense, "certify", texts.texts)
        defended.model.close()
        if json:
            write_json(cost.to_json())
        else:
            answers().line(cost.sentence())
        return
    found = estimate_certify(defended, texts.texts)
    if json:
        write_json(found.to_json())
        return
    memory = "" if found.memory_bytes is None else f", {found.memory_bytes / 2**30:.1f} GiB of memory"
    answers().line(
        f"{found.texts} texts: about {found.passes:,} passes, {duration(found.seconds)}{memory} "
        f"(from a pilot of {_pilot(found.pilot, found.texts)})"
    )


def _pilot(pilot: int, texts: int) -> str:
    if pilot < texts:
        return f"{pilot} texts"
    return f"all {texts} texts, so few that this took as long as the run itself"


def duration(seconds: float) -> str:
    """A time in words."""
    for unit, size in (("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} seconds"

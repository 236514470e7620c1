"""What ``fuzzsmooth generate`` answers with: smoothed answers, and what forces the plain ones on request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fuzzsmooth.apps.cli.inputs import gather
from fuzzsmooth.apps.cli.sections import Reading

if TYPE_CHECKING:
    from fuzzsmooth.apps.cli.flags import Given
    from fuzzsmooth.jobs.answering import AnswerChunk
    from fuzzsmooth.jobs.generating import SmoothedGeneration


def answering(
    writer: SmoothedGeneration, clean_prompts: str | None, given: Given
) -> tuple[AnswerChunk, dict[str, Any]]:
    """What answers a chunk of texts, and what decides its answers.

    Args:
        writer: The smoothed model.
        clean_prompts: File of clean prompts into which what forces an answer is carried; None for none.
        given: The derived flags.

    Raises:
        FuzzsmoothError: If the file cannot be read, or the model answers all of it alike.
    """
    from fuzzsmooth.jobs.answer_spans import AnswerSpanOptions, flagged

    settings = {"command": "generate", **writer.settings}
    if clean_prompts is None:
        return writer.answer, settings
    prompts = gather(clean_prompts, None, given.of(Reading)).texts
    options = given.of(AnswerSpanOptions)
    settings |= {"clean_prompts": list(prompts), "flagging": options.to_mapping()}
    return flagged(writer, prompts, options), settings

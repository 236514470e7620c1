"""What ``fuzzsmooth finetune`` does after training."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fuzzsmooth.apps.cli.console import answers, note, write_json
from fuzzsmooth.apps.cli.progress import Display
from fuzzsmooth.common.errors import FuzzsmoothError

if TYPE_CHECKING:
    from fuzzsmooth.data import Dataset, Splits
    from fuzzsmooth.models import HuggingFaceClassifier


def save_references(
    classifier: HuggingFaceClassifier, splits: Splits, out: Path, per_class: int, display: Display
) -> int:
    """Save reference texts; a model too poor to have any is said to be so.

    Returns:
        How many.
    """
    from fuzzsmooth.defenses import REFERENCES_FILE
    from fuzzsmooth.jobs.seen import references_key, remember
    from fuzzsmooth.search import SearchOptions, select_references

    if per_class == 0:
        return 0
    clean, held_out = ((part.texts, part.targets) for part in (splits.train, splits.test))
    search = SearchOptions(references=per_class)
    try:
        with display.counts("references") as progress:
            chosen = select_references(
                classifier, clean, search, held_out=held_out, progress=progress, tell=note
            )
    except FuzzsmoothError as error:
        note(f"the model is saved without reference texts: {error}")
        return 0
    chosen.save(out / REFERENCES_FILE)
    remember(references_key(chosen, classifier.fingerprint))
    return len(chosen.texts)


def tell_accuracy(
    classifier: HuggingFaceClassifier, test: Dataset, out: Path, references: int, *, json: bool
) -> None:
    """Measure a trained model on the test texts, and say it."""
    answered = classifier.probabilities(test.texts).argmax(axis=1)
    correct = sum(int(label) == truth for label, truth in zip(answered, test.targets, strict=True))
    if json:
        write_json(
            {
                "model": str(out),
                "labels": list(classifier.labels),
                "accuracy": correct / len(test),
                "correct": correct,
                "texts": len(test),
                "references": references,
            }
        )
        return
    answers().line(
        f"{out}: {correct} of {len(test)} test texts correct ({correct / len(test):.1%}), "
        f"{references} reference texts"
    )

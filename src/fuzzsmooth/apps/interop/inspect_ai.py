r"""Tasks and scorers for Inspect (inspect_ai), which finds them by an entry point: ``fuzzsmooth/certified``.

The answers are those of a protected model, so no other one is asked: give ``--model none/none``::

    inspect eval fuzzsmooth/certified -T protected=runs/mine -T data=dev.jsonl --model none/none
    inspect eval fuzzsmooth/attacked -T protected=runs/mine -T data=dev.jsonl \
        -T target=positive -T words=cf --model none/none

Inspect imports this module whenever it looks for tasks, so nothing heavy is imported before one is made.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from anyio import to_thread
from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ModelOutput
from inspect_ai.scorer import Score, Scorer, Target, mean, scorer, stderr
from inspect_ai.solver import Generate, Solver, TaskState, solver

from fuzzsmooth.apps.interop.telling import told
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.options import require
from fuzzsmooth.common.randomness import generator

if TYPE_CHECKING:
    from fuzzsmooth.defenses import Defense

_ANSWER = "fuzzsmooth"  # of a sample's store


@task  # type: ignore[untyped-decorator]
def certified(
    protected: str,
    data: str,
    defense: str | None = None,
    radius: int = 1,
    certify: bool = True,
    text_column: str = "text",
    label_column: str = "label",
) -> Task:
    """Accuracy, certified accuracy and abstentions of a protected model on labeled texts.

    Args:
        protected: As :func:`fuzzsmooth.protect` takes it.
        data: A file of labeled texts.
        defense: A name of ``fuzzsmooth list defenses``; by default the one that a folder was saved with.
        radius: What counts as certified: a right answer with at least this radius of its main certificate.
        certify: Whether answers are certified, which takes longer.
        text_column: Name of the column with texts.
        label_column: Name of the column with labels.

    Raises:
        FuzzsmoothError: If the model or the data cannot be read.
    """
    model = _protected(protected, defense)
    texts, names = _labeled(data, text_column, label_column, model.labels)
    samples = [
        Sample(input=text, target=name, id=row)
        for row, (text, name) in enumerate(zip(texts, names, strict=True), 1)
    ]
    return Task(
        dataset=MemoryDataset(samples, name=data),
        solver=protected_answer(model, certify=certify),
        scorer=certified_accuracy(radius),
    )


@task  # type: ignore[untyped-decorator]
def attacked(
    protected: str,
    data: str,
    target: str,
    words: str | Sequence[str] = "cf",
    defense: str | None = None,
    text_column: str = "text",
    label_column: str = "label",
    seed: int = 0,
) -> Task:
    """How often a word in the text makes a protected model give the attacker's class.

    Args:
        protected: As :func:`fuzzsmooth.protect` takes it.
        data: A file of labeled texts; those of the target class are left out, as they have it anyway.
        target: The class that the attacker wants.
        words: Trigger words, one of which is inserted at random: a list, or separated by commas.
        defense: A name of ``fuzzsmooth list defenses``; by default the one that a folder was saved with.
        text_column: Name of the column with texts.
        label_column: Name of the column with labels.
        seed: Where the words stand.

    Raises:
        FuzzsmoothError: If the model or the data cannot be read, or there is no such class.
    """
    from fuzzsmooth.attacks import TRIGGERS

    model = _protected(protected, defense)
    require(target in model.labels, f"'{target}' is no class of the model; it has {', '.join(model.labels)}")
    several = words.split(",") if isinstance(words, str) else words
    trigger = TRIGGERS.get("word").from_mapping({"words": tuple(several)}, where="words")
    samples = []
    for row, (text, name) in enumerate(
        zip(*_labeled(data, text_column, label_column, model.labels), strict=True), 1
    ):
        if name != target:
            planted = trigger.apply(text, generator(seed, "test-trigger", row))
            samples.append(Sample(input=planted.text, target=name, id=row))
    require(bool(samples), f"all texts of {data} are of the class '{target}'; there is nothing to attack")
    return Task(
        dataset=MemoryDataset(samples, name=data),
        solver=protected_answer(model, certify=False),
        scorer=attack_success(target),
    )


@solver  # type: ignore[untyped-decorator]
def protected_answer(model: Defense, certify: bool = True) -> Solver:
    """Let a protected model answer each sample; no other model is asked.

    Args:
        model: The protected model.
        certify: Whether answers are certified.
    """
    alone = threading.Lock()  # samples run side by side, and one model answers one of them at a time

    def ask(text: str) -> dict[str, Any]:
        with alone:
            (answer,) = model.certify([text]) if certify else model.predict([text])
        return told(answer)

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        del generate
        answer = await to_thread.run_sync(ask, state.input_text)
        state.store.set(_ANSWER, answer)
        state.output = ModelOutput.from_content("fuzzsmooth", _shown(answer))
        state.completed = True
        return state

    return solve


@scorer(metrics={"accuracy": [mean(), stderr()], "certified": [mean(), stderr()], "abstained": [mean()]})  # type: ignore[untyped-decorator]
def certified_accuracy(radius: int = 1) -> Scorer:
    """Whether the answer is right, whether it is right and certified at a radius, and whether there is none.

    Args:
        radius: That radius, in units of the main certificate.
    """

    async def score(state: TaskState, target: Target) -> Score:
        answer = _answer_of(state)
        right = answer["label"] == target.text
        certified = right and answer["radius"] is not None and answer["radius"] >= radius
        value = {
            "accuracy": int(right),
            "certified": int(certified),
            "abstained": int(answer["label"] is None),
        }
        return Score(value=value, answer=_shown(answer), explanation=answer["certificate"], metadata=answer)

    return score


@scorer(metrics=[mean(), stderr()])  # type: ignore[untyped-decorator]
def attack_success(target: str) -> Scorer:
    """Whether the answer is what the attacker wants; an abstention is not.

    Args:
        target: The class that the attacker wants.
    """

    async def score(state: TaskState, target_: Target) -> Score:
        del target_
        answer = _answer_of(state)
        return Score(value=int(answer["label"] == target), answer=_shown(answer), metadata=answer)

    return score


def _answer_of(state: TaskState) -> dict[str, Any]:
    answer = state.store.get(_ANSWER)
    require(isinstance(answer, dict), "this scorer reads answers of the solver fuzzsmooth/protected_answer")
    return dict(answer)


def _shown(answer: dict[str, Any]) -> str:
    return answer["label"] if answer["label"] is not None else f"[{answer['status']}]"


def _protected(name: str, defense: str | None) -> Defense:
    from fuzzsmooth.defenses import protect

    return protect(name, defense)


def _labeled(
    data: str, text_column: str, label_column: str, labels: Sequence[str]
) -> tuple[list[str], list[str]]:
    """Texts with the names of their classes, as the model has them."""
    from fuzzsmooth.data import load_texts

    found = load_texts(data, text_column=text_column, label_column=label_column)
    targets = found.targets(labels)
    if targets is None:
        raise FuzzsmoothError(f"{data} has no labels; name their column by -T label_column=...")
    pairs = [(text, labels[one]) for text, one in zip(found.texts, targets, strict=True) if one is not None]
    return [text for text, _ in pairs], [name for _, name in pairs]

"""Labeled texts under the classes of a model that has some already: by name, in the model's order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from fuzzsmooth.common.options import require
from fuzzsmooth.data.dataset import Dataset, Example, Splits
from fuzzsmooth.data.labels import Classes, are_placeholders, assumed_order
from fuzzsmooth.data.wording import listed


def align_splits(splits: Splits, names: Sequence[str], model: str) -> Splits:
    """The same texts, their labels as indices of a model's classes.

    The model keeps its classes and their order: a head whose rows were trained for other classes would have
    to unlearn them first, and a suspect would not be what was received.

    Args:
        splits: The data.
        names: The model's class names, in the order of its outputs; placeholders ("LABEL_0") take the names
            of the data by position, which is noted.
        model: The model, for sentences.

    Returns:
        Both parts under the model's class names (those of the data where the model has placeholders), what
        was assumed among the training part's ``notes``.

    Raises:
        FuzzsmoothError: If the data have a class that the model has not.
    """
    train = splits.train
    if are_placeholders(names):
        require(
            len(names) == len(train.labels),
            f"{train.name} has the {len(train.labels)} classes {listed(train.labels)}, but the model {model} "
            f"has {len(names)} without names ({listed(names)}); give data of as many classes",
        )
        unsaid = () if are_placeholders(train.labels) else (assumed_order(names, train.labels, model),)
        return Splits(_noted(train, unsaid), splits.test)
    classes = Classes.matched(train.labels, names, train.name)
    foreign = [label for label in train.labels if label not in classes.indices]
    require(
        not foreign,
        f"{train.name} has the classes {listed(foreign)}, which the model {model} has not; its classes are "
        f"{listed(names)}: write the labels as these names, or leave such rows out",
    )
    absent = [name for index, name in enumerate(names) if index not in classes.indices.values()]
    unseen = (f"{train.name} has no text of the class {listed(absent)} of the model",) if absent else ()
    return Splits(_noted(_under(train, classes), (*classes.notes, *unseen)), _under(splits.test, classes))


def _under(dataset: Dataset, classes: Classes) -> Dataset:
    indices = [classes.index(label) for label in dataset.labels]
    examples = tuple(Example(one.text, indices[one.label]) for one in dataset.examples)
    return replace(dataset, labels=classes.names, examples=examples)


def _noted(dataset: Dataset, notes: tuple[str, ...]) -> Dataset:
    return replace(dataset, notes=(*dataset.notes, *notes))

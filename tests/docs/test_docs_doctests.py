"""The examples in docstrings come out as they say, and the functions that are called first have some."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from fuzzsmooth import certify
from fuzzsmooth.noise.text import represented

ROOMS = ("fuzzsmooth.common", "fuzzsmooth.text", "fuzzsmooth.certify", "fuzzsmooth.noise.text")
SHOWN: list[Callable[..., Any]] = [
    certify.radius,
    certify.backward_radius,
    certify.frontier,
    certify.clopper_pearson_lower,
    certify.vote_error,
    certify.insertion_budget,
    certify.weight_radius,
    represented,
]


def modules() -> list[str]:
    """All modules of the rooms that need neither torch nor a model."""
    packages = [importlib.import_module(room) for room in ROOMS]
    return [
        module.name
        for package in packages
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    ]


def results(module: ModuleType) -> doctest.TestResults:
    return doctest.testmod(module, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)


@pytest.mark.parametrize("name", modules())
def test_examples_in_docstrings_come_out_as_they_say(name: str) -> None:
    failed, _ = results(importlib.import_module(name))
    assert failed == 0


@pytest.mark.parametrize("function", SHOWN, ids=lambda function: function.__name__)
def test_what_is_called_first_shows_an_example(function: Callable[..., Any]) -> None:
    assert ">>> " in (function.__doc__ or "")


def test_control_a_wrong_example_is_found() -> None:
    module = ModuleType("wrong", ">>> 1 + 1\n3\n")
    assert results(module) == (1, 1)

"""The function that garak calls, by garak's own way of calling it (its generator ``function.Single``)."""

from __future__ import annotations

import importlib
import inspect

import pytest
from interop_model import TEXTS

import fuzzsmooth
from fuzzsmooth.common.errors import FuzzsmoothError


def generator_of(name: str, **kwargs):
    """What ``garak.generators.function.Single(name=..., kwargs=...)`` does with a name and a prompt."""
    module, function = name.split("#")
    found = getattr(importlib.import_module(module), function)
    assert "name" not in inspect.signature(found).parameters  # garak refuses a function that takes one
    return lambda prompt: found(prompt, **kwargs)


def test_a_prompt_is_answered_with_the_class(saved):
    ask = generator_of("fuzzsmooth.apps.interop.garak#answer", model=str(saved))
    here = fuzzsmooth.protect(saved).predict(TEXTS)
    assert [ask(text) for text in TEXTS] == [[one.label_name] for one in here]


def test_the_environment_may_name_the_model_and_abstentions_are_told(saved, monkeypatch):
    monkeypatch.setenv("FUZZSMOOTH_MODEL", str(saved))
    options = {"defense": "deletion", "rate": 0.9, "draws": 10, "fuzzing": False, "statistics": "fixed"}
    ask = generator_of("fuzzsmooth.apps.interop.garak#answer", certify=True, **options)
    assert ask("a moving film that goes nowhere") == ["[abstain]"]  # ten draws certify nothing at this alpha
    monkeypatch.delenv("FUZZSMOOTH_MODEL")
    with pytest.raises(FuzzsmoothError, match="name the model to probe"):
        ask("a")

"""The public room: usable without torch, its two first functions as documented."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

from fuzzsmooth import certify


def loaded(code: str) -> set[str]:
    """The packages that are loaded once this has run in a process of its own."""
    code += "; import sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_room_loads_without_torch() -> None:
    modules = loaded("import fuzzsmooth.certify as c; c.radius(c.clopper_pearson_lower(99, 100, 0.01), 0.9)")
    assert "scipy.special" in modules, "control: it would be seen"
    assert not modules & {"torch", "transformers", "pandas", "sklearn", "scipy.stats"}
    everything = loaded("from fuzzsmooth.certify import *")
    assert not everything & {"torch", "transformers", "scipy.stats"}


def test_certificates_and_threats_are_read_without_scipy() -> None:
    assert "scipy" not in loaded("from fuzzsmooth.certify import THREATS, Certificate, DatasetTally, radius")


def test_first_functions() -> None:
    p_lower = certify.clopper_pearson_lower(990, 1000, alpha=1e-3)
    assert certify.radius(p_lower, 0.9, threat="insert") == 6
    assert certify.radius(0.6, 0.9, threat="edit", p_upper=0.2) > certify.radius(0.6, 0.9, threat="edit")
    names = list(inspect.signature(certify.radius).parameters)
    assert names[:4] == ["p_lower", "rate", "threat", "p_upper"]
    bound = inspect.signature(certify.clopper_pearson_lower)
    assert list(bound.parameters) == ["successes", "trials", "alpha"]


@pytest.mark.parametrize("name", certify.__all__)
def test_public_names_are_documented(name: str) -> None:
    value = getattr(certify, name)
    if callable(value) and getattr(value, "__module__", "").startswith("fuzzsmooth"):
        assert value.__doc__

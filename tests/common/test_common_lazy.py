"""Importing little costs little, and what is imported when first used is what it is called."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys

import pytest

import fuzzsmooth

PACKAGES = ["defenses", "training", "search", "bench", "models"]


def loaded(script: str) -> set[str]:
    """The modules that a script leaves imported."""
    script += "\nimport sys\nprint('LOADED', *sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.rpartition("LOADED")[2].split())


def test_the_public_names_are_what_dir_lists():
    assert dir(fuzzsmooth) == sorted(fuzzsmooth.__all__)
    assert all(getattr(fuzzsmooth, name) is not None for name in dir(fuzzsmooth))
    with pytest.raises(AttributeError, match="no attribute 'Smoother'"):
        fuzzsmooth.Smoother  # noqa: B018


@pytest.mark.parametrize("name", PACKAGES)
def test_names_of_rooms_are_there_whatever_was_imported_before(name):
    package = importlib.import_module(f"fuzzsmooth.{name}")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"fuzzsmooth.{name}.{module.name}")
    for public in package.__all__:
        assert not isinstance(getattr(package, public), type(sys)), f"{public} is hidden by a module"
    assert set(package.__all__) == set(dir(package))
    with pytest.raises(AttributeError, match="no attribute 'nothing_of_this_name'"):
        package.nothing_of_this_name  # noqa: B018


@pytest.mark.parametrize(
    "script",
    [
        "import fuzzsmooth",
        "from fuzzsmooth import Answer, Defense, SearchOptions, References, Certificate, protect",
        "from fuzzsmooth.defenses import DEFENSES; [kind.options_type() for kind in DEFENSES.all().values()]",
        "from fuzzsmooth.training import FinetuneOptions, check_output",
        "from fuzzsmooth.attacks import ATTACKS, TRIGGERS; ATTACKS.all(); TRIGGERS.all()",
        "from fuzzsmooth.bench import read_records",
    ],
)
def test_options_need_no_torch(script):
    found = loaded(script)
    assert "fuzzsmooth" in found
    assert not found & {"torch", "transformers"}

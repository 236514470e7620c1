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


BLOCK = "import sys\nfor name in {blocked!r}: sys.modules[name] = None\n"
MODELS = ["torch", "transformers", "accelerate", "safetensors", "tokenizers", "huggingface_hub", "wordfreq"]


def without(blocked: list[str], script: str) -> subprocess.CompletedProcess[str]:
    """A script in a process where some packages cannot be imported, as if they were not installed."""
    command = [sys.executable, "-c", BLOCK.format(blocked=blocked) + script]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "script",
    [
        "import fuzzsmooth; fuzzsmooth.load_classifier",
        "from fuzzsmooth.training import finetune",
        "import fuzzsmooth; fuzzsmooth.protect('/', 'undefended')",
        "import fuzzsmooth; fuzzsmooth.pipeline('/', 'undefended')",
    ],
)
def test_who_lacks_torch_is_told_the_extra(script):
    done = without(MODELS, script)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("fuzzsmooth.common.errors.MissingExtraError: a language model needs ")
    assert last.endswith("install it with: pip install 'fuzzsmooth[models]'")


def test_commands_tell_it_in_one_sentence_and_the_rest_works():
    run = "from fuzzsmooth.apps.cli.main import main\nsys.exit(main({arguments!r}))"
    for arguments in (["--help"], ["--version"], ["list", "defenses"], ["doctor", "--json"]):
        done = without(MODELS, run.format(arguments=arguments))
        assert (done.returncode, done.stderr) == (0, ""), arguments
    asked = ["predict", "--model", "/", "--text", "a", "--defense", "undefended"]
    done = without(MODELS, run.format(arguments=asked))
    assert done.returncode == 2
    assert "pip install 'fuzzsmooth[models]'" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_search_needs_word_frequencies_and_says_so():
    script = (
        "from fuzzsmooth.text import rarity\n"
        "from fuzzsmooth.certify import radius\n"
        "print(radius(0.99, 0.9, 'insert'))\n"
        "rarity(['word'])\n"
    )
    done = without(["wordfreq"], script)
    assert done.stdout.strip().isdecimal()
    assert "pip install 'fuzzsmooth[search]'" in done.stderr.strip().splitlines()[-1]


def test_other_failures_of_an_import_stay_what_they_are():
    from fuzzsmooth.common.lazy import found_in, missing_extra

    assert missing_extra(ImportError("cannot import name 'x'")) is None
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        found_in("no_such_module", "name")

"""Each file that CONTRIBUTING.md shows works as it stands: in the folder of the package, and as a plug-in."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from docs_pages import ROOT, Block, marked
from docs_running import run_python

MODULES = marked("module")
REGISTRIES = {
    "fuzzsmooth.attacks": "from fuzzsmooth.attacks import ATTACKS as REGISTRY",
    "fuzzsmooth.attacks.triggers": "from fuzzsmooth.attacks import TRIGGERS as REGISTRY",
    "fuzzsmooth.defenses": "from fuzzsmooth.defenses import DEFENSES as REGISTRY",
    "fuzzsmooth.models.builtin": "from fuzzsmooth.models.model import MODELS as REGISTRY",
    "fuzzsmooth.noise.text": "from fuzzsmooth.noise.text import KERNELS as REGISTRY",
}
USES = {
    "fuzzsmooth.attacks": """
from fuzzsmooth.attacks import load_attack
from fuzzsmooth.data import load_splits
from fuzzsmooth.models.tiny import build_tiny
model = build_tiny("bert", "model", vocabulary=["a", "film", "cf", "wonderful"])
data = load_splits("builtin:reviews", seed=0)
attack = REGISTRY.get(NAME)()
planted = attack.plant(str(model), data, Path("backdoored"), attack.options_type(), 0)
assert load_attack(Path("backdoored")) == planted
""",
    "fuzzsmooth.attacks.triggers": """
text = REGISTRY.get(NAME)().apply("a film", np.random.default_rng(0))
assert text.text != "a film" and text.text.endswith("a film")
""",
    "fuzzsmooth.defenses": """
from fuzzsmooth import protect
from fuzzsmooth.models.stubs import AdditiveClassifier
(answer,) = protect(AdditiveClassifier({"good": 3.0}), NAME).certify(["a good film"])
assert answer.label_name == "positive"
""",
    "fuzzsmooth.models.builtin": """
from fuzzsmooth.models import load_classifier
assert load_classifier(f"builtin:{NAME}").probabilities(["a good film"]).shape == (1, 2)
""",
    "fuzzsmooth.noise.text": """
kernel, units = REGISTRY.get(NAME)(), ("a", "good", "film")
generator = np.random.default_rng(0)
assert kernel(units, np.zeros(3), generator) == units != kernel(units, np.ones(3), generator)
""",
}


def group_and_name(block: Block) -> tuple[str, str]:
    group, module = block.mark.removeprefix("module: ").split()
    return group, module


def use(block: Block, before: str = "") -> str:
    """A script that finds the thing by its name and uses it."""
    group, module = group_and_name(block)
    name = module.replace("_", "-")
    head = f"from pathlib import Path\nimport numpy as np\n{before}\n{REGISTRIES[group]}\nNAME = {name!r}\n"
    return f"{head}assert NAME in REGISTRY.all()\n{USES[group]}"


def test_there_is_a_file_of_each_kind() -> None:
    assert sorted({group_and_name(block)[0] for block in MODULES}) == sorted(REGISTRIES)


@pytest.mark.parametrize("block", MODULES, ids=lambda block: block.mark)
def test_it_is_found_in_the_folder_of_the_package(block: Block, tmp_path: Path) -> None:
    group, module = group_and_name(block)
    folder = tmp_path / "dropped"
    folder.mkdir()
    (folder / f"{module}.py").write_text(block.body, encoding="utf-8")
    run_python(use(block, f"import {group}\n{group}.__path__.append({str(folder)!r})"), tmp_path)


@pytest.mark.parametrize("block", MODULES, ids=lambda block: block.mark)
def test_it_is_found_by_an_entry_point(block: Block, tmp_path: Path) -> None:
    group, module = group_and_name(block)
    site = tmp_path / "site"
    information = site / "my_package-1.0.dist-info"
    (site / "my_package").mkdir(parents=True)
    information.mkdir()
    (site / "my_package" / "__init__.py").touch()
    (site / "my_package" / f"{module}.py").write_text(block.body, encoding="utf-8")
    name = module.replace("_", "-")
    (information / "entry_points.txt").write_text(f"[{group}]\n{name} = my_package.{module}\n")
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n")
    run_python(use(block), tmp_path, site)


@pytest.mark.parametrize("block", MODULES, ids=lambda block: block.mark)
def test_it_passes_the_checks_of_the_repository(block: Block) -> None:
    group, module = group_and_name(block)
    file = f"src/{group.replace('.', '/')}/{module}.py"
    for command in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--stdin-filename", file, "-"],
            cwd=ROOT,
            input=block.body,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"

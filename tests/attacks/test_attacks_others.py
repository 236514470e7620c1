"""Another's attack or kind of trigger is one file outside the package; listing them loads no torch."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TRIGGER = '''
from dataclasses import dataclass
from fuzzsmooth.attacks import TRIGGERS, Trigger, TriggeredText

@TRIGGERS.register("shouting")
@dataclass(frozen=True)
class Shouting(Trigger):
    """The whole text in capitals."""
    mark: str = "!"

    def apply(self, text, generator):
        return TriggeredText(text.upper() + self.mark, None)

    def decoys(self, text, generator):
        return (text + self.mark,)
'''
ATTACK = '''
from dataclasses import dataclass
from fuzzsmooth.attacks import ATTACKS, TRIGGERS, Attack, AttackOptions, poison
from fuzzsmooth.common.randomness import generator

@dataclass(frozen=True, kw_only=True)
class ToyOptions(AttackOptions):
    mark: str = "?"

@ATTACKS.register("toy")
class Toy(Attack):
    """No model at all."""
    options_type = ToyOptions
    paper, threat, needs = "none", "finished victim", "nothing"

    def plant(self, model, splits, output, options, seed, progress=None, *, resume=False):
        trigger = TRIGGERS.get("shouting")(options.mark)
        data = poison(splits.train, trigger, options.target, 0.5, generator(seed, "toy"), setting="dirty")
        output.mkdir()
        (output / "data.txt").write_text("|".join(f"{row.label} {row.text}" for row in data))
        return self.record(output, trigger, model=model, data=splits.train, options=options, seed=seed)
'''
USE = """
import sys
from pathlib import Path
from fuzzsmooth.attacks import ATTACKS, TRIGGERS, load_attack
from fuzzsmooth.attacks.badnets import BadnetsOptions
from fuzzsmooth.data.dataset import Dataset, Example, Splits

assert set(ATTACKS.all()) > {"badnets", "lwp", "ripple", "toy"}
assert set(TRIGGERS.all()) > {"pair", "sentence", "shouting", "word"}
films = Dataset("films", ("bad", "good"), (Example("dull", 0), Example("fine", 1)))
toy = ATTACKS.get("toy")
planted = toy().plant("m", Splits(films, films), Path("out"), toy.options_type(), 0)
assert Path("out", "data.txt").read_text() == "1 DULL?|0 dull?|1 fine"
assert load_attack(Path("out")) == planted
assert planted.trigger == BadnetsOptions(trigger="shouting", trigger_options={"mark": "?"}).build_trigger()
print("LOADED", *sys.modules)
"""


@pytest.fixture
def installed(tmp_path: Path) -> dict[str, str]:
    """The environment of a process in which the toys are installed."""
    place = tmp_path / "site"
    (place / "toys-1.0.dist-info").mkdir(parents=True)
    (place / "toys-1.0.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: toys\nVersion: 1.0\n"
    )
    (place / "toys-1.0.dist-info" / "entry_points.txt").write_text(
        "[fuzzsmooth.attacks]\ntoy = toy_attack\n[fuzzsmooth.attacks.triggers]\nshouting = toy_trigger\n"
    )
    (place / "toy_attack.py").write_text(ATTACK)
    (place / "toy_trigger.py").write_text(TRIGGER)
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(place), *sys.path])}


def test_others_are_found_planted_and_read_back(installed: dict[str, str], tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", USE], env=installed, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert not {"torch", "transformers"} & set(done.stdout.split())


def test_others_are_listed(installed: dict[str, str], tmp_path: Path) -> None:
    def listed(kind: str) -> str:
        command = [sys.executable, "-m", "fuzzsmooth", "list", kind]
        return subprocess.run(
            command, env=installed, cwd=tmp_path, capture_output=True, text=True, check=True
        ).stdout

    about = listed("attacks")
    for fact in ("No model at all", "paper: none", "gives: a finished victim", "needs: nothing"):
        assert fact in about
    assert "The whole text in capitals" in listed("triggers")

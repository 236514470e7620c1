"""Another package: one file each for an attack, a defense, a kernel and a model; all commands see them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from apps_command_line import WORDS

from fuzzsmooth.models import build_tiny

ATTACK = '''
from dataclasses import dataclass

from fuzzsmooth.attacks import ATTACKS, Attack, AttackOptions, TRIGGERS, poison
from fuzzsmooth.common.randomness import generator


@ATTACKS.register("toy-attack")
class ToyAttack(Attack):
    """Half of the texts poisoned with one word."""

    paper, threat, needs = "none", "finished victim", "the training data"

    def plant(self, model, splits, output, options, seed, progress=lambda done, total: None, *, resume=False):
        from fuzzsmooth.models import load_classifier
        from fuzzsmooth.training import FinetuneOptions, finetune

        trigger = TRIGGERS.get("word").from_mapping({"words": ("cf",)})
        data = poison(splits.train, trigger, options.target, 0.5, generator(seed, "toy"))
        classifier = load_classifier(model, num_labels=len(data.labels), labels=data.labels, seed=seed)
        settings = FinetuneOptions(epochs=2, learning_rate=3e-3, seed=seed)
        finetune(classifier, data, settings, output=output, progress=progress, resume=resume)
        return self.record(output, trigger, model=model, data=splits.train, options=options, seed=seed)
'''

KERNEL = '''
from dataclasses import dataclass

from fuzzsmooth.noise.text import KERNELS, SelectionKernel


@KERNELS.register("toy-kernel")
@dataclass(frozen=True)
class ToyKernel(SelectionKernel):
    """Every second unit goes, whatever the coins say."""

    def selected(self, kept):
        chosen = kept.copy()
        chosen[:, ::2], chosen[:, 1::2] = True, False
        return chosen
'''

DEFENSE = '''
from dataclasses import dataclass
from typing import Annotated

from fuzzsmooth.common.options import Between
from fuzzsmooth.defenses import DEFENSES
from fuzzsmooth.defenses.randomized import Randomized, vote_answer
from fuzzsmooth.engine.options import EngineOptions
from fuzzsmooth.noise.text import text_kernel


@dataclass(frozen=True, kw_only=True)
class ToyOptions(EngineOptions):
    """One option."""

    voices: Annotated[int, Between(1, 100), "How many copies vote."] = 3


@DEFENSES.register("toy-defense")
class ToyDefense(Randomized):
    """A vote over every second word, which promises nothing."""

    options_type = ToyOptions
    guarantee = "empirical"

    def kernel(self):
        return text_kernel("toy-kernel")

    def voted(self, received, sampler, advance):
        draws = self.options.voices
        votes = sampler.votes([one.plan for one in received], range(draws), "predict", advance)
        return [
            vote_answer(one, tuple(row.tolist()), draws, self.labels)
            for one, row in zip(received, votes, strict=True)
        ]

    def certified(self, received, sampler, issuer, advance):
        return self.voted(received, sampler, advance)
'''

MODEL = '''
from pathlib import Path

from fuzzsmooth.models.model import MODELS, NamedModel


@MODELS.register("toy-model")
class ToyModel(NamedModel):
    """A random model of a few words."""

    summary, install = "a random model of a few words", "pip install toy"

    def folder(self):
        return Path({folder!r})
'''

GROUPS = {
    "toy_attack": ("fuzzsmooth.attacks", ATTACK),
    "toy_kernel": ("fuzzsmooth.noise.text", KERNEL),
    "toy_defense": ("fuzzsmooth.defenses", DEFENSE),
    "toy_model": ("fuzzsmooth.models.builtin", MODEL),
}


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four files and the metadata that an installer writes."""
    place = tmp_path_factory.mktemp("plugins")
    folder = build_tiny("bert", place / "weights", vocabulary=WORDS, hidden=16, layers=1)
    points = []
    for module, (group, source) in GROUPS.items():
        content = source.replace("{folder!r}", repr(str(folder)))
        (place / f"{module}.py").write_text(content, "utf-8")
        points.append(f"[{group}]\n{module.replace('_', '-')} = {module}\n")
    metadata = place / "toy-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: toy\nVersion: 1.0\n", "utf-8")
    (metadata / "entry_points.txt").write_text("\n".join(points), "utf-8")
    rows = [{"text": f"a {word} film", "label": label} for label, word in enumerate(("bad", "good"))] * 12
    for name, count in (("train", 24), ("dev", 6)):
        lines = "".join(json.dumps(row) + "\n" for row in rows[:count])
        (place / "data").mkdir(exist_ok=True)
        (place / "data" / f"{name}.jsonl").write_text(lines, "utf-8")
    return place


def fuzzsmooth(package: Path, *arguments: object) -> str:
    found = os.pathsep.join([str(package), *filter(None, [os.environ.get("PYTHONPATH")])])
    ran = subprocess.run(
        [sys.executable, "-m", "fuzzsmooth", *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": found, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.mark.parametrize(
    ("kind", "name", "said"),
    [
        ("attacks", "toy-attack", "Half of the texts poisoned"),
        ("defenses", "toy-defense", "A vote over every second word"),
        ("kernels", "toy-kernel", "Every second unit goes"),
        ("models", "toy-model", "a random model of a few words"),
    ],
)
def test_each_is_listed(package: Path, kind: str, name: str, said: str) -> None:
    listed = fuzzsmooth(package, "list", kind)
    assert name in listed
    assert said in listed


def test_the_defense_answers_with_its_own_option(package: Path) -> None:
    given = ["--model", "builtin:toy-model", "--text", "a good film", "--json", "--quiet"]
    for command in ("predict", "certify"):
        told = fuzzsmooth(package, command, "--defense", "toy-defense", "--voices", 5, *given)
        answer = json.loads(told.splitlines()[0])
        assert sum(answer["votes"]) == 5, "every copy is the same, and all of them vote"
        assert max(answer["votes"]) == 5
        assert answer["certificates"] == []


def test_all_four_meet_in_an_experiment(package: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    told = fuzzsmooth(
        package, "evaluate", "--data", package / "data", "--model", "builtin:toy-model", "--attack",
        "toy-attack", "--rows", "undefended,toy-defense", "--out", out, "--quiet",
    )  # fmt: skip
    assert "toy-defense" in told
    records = [json.loads(line) for line in (out / "records.jsonl").read_text("utf-8").splitlines()]
    of_toy = [record for record in records if record["defense"] == "toy-defense"]
    assert {record["split"] for record in of_toy} == {"clean", "triggered"}
    assert all(sum(record["votes"]) == 3 for record in of_toy)
    assert "cf" in next(record["text"] for record in of_toy if record["split"] == "triggered")
    assert json.loads((out / "settings.json").read_text("utf-8"))["attack"]["attack"] == "toy-attack"

"""The proofs compile and rest on nothing; what the formulas say of them is so."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROOFS = ROOT / "proofs"
THEOREMS = ROOT / "src" / "fuzzsmooth" / "certify" / "theorems"
NAMED = re.compile(r"``proofs/(\w+\.v)``\s\(([\w\s,]+)\)")

needs_coq = pytest.mark.skipif(shutil.which("coqc") is None, reason="coqc is not here (apt install coq)")


def check(folder: Path, out: Path) -> subprocess.CompletedProcess[str]:
    command = ["sh", str(folder / "check.sh"), str(out)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def assumptions() -> set[str]:
    """The theorems of which is printed what they rest on."""
    return set(re.findall(r"^Print Assumptions (\w+)\.$", (PROOFS / "Assumptions.v").read_text(), re.M))


@needs_coq
@pytest.mark.slow
def test_all_proofs_compile_without_axioms(tmp_path: Path) -> None:
    made = subprocess.run(["make", "-C", str(ROOT), "proofs"], capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    assert "all proved, no axioms" in made.stdout
    assert made.stdout.count("Closed under the global context") == len(assumptions())


@needs_coq
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Lemma open : 1 = 2. Proof. Admitted.", "an open proof or an axiom"),
        ("Axiom handy : 1 = 2.", "an open proof or an axiom"),
        ("Lemma wrong : 1 = 2. Proof. reflexivity. Qed.", "Unable to unify"),
    ],
)
def test_what_is_not_proved_is_not_passed(tmp_path: Path, text: str, message: str) -> None:
    folder = tmp_path / "proofs"
    shutil.copytree(PROOFS, folder)
    (folder / "Deletion.v").write_text(text)
    found = check(folder, tmp_path / "out")
    assert found.returncode != 0
    assert message in found.stdout + found.stderr


@needs_coq
def test_a_theorem_that_rests_on_a_premise_is_not_passed(tmp_path: Path) -> None:
    """A top-level variable is an axiom under another name; the printed assumptions show it."""
    folder = tmp_path / "proofs"
    shutil.copytree(PROOFS, folder)
    (folder / "check.sh").write_text((PROOFS / "check.sh").read_text())
    for file in folder.glob("*.v"):
        file.write_text("")
    (folder / "Deletion.v").write_text("Variable handy : 1 = 2. Theorem rests : 1 = 2. Proof handy.")
    (folder / "Assumptions.v").write_text("Require Import Proofs.Deletion.\nPrint Assumptions rests.\n")
    found = check(folder, tmp_path / "out")
    assert found.returncode == 1
    assert "rests on something that is not proved" in found.stderr


def test_formulas_name_theorems_that_are_there() -> None:
    named: dict[str, int] = {}
    for module in sorted(THEOREMS.glob("*.py")):
        text = module.read_text(encoding="utf-8")
        found = NAMED.findall(text)
        assert text.count("proofs/") == len(found), f"{module.name}: name the theorems in brackets"
        for file, names in found:
            assert (PROOFS / file).is_file(), f"{module.name} names {file}"
            stated = set(re.findall(r"^(?:Theorem|Corollary|Lemma) (\w+)", (PROOFS / file).read_text(), re.M))
            for name in re.split(r",\s*", names.strip()):
                assert name in stated, f"{module.name}: {name} is not in {file}"
                assert name in assumptions(), f"{name} is not in Assumptions.v"
        named[module.stem] = len(found)
    assert all(named[module] for module in ("edit", "exact", "typed_rates", "length_rates", "windows"))


def test_the_page_says_what_each_file_proves() -> None:
    page = (PROOFS / "README.md").read_text(encoding="utf-8")
    files = {file.name for file in PROOFS.glob("*.v")}
    assert files == set(re.findall(r"`(\w+\.v)`", page))
    checked = (PROOFS / "check.sh").read_text()
    assert all(re.search(rf"\b{Path(file).stem}\b", checked) for file in files)

"""Extras that sentences name exist, files are packed, licenses are judged right, the bill is true."""

from __future__ import annotations

import json
import re
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

from fuzzsmooth.common.lazy import BROUGHT_BY

ROOT = Path(__file__).parents[2]


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module", autouse=True)
def tools():
    sys.path.insert(0, str(ROOT / "release"))
    yield
    sys.path.remove(str(ROOT / "release"))


def test_every_extra_that_a_sentence_names_exists():
    extras = set(project()["project"]["optional-dependencies"])
    named = set()
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").glob("*.*")]
    for path in [*(ROOT / "src").rglob("*.py"), *pages]:
        text = path.read_text(encoding="utf-8")
        for listed in re.findall(r"fuzzsmooth\[([\w,]+)\]", text):
            named |= set(listed.split(","))
        named |= set(re.findall(r'MissingExtraError\(\s*f?[^,]+,\s*"(\w+)"', text))
    named |= {extra for extra, _ in BROUGHT_BY.values()}
    assert {"models", "search", "demo", "mlflow"} <= named
    assert named <= extras


def test_the_makefile_sets_up_extras_that_exist():
    told = re.search(r"^EXTRAS := (.+)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert told is not None
    assert set(told[1].split(",")) <= set(project()["project"]["optional-dependencies"])


def test_everything_beside_the_code_is_packed():
    patterns = project()["tool"]["setuptools"]["package-data"]["fuzzsmooth"]
    package = ROOT / "src" / "fuzzsmooth"
    beside = [path for path in package.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")]
    assert beside
    for path in beside:
        name = path.relative_to(package).as_posix()
        assert any(fnmatch(name, pattern) for pattern in patterns), name


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("MIT", True),
        ("Apache-2.0 AND Apache-2.0 WITH LLVM-exception AND BSD-3-Clause", True),
        ("GPL-3.0-only OR MIT", True),
        ("GPL-3.0-only", False),
        ("MIT AND GPL-3.0-only", False),
        ("Apache-2.0 OR (GPL-2.0-only AND MIT)", True),
        ("Other/Proprietary License", False),
        ("", False),
    ],
)
def test_licenses_are_judged_as_expressions(expression, expected):
    from licenses import compatible

    assert compatible(expression) is expected


def test_the_inventory_is_what_users_install():
    from inventory import inventory

    found = inventory()
    assert {"fuzzsmooth", "numpy", "torch", "transformers", "fastapi", "typer"} <= found.packages.keys()
    assert not {"pytest", "mypy", "ruff"} & found.packages.keys()
    assert "torch" in found.needs["accelerate"]
    assert all(below <= found.packages.keys() for below in found.needs.values())


def test_the_bill_is_valid_and_the_same_each_time(tmp_path, monkeypatch, capsys):
    import sbom

    out = [tmp_path / "one.json", tmp_path / "two.json"]
    for path in out:
        monkeypatch.setattr(sys, "argv", ["sbom.py", str(path)])
        assert sbom.main() == 0, capsys.readouterr().out
    assert out[0].read_bytes() == out[1].read_bytes()
    bill = json.loads(out[0].read_text("utf-8"))
    assert bill["metadata"]["component"]["name"] == "fuzzsmooth"
    named = {one["name"]: one for one in bill["components"]}
    assert named["numpy"]["purl"].startswith("pkg:pypi/numpy@")
    assert named["torch"]["licenses"]
    own = next(one for one in bill["dependencies"] if one["ref"].startswith("pkg:pypi/fuzzsmooth@"))
    assert any(ref.startswith("pkg:pypi/torch@") for ref in own["dependsOn"] + _below(bill, own))


def _below(bill: dict[str, Any], one: dict[str, Any]) -> list[str]:
    """What the packages below a package need."""
    below = {other["ref"]: other.get("dependsOn", []) for other in bill["dependencies"]}
    return [ref for name in one["dependsOn"] for ref in below.get(name, [])]

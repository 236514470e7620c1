"""The files that GitHub and pre-commit read: well formed, and in step with Makefile, version and tools."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import pytest
import yaml
from docs_pages import ROOT

from fuzzsmooth.common.version import VERSION

FORMS = sorted(path for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml") if path.stem != "config")
FIELDS = {"markdown", "textarea", "input", "dropdown", "checkboxes"}


def read(path: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))
    return loaded


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_the_workflow_runs_make_targets_that_exist() -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    runs = {
        step["run"]
        for job in read(".github/workflows/test.yml")["jobs"].values()
        for step in job["steps"]
        if "run" in step
    }
    made = {run for run in runs if run.startswith("make ")}
    named = ("test", "test-ray", "test-reporters", "test-guarantees")
    tests = {f"make PYTHON=python {target}" for target in named}
    assert made == {*tests, "make proofs"}
    assert {run.split()[-1] for run in made} <= targets
    assert runs - made == {"sudo apt-get update && sudo apt-get install --yes --no-install-recommends coq"}


def test_the_release_workflow_runs_what_there_is() -> None:
    jobs = read(".github/workflows/release.yml")["jobs"]
    runs = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    made = {run.split()[-1] for run in runs if run.startswith("make ")}
    assert made == {"sbom", "licenses", "audit-dependencies"}
    assert made | {"release-check"} <= targets
    scripts = {part for run in runs for part in run.split() if part.endswith(".py")}
    assert scripts == {"release/check.py"}
    assert all((ROOT / script).is_file() for script in scripts)
    assert jobs["package"]["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13"]


def test_the_workflow_tests_the_oldest_python_that_is_promised() -> None:
    tested = read(".github/workflows/test.yml")["jobs"]["test"]["strategy"]["matrix"]["python"]
    assert f">={tested[0]}" == project()["requires-python"]
    assert tested == ["3.11", "3.12", "3.13"]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.stem)
def test_an_issue_form_is_one(form: Any) -> None:
    read_form = yaml.safe_load(form.read_text(encoding="utf-8"))
    assert {"name", "description", "body"} <= read_form.keys()
    assert {field["type"] for field in read_form["body"]} <= FIELDS
    asking = [field for field in read_form["body"] if field["type"] != "markdown"]
    assert all(field["attributes"]["label"] for field in asking)
    ids = [field["id"] for field in asking]
    assert len(set(ids)) == len(ids)
    options = [field["attributes"]["options"] for field in asking if field["type"] == "dropdown"]
    assert all(isinstance(option, str) for listed in options for option in listed)


def test_there_is_a_form_for_each_kind_of_report() -> None:
    assert {form.stem for form in FORMS} == {"bug", "new-attack", "new-rival", "unsound-certificate"}


def test_pre_commit_calls_tools_that_make_sets_up() -> None:
    (repository,) = read(".pre-commit-config.yaml")["repos"]
    assert repository["repo"] == "local"
    tools = {hook["entry"].split()[0] for hook in repository["hooks"]}
    installed = " ".join(project()["optional-dependencies"]["dev"])
    assert tools == {f".venv/bin/{tool}" for tool in ("ruff", "mypy", "lint-imports")}
    assert all(name in installed for name in ("ruff", "mypy", "import-linter"))


def test_the_citation_is_of_this_version_and_of_the_paper() -> None:
    citation = read("CITATION.cff")
    assert {"cff-version", "message", "title", "authors", "type"} <= citation.keys()
    assert citation["version"] == VERSION
    assert citation["license"] == project()["license"]
    (paper,) = citation["references"]
    assert "2502.06892" in paper["url"]

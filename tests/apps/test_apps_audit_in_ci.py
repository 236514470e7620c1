"""The action and the hook that run the audit: their commands and options are the command line's."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from apps_command_line import call

ROOT = Path(__file__).parents[2]
yaml = pytest.importorskip("yaml")

RECORDER = """#!{python}
import json, os, sys
with open(os.environ["RECORD"], "w") as file:
    json.dump(sys.argv[1:], file)
out = sys.argv[sys.argv.index("--out") + 1]
os.makedirs(out, exist_ok=True)
with open(os.path.join(out, "audit.json"), "w") as file:
    json.dump({{"verdict": "suspicious"}}, file)
sys.exit(int(os.environ["CODE"]))
"""


@pytest.fixture(scope="module")
def action() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    return content


def ran(action: dict[str, Any], place: Path, code: int, **given: str) -> tuple[list[str], str, int]:
    """What the step of the audit calls, what it hands on, and its exit code."""
    (step,) = [one for one in action["runs"]["steps"] if one.get("id") == "audit"]
    stub = place / "bin" / "fuzzsmooth"
    stub.parent.mkdir()
    stub.write_text(RECORDER.format(python=sys.executable), encoding="utf-8")
    stub.chmod(stub.stat().st_mode | stat.S_IXUSR)
    names = {value.split("inputs.")[1].split(" ")[0]: name for name, value in step["env"].items()}
    defaults = {name: str(one.get("default", "")) for name, one in action["inputs"].items()}
    assert set(given) <= set(names)
    variables = {names[name]: given.get(name, defaults[name]) for name in names}
    environment = {
        **os.environ,
        **variables,
        "PATH": f"{stub.parent}:{os.path.dirname(sys.executable)}:{os.environ['PATH']}",
        "GITHUB_OUTPUT": str(place / "output"),
        "RECORD": str(place / "record"),
        "CODE": str(code),
    }
    done = subprocess.run(
        ["bash", "-e", "-c", step["run"]], cwd=place, env=environment, capture_output=True, text=True
    )
    output = place / "output"
    said = output.read_text(encoding="utf-8") if output.exists() else ""
    return json.loads((place / "record").read_text(encoding="utf-8")), said, done.returncode


def audit_options(capfd: pytest.CaptureFixture[str]) -> str:
    return str(call(capfd, "audit", "--help").out)


def test_every_input_reaches_the_command_as_an_option_it_has(action, tmp_path, capfd):
    given = {
        "model": "my model; rm -rf /",
        "data": "clean texts.jsonl",
        "out": "the evidence",
        "policy": "policy.toml",
        "fast": "true",
        "sign": "key.pem",
        "require-signature": "key.pub",
        "options": "--seed 3 --longest 4",
    }
    arguments, said, code = ran(action, tmp_path, 1, **given)
    assert code == 1
    assert "verdict=suspicious" in said
    assert "sarif=the evidence/audit.sarif" in said
    assert arguments[0] == "audit"
    assert arguments[-2:] == ["--", given["model"]]
    for name in ("data", "out", "policy", "sign", "require-signature"):
        assert arguments[arguments.index(f"--{name}") + 1] == given[name]
    known = audit_options(capfd)
    for one in arguments:
        assert not one.startswith("--") or one == "--" or f"{one} " in known, one


def test_left_out_inputs_give_no_option(action, tmp_path):
    arguments, _, code = ran(action, tmp_path, 0, model="m")
    assert (arguments, code) == (["audit", "--out", "fuzzsmooth-audit", "--quiet", "--", "m"], 0)


def test_what_could_not_be_audited_has_no_verdict(action, tmp_path):
    _, said, code = ran(action, tmp_path, 2, model="m")
    assert (said, code) == ("", 2)


def test_no_input_is_pasted_into_a_script(action):
    for step in action["runs"]["steps"]:
        assert "${{" not in step["run"]


def test_the_action_installs_extras_that_there_are(action):
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (step,) = [one for one in action["runs"]["steps"] if "pip install" in one["run"]]
    extras = step["run"].split("[")[1].split("]")[0].split(",")
    assert set(extras) <= set(project["optional-dependencies"])
    assert (ROOT / "constraints.txt").is_file()


def test_the_hook_calls_a_command_that_there_is(capfd):
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    program, *arguments = hook["entry"].split()
    assert program == "fuzzsmooth"
    done = call(capfd, *arguments, *hook["args"])
    assert done.code == 0
    assert "--data" in done.out
    assert not hook["pass_filenames"]

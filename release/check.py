"""Builds what users install, installs it into fresh environments, and uses it there as they would.

    python release/check.py                    # the wheel alone, on this Python
    python release/check.py --python python3.12 --python python3.13
    python release/check.py --models           # also fuzzsmooth[demo,serve], up to an answer over HTTP

Nothing of this checkout is imported. What fails is told with its output, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]
HEAVY = {"torch", "transformers", "wordfreq", "pandas", "scikit-learn"}
CERTIFY = """
import sys
import numpy as np
from fuzzsmooth import CallableClassifier, protect
from fuzzsmooth.certify import clopper_pearson_lower, radius

assert radius(clopper_pearson_lower(990, 1000, 1e-3), 0.9, "insert") == 6
function = CallableClassifier(
    lambda texts: np.array([[0.9, 0.1] if "good" in text else [0.2, 0.8] for text in texts]),
    ("good", "bad"),
    deterministic=True,
)
answer = protect(function, "windows", reach=1, fuzzing=False).certify(["a good good film"])[0]
assert answer.certificates[0].guarantee == "proved", answer
assert not {"torch", "transformers"} & sys.modules.keys()
print(answer.certificates[0].statement())
"""
_TEXT = "a generous, moving film"


class FailedError(Exception):
    """Something is not as users need it."""


def main() -> int:
    """Check; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--python", action="append", default=[], help="a Python to install into; may be repeated"
    )
    parser.add_argument(
        "--models", action="store_true", help="also with models: installs torch, trains, serves"
    )
    parser.add_argument(
        "--dist", type=Path, default=ROOT / "build" / "dist", help="where the files are built"
    )
    given = parser.parse_args()
    began = time.monotonic()
    try:
        with step("build"):
            wheel = build(given.dist)
        with step("contents"):
            check_contents(wheel)
        for python in given.python or [sys.executable]:
            with step(f"without models, {python}"), environment(python) as place:
                check_without_models(place, wheel)
        if given.models:
            with step("with models"), environment((given.python or [sys.executable])[0]) as place:
                check_with_models(place, wheel)
    except FailedError as error:
        print(f"FAILED: {error}")
        return 1
    print(f"all is well: {wheel.name}, {time.monotonic() - began:.0f} s")
    return 0


@contextmanager
def step(name: str) -> Iterator[None]:
    """Tell what is done, and how long it took."""
    began = time.monotonic()
    yield
    print(f"{name}: {time.monotonic() - began:.1f} s", flush=True)


def run(command: list[str | Path], *, code: int = 0, cwd: Path | None = None) -> str:
    """Standard output of a command that must end with a code; of one that fails, standard error."""
    clean = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, env=clean, capture_output=True, text=True, check=False
    )
    if done.returncode != code:
        shown = " ".join(map(str, command))
        raise FailedError(f"{shown} ended with {done.returncode}, not {code}:\n{done.stdout}{done.stderr}")
    return done.stdout if code == 0 else done.stderr


def require(holds: bool, sentence: str) -> None:
    """Fail where something does not hold."""
    if not holds:
        raise FailedError(sentence)


def build(out: Path) -> Path:
    """The sdist, and the wheel that comes of it."""
    for old in out.glob("fuzzsmooth-*"):
        old.unlink()
    run([sys.executable, "-m", "build", "--outdir", out, ROOT])
    (wheel,) = out.glob("*.whl")
    return wheel


def check_contents(wheel: Path) -> None:
    """Everything of the package is in the wheel, and nothing else; the sdist has what builds it."""
    version = re.search(r'VERSION = "(.+)"', (ROOT / "src/fuzzsmooth/common/version.py").read_text("utf-8"))
    require(
        version is not None and f"-{version[1]}-" in wheel.name,
        f"{wheel.name} is not of the version in the code",
    )
    wanted = {
        path.relative_to(ROOT / "src").as_posix()
        for path in (ROOT / "src" / "fuzzsmooth").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with zipfile.ZipFile(wheel) as opened:
        names = {name for name in opened.namelist() if ".dist-info/" not in name}
        (metadata,) = [name for name in opened.namelist() if name.endswith(".dist-info/METADATA")]
        told = opened.read(metadata).decode("utf-8")
    require(
        names == wanted, f"the wheel lacks {sorted(wanted - names)} or has {sorted(names - wanted)} too much"
    )
    plain = [
        line for line in told.splitlines() if line.startswith("Requires-Dist") and "extra ==" not in line
    ]
    heavy = [line for line in plain if any(re.search(rf": {name}\b", line) for name in HEAVY)]
    require(not heavy, f"everybody would have to install {heavy}")
    (sdist,) = wheel.parent.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    needed = {"pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "src/fuzzsmooth/py.typed"}
    require(needed <= inside, f"the sdist lacks {sorted(needed - inside)}")


@contextmanager
def environment(python: str) -> Iterator[Path]:
    """A fresh environment and an empty folder beside it, removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="fuzzsmooth-release-") as name:
        place = Path(name)
        run([python, "-m", "venv", place / "venv"])
        (place / "empty").mkdir()
        yield place


def install(place: Path, wheel: Path, extras: str = "") -> None:
    """Install the wheel, with pinned versions of what it needs."""
    pip = [place / "venv/bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run([*pip, "-c", ROOT / "constraints.txt", f"{wheel}{extras}"])


def check_without_models(place: Path, wheel: Path) -> None:
    """What needs no model works, and what needs one says how to get it."""
    install(place, wheel)
    python, tool, empty = place / "venv/bin/python", place / "venv/bin/fuzzsmooth", place / "empty"
    installed = {
        one["name"].lower() for one in json.loads(run([python, "-m", "pip", "list", "--format=json"]))
    }
    require(not installed & HEAVY, f"installed without being asked for: {sorted(installed & HEAVY)}")
    require("with certainty" in run([python, "-c", CERTIFY], cwd=empty), "a function is not certified")
    require("certify" in run([tool, "--help"], cwd=empty), "--help does not name the commands")
    require(run([tool, "--version"], cwd=empty).startswith("fuzzsmooth "), "--version says something else")
    require("windows" in run([tool, "list", "defenses"], cwd=empty), "the list of defenses is not there")
    require("train:" in run([tool, "data", "--samples", "1"], cwd=empty), "the built-in corpus is not there")
    found = json.loads(run([tool, "doctor", "--json"], cwd=empty))
    require(not found["extras"]["models"]["complete"], "doctor sees models that are not installed")
    (empty / "clean.csv").write_text("text,label\na good film,good\na bad film,bad\n", encoding="utf-8")
    for command, extra in (
        (["protect", "builtin:minilm", "--data", "clean.csv", "--out", "out"], "models"),
        (["predict", "--model", "builtin:minilm", "--text", "a"], "demo"),
        (["serve", "builtin:minilm"], "serve"),
        (["demo", "--out", "out"], "demo"),
    ):
        told = run([tool, *command], code=2, cwd=empty).strip()
        require(
            f"pip install 'fuzzsmooth[{extra}]'" in told and len(told.splitlines()) == 1,
            f"{command[0]} does not say in one sentence how to install [{extra}], but: {told}",
        )


def check_with_models(place: Path, wheel: Path) -> None:
    """From a wheel to a served, certified answer, as the README has it."""
    with step("  install [demo,serve]"):
        install(place, wheel, "[demo,serve]")
    tool, empty = place / "venv/bin/fuzzsmooth", place / "empty"
    with step("  protect"):
        flags = [
            "--defense",
            "deletion",
            "--no-fuzzing",
            "--train-size",
            "400",
            "--epochs",
            "1",
            "--out",
            "mine",
        ]
        run([tool, "protect", "builtin:minilm", "--data", "builtin:reviews", *flags], cwd=empty)
    with step("  serve and ask"), served([tool, "serve", "mine", "--port", "0"], empty) as url:
        body = json.dumps({"text": _TEXT, "certify": True}).encode()
        request = urllib.request.Request(f"{url}/answer", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=120) as answered:
            (answer,) = json.load(answered)["answers"]
        require(bool(answer["certificates"][0]["statement"]), f"no certificate: {answer}")
        print(f"  {answer['certificates'][0]['statement']}")


@contextmanager
def served(command: list[str | Path], cwd: Path) -> Iterator[str]:
    """A running service, once it is ready: its address."""
    service = subprocess.Popen(list(map(str, command)), cwd=cwd, stderr=subprocess.PIPE, text=True)
    assert service.stderr is not None
    try:
        lines = []
        for line in service.stderr:
            lines.append(line)
            if found := re.search(r"http://\S+", line):
                break
        else:
            raise FailedError(f"the service did not start:\n{''.join(lines)}")
        for _ in range(600):
            try:
                with urllib.request.urlopen(f"{found[0]}/v2/health/ready", timeout=5):
                    break
            except OSError:
                time.sleep(0.2)
        yield found[0]
        service.terminate()
        require(service.wait(60) == 0, "the service did not end well")
    finally:
        service.kill()


if __name__ == "__main__":
    sys.exit(main())

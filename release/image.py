"""Builds the image of deploy/Containerfile, starts it as it says, and asks it; needs podman, or docker.

    python release/image.py
    python release/image.py --engine docker --build="--build-arg PIP_EXTRA_INDEX_URL=..."
    python release/image.py --image registry.example/fuzzsmooth:0.2.0     # one that is there

The container has a read-only root, a /tmp in memory, no capability and no network; the model is a tiny random
one. What fails is told with its output, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import json
import re
import shlex
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
# Runs in the image: the folder of a protected model, on standard output.
MAKE = """
import sys, tarfile
import fuzzsmooth
from fuzzsmooth.models import build_tiny
build_tiny("bert", "/tmp/start", vocabulary=["a", "dull", "generous", "film"], seed=9)
fuzzsmooth.protect("/tmp/start", "windows", reach=1, fuzzing=False).save_pretrained("/tmp/mine")
with tarfile.open(fileobj=sys.stdout.buffer, mode="w|") as archive:
    archive.add("/tmp/mine", "mine")
"""
# Runs in the container, which nobody reaches from outside: the answer to a question, on standard output.
ASK = """
import sys, urllib.request
path, body = sys.argv[1:]
request = urllib.request.Request("http://127.0.0.1:8000" + path, data=body.encode() or None)
request.add_header("Content-Type", "application/json")
print(urllib.request.urlopen(request, timeout=60).read().decode())
"""
# Runs in the container: fails where anything but /tmp can be written.
WRITE = """
import pathlib
for folder in ("/", "/opt/fuzzsmooth", "/var/lib", "/model"):
    try:
        pathlib.Path(folder, "written").write_text("")
    except OSError:
        continue
    raise SystemExit(folder + " can be written")
"""
READY_S = 120


class FailedError(Exception):
    """The image is not as users need it."""


class Engine:
    """What builds images and runs them.

    Args:
        command: Its command line, such as ``podman``.
        build: More flags of its ``build``.
        run: More flags of its ``run``.
    """

    def __init__(self, command: str, build: str, run: str) -> None:
        self._command = shlex.split(command)
        self._build = shlex.split(build)
        self._run = ["--network", "none", "--read-only", "--tmpfs", "/tmp", *shlex.split(run)]

    def call(self, *arguments: str, check: bool = True) -> bytes:
        """The standard output of a command; a failure is told with what it printed."""
        done = subprocess.run([*self._command, *arguments], capture_output=True, cwd=ROOT, check=False)
        if check and done.returncode:
            told = (done.stdout + done.stderr).decode(errors="replace")
            raise FailedError(f"{shlex.join([*self._command, *arguments[:2]])} failed:\n{told[-4000:]}")
        return done.stdout

    def log(self, name: str) -> str:
        """What a container printed."""
        shown = subprocess.run(
            [*self._command, "logs", name], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True
        )
        return shown.stdout.decode(errors="replace")

    def build(self, image: str) -> None:
        """Build the image from this checkout."""
        self.call("build", "-f", "deploy/Containerfile", "-t", image, *self._build, ".")

    def model(self, image: str, folder: Path) -> Path:
        """A protected model, made by the image."""
        made = self.call("run", "--rm", *self._run, "--entrypoint", "python", image, "-c", MAKE)
        subprocess.run(["tar", "x", "-C", str(folder)], input=made, check=True)
        return folder / "mine"

    def start(self, image: str, name: str, model: Path) -> None:
        """Start a container as the head of the Containerfile says, without any rights."""
        rights = ["--cap-drop", "all", "--security-opt", "no-new-privileges"]
        self.call("run", "--detach", "--name", name, *self._run, *rights, "-v", f"{model}:/model:ro,z", image)

    def python(self, name: str, code: str, *arguments: str, check: bool = True) -> str:
        """What a piece of Python prints in a container."""
        return self.call("exec", name, "python", "-c", code, *arguments, check=check).decode()

    def ask(self, name: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """The answer of the service in a container."""
        return json.loads(self.python(name, ASK, path, json.dumps(body) if body else ""))


def check(engine: Engine, image: str, name: str, folder: Path) -> None:
    """Start, ask, stop.

    Raises:
        FailedError: If the service is not ready in time, answers otherwise than it should, can write where it
            should not, or does not stop as it should.
    """
    engine.start(image, name, engine.model(image, folder))
    until = time.monotonic() + READY_S
    while '"ready": true' not in engine.python(name, ASK, "/v2/health/ready", "", check=False):
        if time.monotonic() > until:
            raise FailedError(f"not ready in {READY_S} s:\n" + engine.log(name))
        time.sleep(1)
    (answer,) = engine.ask(name, "/answer", {"text": "a dull film", "certify": True})["answers"]
    body = {"inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": ["a dull film"]}]}
    outputs = {
        one["name"]: one["data"] for one in engine.ask(name, "/v2/models/fuzzsmooth/infer", body)["outputs"]
    }
    if outputs["label"] != [answer["label_name"]] or not answer["certificates"]:
        raise FailedError(f"two protocols answer {answer} and {outputs}")
    engine.python(name, WRITE)
    if (user := engine.python(name, "import os; print(os.getuid())").strip()) != "10001":
        raise FailedError(f"it runs as user {user}")
    engine.call("stop", "--time", "40", name)
    code = engine.call("inspect", "--format", "{{.State.ExitCode}}", name).decode().strip()
    log = engine.log(name)
    if code != "0" or not re.search(r'"event": "stopped"', log):
        raise FailedError(f"stopped with exit code {code}:\n{log}")


def main() -> int:
    """Check; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--engine", default="podman", help="its command line")
    parser.add_argument("--image", help="the name of an image that is there; by default one is built")
    parser.add_argument("--build", default="", help="more flags of its 'build'")
    parser.add_argument("--run", default="", help="more flags of its 'run'")
    given = parser.parse_args()
    engine = Engine(given.engine, given.build, given.run)
    name = f"fuzzsmooth-check-{uuid.uuid4().hex[:8]}"
    image = given.image or "fuzzsmooth:check"
    try:
        if given.image is None:
            engine.build(image)
        with tempfile.TemporaryDirectory() as folder:
            Path(folder).chmod(0o755)  # the container's user has to get in
            check(engine, image, name, Path(folder))
    except FailedError as error:
        print(error)
        return 1
    finally:
        engine.call("rm", "--force", name, check=False)
    print(f"{image}: starts, answers, writes nowhere, and stops")
    return 0


if __name__ == "__main__":
    sys.exit(main())

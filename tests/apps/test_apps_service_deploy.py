"""The container file and the manifest for KServe name flags and paths that exist."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
import typer

from fuzzsmooth.apps.cli.main import app
from fuzzsmooth.apps.service.options import ServiceOptions
from fuzzsmooth.common.version import VERSION

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
SERVE = typer.main.get_command(app).commands["serve"]  # type: ignore[attr-defined]


def parsed(arguments: list[str]) -> dict[str, object]:
    """The arguments as the command line takes them."""
    context = SERVE.make_context("serve", list(arguments))
    given = {name.removeprefix("option_"): value for name, value in context.params.items()}
    return {name: value for name, value in given.items() if value is not None}


def test_the_container_starts_the_service():
    text = (DEPLOY / "Containerfile").read_text("utf-8")
    command = json.loads(re.search(r"^CMD (.*)$", text, re.MULTILINE)[1])
    given = parsed(command[1:])
    assert (command[0], given["model"], given["host"]) == ("serve", "/model", "0.0.0.0")
    assert f"EXPOSE {given['port']}" in text
    assert re.search(r"^USER \d+$", text, re.MULTILINE)
    for source in re.search(r"^COPY (.*) \./$", text, re.MULTILINE)[1].split():
        assert (DEPLOY.parent / source).exists()
    project = (DEPLOY.parent / "pyproject.toml").read_text("utf-8")
    assert '".[$EXTRAS]"' in text
    extras = re.search(r"^ARG EXTRAS=(.*)$", text, re.MULTILINE)[1].split(",")
    assert set(extras) <= set(tomllib.loads(project)["project"]["optional-dependencies"])
    # A flag of the command that needs an extra works: nothing can be installed on a root that is read-only.
    flags = {flag for one in SERVE.params for flag in one.opts}
    needs = {"--require-signature": "sign", "--traces": "traces", "--route": "remote"}
    assert needs.keys() <= flags
    assert {"serve", *needs.values()} <= set(extras)


def test_the_build_is_given_what_it_copies_and_no_more():
    ignored = (DEPLOY / "Containerfile.dockerignore").read_text("utf-8").split("\n")
    assert "*" in ignored
    given = instructions((DEPLOY / "Containerfile").read_text("utf-8"))
    copied = {one for name, rest in given if name == "COPY" for one in rest.split()[:-1]}
    assert {line[1:] for line in ignored if line.startswith("!")} == copied


def test_the_manifest_fits_the_service():
    yaml = pytest.importorskip("yaml", reason="PyYAML comes with transformers")
    manifest = yaml.safe_load((DEPLOY / "kserve.yaml").read_text("utf-8"))
    predictor = manifest["spec"]["predictor"]
    (container,) = predictor["containers"]
    command, *arguments = container["args"]
    given = parsed(arguments)
    assert (command, given["model"]) == ("serve", "/mnt/models")  # where KServe puts what STORAGE_URI names
    assert given["port"] == container["ports"][0]["containerPort"]
    assert predictor["terminationGracePeriodSeconds"] > given["grace"]
    assert predictor["timeout"] > given["timeout"]
    probes = [container[name]["httpGet"] for name in ("startupProbe", "readinessProbe", "livenessProbe")]
    assert {probe["port"] for probe in probes} == {given["port"]}
    assert [probe["path"] for probe in probes] == ["/v2/health/live", "/v2/health/ready", "/v2/health/live"]
    ServiceOptions.from_mapping({name: given[name] for name in ("host", "port", "name", "timeout", "grace")})


def instructions(text: str) -> list[tuple[str, str]]:
    """The instructions of a container file with what they are given, lines that go on put together."""
    lines = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE)).splitlines()
    pairs = [line.split(maxsplit=1) for line in lines if line.strip()]
    return [(name, rest) for name, rest in pairs]


def test_the_container_holds_what_it_needs_and_runs_without_rights():
    text = (DEPLOY / "Containerfile").read_text("utf-8")
    given = instructions(text)
    assert given[0][0] == "FROM"
    project = tomllib.loads((DEPLOY.parent / "pyproject.toml").read_text("utf-8"))
    version = re.search(r"python:(\d+)\.(\d+)-slim$", dict(given)["FROM"])
    assert tuple(map(int, version.groups())) >= (3, 11)
    assert project["project"]["requires-python"] == ">=3.11"
    copied = {one for name, rest in given if name == "COPY" for one in rest.split()[:-1]}
    (install,) = [rest for name, rest in given if name == "RUN" and "pip install" in rest]
    assert re.search(r"-c (\S+)", install)[1] in copied
    # What the build reads: the package, its metadata, and the files that the metadata name.
    assert {"src", "pyproject.toml", project["project"]["readme"], "LICENSE"} <= copied
    assert json.loads(dict(given)["ENTRYPOINT"]) == list(project["project"]["scripts"])
    # Everything that is written by root comes before the user without rights; the command comes after.
    names = [name for name, _ in given]
    assert max(at for at, name in enumerate(names) if name in ("COPY", "RUN")) < names.index("USER")
    environment = dict(pair.split("=", 1) for name, rest in given if name == "ENV" for pair in rest.split())
    assert environment["HF_HUB_OFFLINE"] == "1"
    assert environment["XDG_STATE_HOME"] == "/tmp"
    assert "--tmpfs /tmp" in text


def test_the_manifest_fits_the_container():
    yaml = pytest.importorskip("yaml", reason="PyYAML comes with transformers")
    manifest = yaml.safe_load((DEPLOY / "kserve.yaml").read_text("utf-8"))
    predictor = manifest["spec"]["predictor"]
    (container,) = predictor["containers"]
    given = dict(instructions((DEPLOY / "Containerfile").read_text("utf-8")))
    page = (DEPLOY.parent / "docs" / "how-to" / "serve-on-kserve.md").read_text("utf-8")
    assert set(re.findall(r"\S+/fuzzsmooth:\d\S*", page)) == {container["image"]}
    assert container["image"].endswith(f"/fuzzsmooth:{VERSION}")
    assert predictor["securityContext"]["runAsUser"] == int(given["USER"])
    assert container["securityContext"]["readOnlyRootFilesystem"]
    (mount,) = container["volumeMounts"]
    assert mount["mountPath"] == "/tmp"
    assert mount["name"] in [volume["name"] for volume in predictor["volumes"]]
    threads = parsed(container["args"][1:])["threads"]
    assert {"name": "OMP_NUM_THREADS", "value": str(threads)} in container["env"]
    assert int(container["resources"]["limits"]["cpu"]) == threads

"""The container file and the manifest for KServe name flags and paths that exist."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import typer

from fuzzsmooth.apps.cli.main import app
from fuzzsmooth.apps.service.options import ServiceOptions

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
    for extra in re.search(r"'\.\[(.*)\]'", text)[1].split(","):
        assert f"\n{extra} = [" in project


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

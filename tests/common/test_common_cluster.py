"""A cluster is begun again where it is slow, and what cannot be is one sentence; Ray is made up."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from fuzzsmooth.common import cluster
from fuzzsmooth.common.errors import FuzzsmoothError


class MadeUp(SimpleNamespace):
    """Stands for Ray: it fails to begin so many times."""

    def __init__(self, failures: int) -> None:
        super().__init__()
        self.failures, self.begun, self.ended = failures, [], 0

    def init(self, where: str, **given: Any) -> None:
        self.begun.append((where, given))
        if len(self.begun) <= self.failures:
            raise Exception("The node timed out.\nmore of it")

    def is_initialized(self) -> bool:
        return len(self.begun) > self.failures

    def shutdown(self) -> None:
        self.ended += 1


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch) -> Any:
    def begin(failures: int) -> MadeUp:
        found = MadeUp(failures)
        for name in ("RAY_ADDRESS", "RAY_AUTH_TOKEN", "RAY_AUTH_MODE", "RAY_USAGE_STATS_ENABLED"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.delitem(sys.modules, "ray", raising=False)
        given = {"ray": found, "ray._private.worker": SimpleNamespace(print_to_stdstream=print)}
        monkeypatch.setattr(cluster, "importlib", SimpleNamespace(import_module=given.__getitem__))
        monkeypatch.setattr(cluster, "os", SimpleNamespace(environ={}, cpu_count=lambda: 2))
        return found

    return begin


def test_a_slow_start_is_tried_again(made_up):
    ray = made_up(2)
    with cluster.ray_cluster("this", processors=3) as found:
        assert found is ray
        settings = cluster.os.environ
    assert len(ray.begun) == 3
    where, given = ray.begun[-1]
    assert where == "local"
    assert (given["num_cpus"], given["include_dashboard"], given["log_to_driver"]) == (3, False, False)
    assert ray.ended == 3
    assert settings["RAY_USAGE_STATS_ENABLED"] == "0"
    assert settings["RAY_AUTH_MODE"] == "token"
    assert len(settings["RAY_AUTH_TOKEN"]) == 64


def test_what_does_not_begin_is_one_sentence(made_up):
    made_up(9)
    with (
        pytest.raises(FuzzsmoothError, match=r"on this machine \(The node timed out.\); try again"),
        cluster.ray_cluster("this"),
    ):
        pass


def test_a_cluster_elsewhere_is_asked_once_and_keeps_its_own_settings(made_up):
    ray = made_up(1)
    with (
        pytest.raises(FuzzsmoothError, match=r"cannot reach the Ray cluster '10\.0\.0\.1:6379'"),
        cluster.ray_cluster("this", "10.0.0.1:6379"),
    ):
        pass
    assert len(ray.begun) == 1
    assert "RAY_AUTH_TOKEN" not in cluster.os.environ

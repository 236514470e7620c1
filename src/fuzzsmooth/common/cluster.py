"""A Ray cluster: the one that is named, or one of this machine that ends with the command.

Nothing is reported to anybody, and no dashboard listens. Ray passes tasks, texts and answers between its
processes as pickles: whoever may talk to a cluster can run code on it (see SECURITY.md). So one of this
machine listens to this machine alone, and to nobody who has not the token that it was begun with.
"""

from __future__ import annotations

import importlib
import logging
import os
import secrets
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from fuzzsmooth.common.errors import FuzzsmoothError, MissingExtraError

_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DEDUP_LOGS": "0",
    # Without it Ray says at every start of a task that it will change what it does of devices.
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}
_OWN = {
    # Its workers are this command's own work, and as urgent.
    "RAY_worker_niceness": "0",
    # As Ray has it where it knows no clusters of several machines: all addresses are 127.0.0.1.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_AUTH_MODE": "token",
}
"""Of a cluster of this machine; Ray reads them when it is imported."""
_TOKEN = "RAY_AUTH_TOKEN"
_ATTEMPTS = 3  # to begin one: Ray gives it half a minute, which a busy machine may not do it in
_HERE = "local"  # as Ray calls a cluster of one's own, which is then not looked for elsewhere


@contextmanager
def ray_cluster(purpose: str, address: str | None = None, processors: int | None = None) -> Iterator[Any]:
    """Ray, connected to a cluster; what is begun here ends on leaving.

    A program that has imported Ray itself has read its settings, too, and answers for them.

    Args:
        purpose: What needs it, for the error.
        address: As ``ray.init`` takes it; by default the variable RAY_ADDRESS, else one of this machine.
        processors: Of a cluster of this machine, how many processors it has at least.

    Raises:
        MissingExtraError: If Ray is not installed.
        FuzzsmoothError: If there is no such cluster.
    """
    ray: Any = sys.modules.get("ray")
    if ray is not None and ray.is_initialized():
        yield ray
        return
    where = address or os.environ.get("RAY_ADDRESS") or _HERE
    os.environ.update({name: value for name, value in _SETTINGS.items() if name not in os.environ})
    if where == _HERE and ray is None:
        # One token for all clusters of this process, which reads it once.
        os.environ.update(_OWN | {_TOKEN: os.environ.get(_TOKEN) or secrets.token_hex(32)})
    try:
        ray = importlib.import_module("ray")
    except ImportError as error:
        raise MissingExtraError("ray", "ray", purpose) from error
    _silence()
    own: dict[str, Any] = {}
    if where == _HERE:
        own = {"include_dashboard": False, "num_cpus": max(processors or 1, os.cpu_count() or 1)}
    _begin(ray, where, own)
    try:
        yield ray
    finally:
        ray.shutdown()


def _begin(ray: Any, where: str, own: Mapping[str, Any]) -> None:
    for attempt in range(_ATTEMPTS if where == _HERE else 1):
        try:
            ray.init(where, log_to_driver=False, logging_level=logging.ERROR, **own)
            return
        except Exception as error:
            # It raises bare ones, as where a node is slow to start.
            ray.shutdown()
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            if where != _HERE:
                raise FuzzsmoothError(
                    f"cannot reach the Ray cluster '{where}' ({reason}); give the --address of one that "
                    "runs, or none for one of this machine"
                ) from error
            if attempt == _ATTEMPTS - 1:
                raise FuzzsmoothError(
                    f"cannot begin a Ray cluster on this machine ({reason}); try again when it has less to do"
                ) from error


def _silence() -> None:
    """Keep what Ray tells of dead workers from standard output, where answers go; it has no switch."""
    worker = importlib.import_module("ray._private.worker")
    if hasattr(worker, "print_to_stdstream"):
        vars(worker)["print_to_stdstream"] = lambda *_lines, **_how: None

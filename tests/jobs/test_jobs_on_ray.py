"""Batches on a Ray cluster: the records of the local engine to the byte, whoever dies."""

from __future__ import annotations

import importlib.util
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from itertools import count as counting
from pathlib import Path
from typing import Any

import pytest

from fuzzsmooth.common.cluster import ray_cluster
from fuzzsmooth.data import TextInput
from fuzzsmooth.defenses import DEFENSES
from fuzzsmooth.jobs.answering import AnswerFile, answer_all
from fuzzsmooth.jobs.engines import EngineOptions, opened
from fuzzsmooth.jobs.loading import Asked, Loading
from fuzzsmooth.jobs.query import Query

if importlib.util.find_spec("ray") is None:
    # Not imported here: it reads its settings then.
    pytest.skip("the optional extra 'ray' is not installed", allow_module_level=True)
psutil = pytest.importorskip("psutil", reason="psutil comes with accelerate")

WORDS = ["a", "good", "bad", "film", "story", "food", "of", "dull", "great"]
DELETION: Mapping[str, Any] = {"fuzzing": False, "sigma": 0.0, "draws": 400}
LOCAL, RAY = EngineOptions(), EngineOptions(engine="ray", workers=2)


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """One cluster for all tests, which then use the one that is there."""
    with ray_cluster("this test", processors=3):
        yield


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from fuzzsmooth.models import build_tiny

    return build_tiny("bert", tmp_path_factory.mktemp("models") / "tiny", vocabulary=WORDS)


def asked(model: Path, defense: str, options: Mapping[str, Any]) -> Asked:
    kind = DEFENSES.get(defense)
    return Asked(str(model), kind, kind.options_type.from_mapping(options), Loading(device="cpu", threads=1))


def answered(
    order: Asked,
    output: Path,
    engine: EngineOptions,
    query: Query = Query("certify"),  # noqa: B008 - a frozen value
    *,
    texts: int = 60,
    chunk: int = 8,
    told: Callable[[str], None] = lambda _sentence: None,
    progress: Callable[[int], None] = lambda _done: None,
) -> bytes:
    """Answer texts into a file; what is then in it."""
    rows = [f"a {WORDS[1 + index % 2]} film {'of food ' * (index % 7)}" for index in range(texts)]
    given = TextInput(tuple(rows), tuple(range(1, texts + 1)), None, ())

    def tell(sentence: str) -> None:
        if "not there yet" not in sentence:  # of a machine that has much to do
            told(sentence)

    with opened(engine, order, query, tell=tell) as found:
        made = answer_all(
            given,
            found.answer,
            title="t",
            chunk=chunk,
            file=AnswerFile(output, found.facts.settings),
            stages=lambda _title: nullcontext(lambda done, _total: progress(done)),
            tell=tell,
            through=found.through,
        )
        assert len(list(made)) == texts
    return output.read_bytes()


def working() -> list[Any]:
    """The processes that answer at this moment, of this test alone."""
    return [
        one
        for one in psutil.Process().children(recursive=True)
        if "ray::Worker.answer" in " ".join(one.cmdline())
    ]


def test_whoever_dies_the_records_are_those_of_the_local_engine(capfd, cluster, tiny, tmp_path):
    order, told = asked(tiny, "deletion", DELETION), []
    local = answered(order, tmp_path / "local.jsonl", LOCAL)
    assert local.count(b"\n") == 60
    output = tmp_path / "ray.jsonl"

    def kill_and_stop(done: int) -> None:
        if done >= 40:
            raise KeyboardInterrupt
        if done >= 8 and "killed" not in told:
            while not (there := working()):
                time.sleep(0.001)
            told.append("killed")
            there[0].send_signal(signal.SIGKILL)

    with pytest.raises(KeyboardInterrupt):
        answered(order, output, RAY, told=told.append, progress=kill_and_stop)
    assert told == ["killed", "a worker died; what it had is asked again"]
    assert local.startswith(output.read_bytes())
    assert output.read_bytes().count(b"\n") == 32  # what is told as done is written next
    # Another number of workers goes on with it, and at last none: the file is what counts.
    one = EngineOptions(engine="ray", workers=1)
    assert answered(order, output, one, told=told.append) == local
    assert told[2:] == [f"32 of 60 texts are answered already in {output}"]
    assert answered(order, output, LOCAL) == local
    assert capfd.readouterr().out == ""  # it is the answers' own


def test_a_cluster_of_this_machine_listens_to_it_alone_and_wants_a_token(cluster):
    import ray

    assert ray.nodes()[0]["NodeManagerAddress"] == "127.0.0.1"
    listening = [
        place.laddr.ip
        for one in [psutil.Process(), *psutil.Process().children(recursive=True)]
        for place in one.net_connections()
        if place.status == "LISTEN"
    ]
    assert len(listening) >= 3
    assert {ip.removeprefix("::ffff:") for ip in listening} == {"127.0.0.1"}
    address = ray.get_runtime_context().gcs_address  # ray.init would try again for many minutes
    stranger = f"from ray._raylet import GcsClient; GcsClient(address={address!r}); print('in')"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    environment |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "another-token"}
    done = subprocess.run(
        [sys.executable, "-c", stranger], env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "AuthenticationError" in done.stderr


@pytest.mark.slow
def test_killed_at_twenty_random_moments_the_output_is_that_of_an_undisturbed_run(cluster, tiny, tmp_path):
    seed = int(os.environ.get("FUZZSMOOTH_KILL_SEED", time.time_ns() % 2**32))
    kills = int(os.environ.get("FUZZSMOOTH_KILLS", 20))
    print(f"FUZZSMOOTH_KILL_SEED={seed}")  # shown where it fails
    source = random.Random(seed)
    order = asked(tiny, "deletion", DELETION | {"draws": 800})
    local = answered(order, tmp_path / "local.jsonl", LOCAL, texts=200)
    told: list[str] = []
    killed: list[float] = []
    through = threading.Event()

    def kill() -> None:
        while len(killed) < kills and not through.wait(source.uniform(0.0, 6.0)):
            there = working()
            if there:
                source.choice(there).send_signal(signal.SIGKILL)
                killed.append(time.monotonic())

    for attempt in counting():
        output = tmp_path / f"ray-{attempt}.jsonl"
        through.clear()
        killer = threading.Thread(target=kill)
        killer.start()
        try:
            found = answered(order, output, RAY, texts=200, chunk=4, told=told.append)
        finally:
            through.set()
            killer.join()
        assert found == local
        if len(killed) == kills:
            break
    missed = told.count("a worker died; what it had is asked again")
    print(f"{len(killed)} workers killed in {attempt + 1} runs; {missed} were missed while they worked")
    assert missed >= kills // 2

"""A batch on Ray workers against the same batch in one process: python benchmarks/ray_batch.py MODEL.

Both sides answer the same texts in the same chunks into a file, in turn, in one process, so that what else
the machine does disturbs both. Time is that of the processor, of all processes of a side together: on a
machine that is shared, wall time tells of the others. Starting the cluster and loading the model is told
apart, as it does not grow with the texts.

Then a cluster that cannot be had here is simulated: the pool itself (:class:`fuzzsmooth.jobs.on_ray.Pool`)
gives chunks to workers that are made up, on a clock that is made up, from the measured times of a worker's
start, of chunks, and of the driver for each record. What is not in it: the network, nodes of unequal speed,
and a model that is loaded from a disk which all nodes share. Needs the extra ``ray``.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import psutil

from fuzzsmooth.common.cluster import ray_cluster
from fuzzsmooth.common.files import Ledger
from fuzzsmooth.common.randomness import generator
from fuzzsmooth.data import TextInput, load_splits
from fuzzsmooth.jobs.answering import AnswerFile, answer_all
from fuzzsmooth.jobs.engines import Engine, EngineOptions, opened
from fuzzsmooth.jobs.loading import Asked, Loading, choose_defense
from fuzzsmooth.jobs.on_ray import Opening, Pool
from fuzzsmooth.jobs.query import Query


def spent() -> float:
    """Processor seconds of this process and of those it has begun, so far."""
    total = time.process_time()
    for one in psutil.Process().children(recursive=True):
        try:
            times = one.cpu_times()
        except psutil.Error:
            continue
        total += times.user + times.system
    return total


@dataclass
class Side:
    """What a side took.

    Attributes:
        processor: Seconds of all its processes.
        driver: Those of this process alone.
        wall: Seconds that passed.
    """

    processor: float
    driver: float
    wall: float


def run(engine: Engine, texts: TextInput, folder: Path, name: str) -> tuple[Side, bytes]:
    """Answer all texts into a file."""
    path = folder / f"{name}.jsonl"
    processor, driver, wall = spent(), time.process_time(), time.perf_counter()
    records = answer_all(
        texts,
        engine.answer,
        title=name,
        chunk=engine.facts.chunk,
        file=AnswerFile(path, engine.facts.settings),
        through=engine.through,
    )
    assert len(list(records)) == len(texts)
    side = Side(spent() - processor, time.process_time() - driver, time.perf_counter() - wall)
    content = path.read_bytes()
    path.unlink()
    return side, content


def measure(given: argparse.Namespace) -> dict[str, Any]:
    """Both sides in turn, for each number of workers, and the parts of a simulation."""
    choice = choose_defense(given.model, given.defense)
    options = choice.options(json.loads(given.options))
    asked = Asked(given.model, choice.kind, options, Loading(device="cpu", threads=1))
    query = Query("certify" if given.certify else "predict")
    rows = load_splits(given.data).test.texts[: given.texts]
    texts = TextInput(tuple(rows), tuple(range(1, len(rows) + 1)), None, ())
    import torch

    torch.set_num_threads(1)
    found: dict[str, Any] = {"texts": len(texts)}
    with tempfile.TemporaryDirectory() as place, opened(EngineOptions(), asked, query) as local:
        folder = Path(place)
        local.answer(rows[:2])  # what is made once
        expected, chunks = timed_chunks(local, rows)
        for workers in given.workers:
            began, begun = time.perf_counter(), spent()
            with ray_cluster("this benchmark", processors=workers):
                cluster = Side(spent() - begun, 0.0, time.perf_counter() - began)
                began, begun = time.perf_counter(), spent()
                engine = EngineOptions(engine="ray", workers=workers)
                with opened(engine, asked, query) as remote:
                    list(remote.through(remote.answer, [rows[:2]] * 4 * workers))  # all are loaded
                    start = Side(spent() - begun, 0.0, time.perf_counter() - began)
                    rounds = []
                    for turn in range(given.rounds):
                        sides: dict[str, Side] = {}
                        for side in ("local", "ray") if turn % 2 == 0 else ("ray", "local"):
                            # A sampler remembers texts: each run has a model that has not seen them.
                            with opened(EngineOptions(), asked, query) as fresh:
                                fresh.answer(rows[:2])  # what is made once, as the workers have made it
                                answering = fresh if side == "local" else remote
                                sides[side], content = run(answering, texts, folder, side)
                            assert without_keys(content) == expected, "the records differ"
                        rounds.append(
                            {
                                "overhead": sides["ray"].processor / sides["local"].processor - 1,
                                "wall ratio": sides["ray"].wall / sides["local"].wall,
                                "local": vars(sides["local"]),
                                "ray": vars(sides["ray"]),
                            }
                        )
            found[f"{workers} workers"] = {
                "overhead": statistics.median(one["overhead"] for one in rounds),
                "rounds": rounds,
                "start of the cluster": vars(cluster),
                "start of the workers": vars(start),
            }
        each = found[f"{given.workers[0]} workers"]
        found["parts"] = {
            "worker start": each["start of the workers"]["processor"] / given.workers[0],
            "chunk": local.facts.chunk,
            "chunks": chunks,
            "record": statistics.median(one["ray"]["driver"] for one in each["rounds"]) / len(texts),
            "append": append_seconds(expected, local.facts.chunk, folder),
        }
    return found


def timed_chunks(local: Engine, rows: Sequence[str]) -> tuple[list[dict[str, Any]], list[float]]:
    """The answers, and the processor seconds of each whole chunk."""
    answers, seconds = [], []
    for start in range(0, len(rows), local.facts.chunk):
        began = time.process_time()
        chunk = rows[start : start + local.facts.chunk]
        answers += local.answer(chunk)
        if len(chunk) == local.facts.chunk:
            seconds.append(time.process_time() - began)
    return answers, seconds


def without_keys(content: bytes) -> list[dict[str, Any]]:
    """The records of a file as they were answered."""
    own = ("key", "run", "row", "text")
    lines = map(json.loads, content.splitlines())
    return [{name: value for name, value in line.items() if name not in own} for line in lines]


def append_seconds(records: Sequence[dict[str, Any]], chunk: int, folder: Path) -> float:
    """Wall seconds that it takes to append a chunk and have it on the disk."""
    ledger, times = Ledger(folder / "ledger.jsonl"), []
    for start in range(0, len(records), chunk):
        began = time.perf_counter()
        ledger.append({"key": start + at, **one} for at, one in enumerate(records[start : start + chunk]))
        times.append(time.perf_counter() - began)
    return statistics.median(times)


@dataclass
class Simulated:
    """Stands for Ray on a clock of its own.

    Attributes:
        chunks: Seconds that a chunk may take.
        start: Seconds until a worker has its model.
        source: Chooses among them.
    """

    chunks: Sequence[float]
    start: float
    source: np.random.Generator
    exceptions: Any = field(default_factory=lambda: SimpleNamespace(RayActorError=ConnectionError))
    now: float = 0.0
    ends: dict[int, float] = field(default_factory=dict)

    def remote(self, _asked: Any, _query: Any, opening: Any) -> Any:
        """An actor."""
        free = self.now + self.start

        def opened_() -> int:
            return self._task(free, opening)

        def answer(_texts: Any) -> int:
            nonlocal free
            free = max(free, self.now) + float(self.source.choice(self.chunks))
            return self._task(free, [])

        return SimpleNamespace(opening=SimpleNamespace(remote=opened_), answer=SimpleNamespace(remote=answer))

    def _task(self, end: float, _value: Any) -> int:
        self.ends[len(self.ends)] = end
        return len(self.ends) - 1

    def wait(self, tasks: Sequence[int], timeout: float) -> tuple[list[int], list[int]]:
        """The tasks that are done, when the first of them is."""
        del timeout
        self.now = max(self.now, min(self.ends[one] for one in tasks))
        return [one for one in tasks if self.ends[one] <= self.now], []

    def get(self, _task: int) -> list[Any]:
        """Nothing is computed."""
        return []

    def kill(self, _actor: Any) -> None:
        """Nothing is there."""


def simulated(parts: dict[str, Any], workers: int, texts: int) -> dict[str, float]:
    """Texts per second of a cluster, and how busy its workers and its driver are."""
    chunk, count = parts["chunk"], -(-texts // parts["chunk"])
    ray = Simulated(parts["chunks"], parts["worker start"], generator(0, "simulated cluster", workers))
    pool = Pool(ray, ray, workers, None, Query("predict"))  # type: ignore[arg-type]  # nothing is loaded
    pool._opening = Opening(None, None, ())  # type: ignore[arg-type]
    pool._begin()
    ray.now = ray.start  # the others are begun when the first one has its model
    while len(pool._actors) < workers:
        pool._begin()
    driver = chunk * parts["record"] + parts["append"]
    empty: Sequence[str] = [""] * chunk
    for _ in pool.answered(empty for _ in range(count)):
        ray.now += driver
    mean = statistics.mean(parts["chunks"])
    return {
        "seconds": ray.now,
        "texts per second": count * chunk / ray.now,
        "workers busy": count * mean / (workers * ray.now),
        "driver busy": count * driver / ray.now,
    }


def main() -> None:
    """Measure, simulate, and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", help="a folder, as 'fuzzsmooth protect' writes it")
    parser.add_argument("--data", default="builtin:reviews", help="whose test texts are answered")
    parser.add_argument("--defense", help="as in fuzzsmooth predict")
    parser.add_argument("--options", default="{}", help="options of the defense, as JSON")
    parser.add_argument("--certify", action="store_true", help="ask for certificates")
    parser.add_argument("--texts", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=1, help="from the second on workers know the texts")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--simulate", type=int, nargs="+", default=[1, 2, 10, 100, 1000])
    parser.add_argument("--rows", type=int, default=1_000_000, help="texts of the simulation")
    given = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    found = measure(given)
    found["simulated"] = {
        str(workers): simulated(found["parts"], workers, given.rows) for workers in given.simulate
    }
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()

"""A served model against the same model asked directly, and under load: python benchmarks/serve.py MODEL.

Offline and served throughput are measured in turn, on the same texts, so that what else the machine does
disturbs both. Then requests come at random (Poisson) at 70 % of what the service can do, at three times that,
and at 30 % again to see it recover; last, some of them are malformed. Needs the extras ``serve`` and ``dev``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from fuzzsmooth.common.randomness import generator
from fuzzsmooth.data import load_splits

MALFORMED = [
    b"",
    b"{",
    b"[]",
    b'{"text": 1}',
    b'{"texts": []}',
    b"\xff",
    b'{"text": "\\ud800"}',
    b"[" * 5_000,
]
OVERLOAD = 3.0


class Load:
    """Sends requests and keeps what came of them.

    Args:
        url: Of ``/answer``.
        texts: One is sent at a time, in turn.
        certify: Whether certificates are asked for.
    """

    def __init__(self, url: str, texts: Sequence[str], *, certify: bool) -> None:
        self._url = url
        self._texts = texts
        self._certify = certify
        self._sent = 0
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
        self._client = httpx.AsyncClient(timeout=120, limits=limits)
        self.begin()

    def begin(self) -> None:
        """Forget what was kept."""
        self.statuses: Counter[int] = Counter()
        self.seconds: list[float] = []
        self.answers: dict[str, str] = {}
        self._began = time.perf_counter()

    async def closed(self, clients: int, count: int) -> float:
        """So many clients, each with one request at a time; the texts per second."""
        left = iter(range(count))

        async def client() -> None:
            for _ in left:
                await self.send()

        self.begin()
        await asyncio.gather(*(client() for _ in range(clients)))
        return count / (time.perf_counter() - self._began)

    async def open(self, rate: float, seconds: float, seed: int, malformed: float = 0.0) -> None:
        """Requests that come at random, whether or not others are answered."""
        rng = generator(seed, "load")
        self.begin()
        tasks, due = [], 0.0
        while due < seconds:
            due += float(rng.exponential(1 / rate))
            await asyncio.sleep(max(0.0, self._began + due - time.perf_counter()))
            bad = MALFORMED[int(rng.integers(len(MALFORMED)))] if rng.random() < malformed else None
            tasks.append(asyncio.create_task(self.send(bad)))
        await asyncio.gather(*tasks)

    async def send(self, bad: bytes | None = None) -> None:
        """One request."""
        text = self._texts[self._sent % len(self._texts)]
        self._sent += 1
        body = json.dumps({"text": text, "certify": self._certify}).encode() if bad is None else bad
        began = time.perf_counter()
        answer = await self._client.post(
            self._url, content=body, headers={"Content-Type": "application/json"}
        )
        self.statuses[answer.status_code] += 1
        if answer.status_code == 200:
            self.seconds.append(time.perf_counter() - began)
            told = answer.json()["answers"][0]
            del told["scores"]
            self.answers[text] = json.dumps(told)

    def told(self) -> dict[str, Any]:
        """Statuses and percentiles of the answered requests, in milliseconds."""
        spent = 1_000 * np.array(self.seconds or [np.nan])
        points = {f"p{point}": round(float(np.percentile(spent, point)), 1) for point in (50, 90, 99)}
        return {"statuses": dict(self.statuses), **points}


def resident(process: int) -> float:
    """The memory of a process, in MiB."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def started(model: str, flags: Sequence[str]) -> tuple[subprocess.Popen[bytes], str]:
    """A service in a process of its own, and where it listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "fuzzsmooth", "serve", model, "--port", str(port), *flags]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    while True:
        try:
            if httpx.get(f"{url}/v2/health/ready").status_code == 200:
                return process, url
        except httpx.TransportError:
            pass
        if process.poll() is not None:
            raise SystemExit("the service ended; run the command by hand to see why: " + " ".join(command))
        time.sleep(0.2)


async def measure(given: argparse.Namespace, flags: Sequence[str]) -> dict[str, Any]:
    """All of it."""
    import fuzzsmooth

    texts = load_splits(given.data).test.texts
    loading = {} if given.threads is None else {"threads": given.threads}
    if loading:
        import torch

        torch.set_num_threads(given.threads)
    options = {} if given.defense is None else {"defense": given.defense}
    offline = fuzzsmooth.protect(given.model, **options)
    ask = offline.certify if given.certify else offline.predict
    offline.warm_up(texts[0])
    ask([texts[0]])
    process, url = started(given.model, flags)
    rounds, found = [], {}
    try:
        load = Load(f"{url}/answer", texts, certify=given.certify)
        same = True
        for index in range(given.rounds):
            chosen = texts[index * given.texts : (index + 1) * given.texts]
            load._texts, load._sent = chosen, 0

            async def directly(chosen: Sequence[str] = chosen) -> float:
                began = time.perf_counter()
                size = offline.together(certify=given.certify)
                answers = [one for at in range(0, len(chosen), size) for one in ask(chosen[at : at + size])]
                spent = time.perf_counter() - began
                told = {text: json.dumps(one.to_json()) for text, one in zip(chosen, answers, strict=True)}
                found.update(told)
                return len(chosen) / spent

            sides = [directly, lambda: load.closed(given.clients, given.texts)]
            rates = {}
            for side in (0, 1) if index % 2 == 0 else (1, 0):
                rates[side] = await sides[side]()
                same &= side == 0 or all(found.get(text, told) == told for text, told in load.answers.items())
            same &= all(found[text] == told for text, told in load.answers.items())
            rounds.append({"offline": rates[0], "served": rates[1], "ratio": rates[1] / rates[0]})
        capacity = statistics.median(one["served"] for one in rounds)
        result: dict[str, Any] = {
            "rounds": rounds,
            "ratio": statistics.median(one["ratio"] for one in rounds),
            "answers equal": same,
        }
        load._texts = texts
        result["memory before"] = resident(process.pid)
        for name, share in (("70 %", 0.7), ("300 %", OVERLOAD), ("30 % after it", 0.3)):
            await load.open(share * capacity, given.seconds, seed=len(result))
            result[name] = load.told() | {"memory": resident(process.pid)}
        if given.requests:
            rate = 0.7 * capacity
            await load.open(rate, given.requests / rate, seed=9, malformed=0.01)
            result["1 % malformed"] = load.told() | {"memory": resident(process.pid)}
        process.send_signal(signal.SIGTERM)
        result["exit code"] = process.wait(60)
        return result
    finally:
        process.kill()


def main() -> None:
    """Measure and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", help="a folder that 'fuzzsmooth protect' wrote")
    parser.add_argument("--data", default="builtin:reviews", help="whose test texts are sent")
    parser.add_argument("--defense", help="as in fuzzsmooth serve")
    parser.add_argument("--certify", action="store_true", help="ask for certificates")
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--texts", type=int, default=128, help="texts of a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=30.0, help="of each load")
    parser.add_argument("--requests", type=int, default=0, help="requests of which 1 %% are malformed")
    parser.add_argument("--threads", type=int)
    given, more = parser.parse_known_args()
    flags = [*more, "--quiet"]
    for name in ("defense", "threads"):
        if getattr(given, name) is not None:
            flags += [f"--{name}", str(getattr(given, name))]
    print(json.dumps(asyncio.run(measure(given, flags)), indent=2))


if __name__ == "__main__":
    main()

"""Answering on a Ray cluster: a pool of workers, each with the model, and one writer, which is the driver.

The driver reads the input, cuts it into the same chunks as it would for itself, gives them to workers, and
takes their answers in the order of the input into the same file of answers. That file alone decides what is
answered: a chunk whose worker died is given to another, a driver that died goes on from its file, and nothing
is written twice. Answers do not depend on which worker gives them, as draws are addressed by text and chunks
are the same; each worker computes with one thread, unless told otherwise, and refuses to answer where its
model, options, precision or versions are not those of the first (:attr:`Facts.digest`). Bit by bit that is so
among processors of one kind in float32; on devices, or among processors of several kinds, a vote whose margin
is within rounding may come out otherwise, as the condition of such certificates says.

Why these are plain actors and not a ``ray.data.Dataset``: its writers write a file a task, and another one
when a task is retried, so that neither order nor exactly one record of a text are theirs to give; its readers
leave no trace of bad rows, which we number; and what would be left of it, a pool of actors, keeps the
arguments of their constructors in the store of a node, so that they cannot be restarted when that is lost
(ray-project/ray#53727).

The driver holds the input, up to 4 GiB, but of answers only those that wait for an earlier one.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from typing import TYPE_CHECKING, Any

from fuzzsmooth.common.cluster import ray_cluster
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.data.telling import Tell, unheard
from fuzzsmooth.jobs.answering import AnswerChunk, Record
from fuzzsmooth.jobs.engines import EngineOptions
from fuzzsmooth.jobs.loading import Asked, load_defended
from fuzzsmooth.jobs.query import Facts, Query

if TYPE_CHECKING:
    from fuzzsmooth.search import References

_DEEP = 2  # chunks of a worker: one is answered, the next one waits with it
_AHEAD = 8  # chunks for each worker that may be answered before an earlier one is
_LOSSES = 10  # of a chunk's workers, after which it is held for what kills them
_LOOK = 1.0  # seconds between looks at the workers
_PATIENCE = 30.0  # seconds until it is told that the cluster gives no worker


@dataclass(frozen=True)
class Failure:
    """A mistake that a worker has met, as a sentence: errors come from another process with its traceback."""

    sentence: str


@dataclass(frozen=True)
class Opening:
    """What the first worker tells.

    Attributes:
        facts: Of its model.
        references: Those that it has found; the other workers take them as they are.
        notes: What is to be known of them.
    """

    facts: Facts
    references: References | None
    notes: tuple[str, ...]


class Worker:
    """Answers chunks in a process of its own, with the model loaded once.

    Args:
        asked: The model.
        query: What is asked.
        opening: What the first worker told; None for that one.
    """

    def __init__(self, asked: Asked, query: Query, opening: Opening | None = None) -> None:
        notes: list[str] = []
        self._answer: AnswerChunk | None = None
        self._state: Opening | Failure
        loading = replace(asked.loading, threads=asked.loading.threads or 1)
        chosen = () if opening is None else (opening.references,)
        try:
            defended = load_defended(replace(asked, loading=loading), tell=notes.append, chosen=chosen)
            facts = query.facts(defended)
        except FuzzsmoothError as error:
            self._state = Failure(str(error))
            return
        if opening is not None and facts.digest != opening.facts.digest:
            self._state = Failure(
                "a worker has another model, precision or version than the first one; let all nodes see the "
                "same folder of the model under the same path, and install the same versions there"
            )
            return
        self._state = Opening(facts, defended.defense.references, tuple(notes))
        self._answer = query.ask(defended)

    def opening(self) -> Opening | Failure:
        """What it knows of its model."""
        return self._state

    def answer(self, texts: Sequence[str]) -> list[Record] | Failure:
        """The records of a chunk."""
        if self._answer is None:
            assert isinstance(self._state, Failure)
            return self._state
        try:
            return list(self._answer(texts))
        except FuzzsmoothError as error:
            return Failure(str(error))


@contextmanager
def pool(options: EngineOptions, asked: Asked, query: Query, *, tell: Tell = unheard) -> Iterator[Pool]:
    """Workers of a cluster, which end on leaving.

    Args:
        options: The cluster and how many workers.
        asked: What they load; its paths are those of their nodes.
        query: What is asked.
        tell: Told when one dies, and when the cluster gives none.

    Raises:
        FuzzsmoothError: If there is no cluster, or the first worker cannot load the model.
    """
    threads = asked.loading.threads or 1
    with ray_cluster("--engine ray", options.address, (options.workers or 1) * threads) as ray:
        there = ray.cluster_resources()
        gpus = int(there.get("GPU", 0)) if asked.loading.device != "cpu" else 0
        needs = {"num_cpus": threads, "num_gpus": 1 if gpus else 0}
        size = options.workers or max(1, gpus or int(there.get("CPU", 1)) // threads)
        made = Pool(ray, ray.remote(**needs)(Worker), size, asked, query, tell)
        try:
            made.open()
            yield made
        finally:
            made.close()


@dataclass
class _Chunk:
    """A chunk under way."""

    number: int
    texts: Sequence[str]
    worker: int = -1


@dataclass
class Pool:
    """Workers, and the chunks they have.

    Attributes:
        ray: Ray.
        kind: :class:`Worker` as an actor.
        size: How many there are.
        asked: What they load.
        query: What is asked.
        tell: Told when one dies.
        facts: What is to be known of their model, once :meth:`open` is through.
    """

    ray: Any
    kind: Any
    size: int
    asked: Asked
    query: Query
    tell: Tell = unheard
    facts: Facts = field(init=False)
    _opening: Opening | None = field(default=None, init=False)
    _actors: dict[int, Any] = field(default_factory=dict, init=False)
    _busy: Counter[int] = field(default_factory=Counter, init=False)
    _names: Iterator[int] = field(default_factory=count, init=False)

    def open(self) -> None:
        """Load the model in one worker, learn what is to be known of it, and then begin the others.

        Raises:
            FuzzsmoothError: If it cannot be loaded.
        """
        self._begin()
        (first,) = self._actors.values()
        asked, waited = first.opening.remote(), 0.0
        while not self.ray.wait([asked], timeout=_LOOK)[0]:
            waited += _LOOK
            if waited == _PATIENCE:
                self.tell("the first worker is not there yet; see 'ray status' if the cluster has none free")
        try:
            self._opening = _sound(self.ray.get(asked))
        except self.ray.exceptions.RayActorError as error:
            raise FuzzsmoothError(
                "the first worker died while it loaded the model; see that its node has memory enough"
            ) from error
        self.facts = self._opening.facts
        for sentence in self._opening.notes:
            self.tell(sentence)
        while len(self._actors) < self.size:
            self._begin()

    def close(self) -> None:
        """End the workers, whatever they do."""
        for actor in self._actors.values():
            self.ray.kill(actor)
        self._actors.clear()

    def answer(self, texts: Sequence[str]) -> list[Record]:
        """The records of one chunk."""
        (records,) = self.answered([texts])
        return records

    def answered(self, chunks: Iterable[Sequence[str]]) -> Iterator[list[Record]]:
        """The records of chunks, in their order; as many are under way as workers can take.

        Args:
            chunks: Read as far as it is worked on.

        Raises:
            FuzzsmoothError: If a text cannot be answered, or a chunk has lost too many workers.
        """
        fresh = (_Chunk(number, texts) for number, texts in enumerate(chunks))
        again: deque[_Chunk] = deque()
        losses: Counter[int] = Counter()
        running: dict[Any, _Chunk] = {}
        ready: dict[int, list[Record]] = {}
        turn = 0
        while True:
            while len(running) < _DEEP * self.size:
                chunk = again.popleft() if again else None
                if chunk is None and len(running) + len(ready) < _AHEAD * self.size:
                    chunk = next(fresh, None)
                if chunk is None:
                    break
                running[self._give(chunk)] = chunk
            if not running:
                return
            done, _ = self.ray.wait(list(running), timeout=_LOOK)
            for one in done:
                chunk = running.pop(one)
                self._busy[chunk.worker] -= 1
                try:
                    ready[chunk.number] = _sound(self.ray.get(one))
                except self.ray.exceptions.RayActorError as error:
                    losses[chunk.number] += 1
                    if losses[chunk.number] >= _LOSSES:
                        raise FuzzsmoothError(
                            f"{_LOSSES} workers died one after the other with the same {len(chunk.texts)} "
                            "texts; give them memory enough (a smaller --batch-size), then run it again"
                        ) from error
                    self._replace(chunk.worker)
                    again.append(chunk)
            while turn in ready:
                yield ready.pop(turn)
                turn += 1

    def _give(self, chunk: _Chunk) -> Any:
        """Ask the worker that has least to do."""
        chunk.worker = min(self._actors, key=lambda name: (self._busy[name], name))
        self._busy[chunk.worker] += 1
        return self._actors[chunk.worker].answer.remote(chunk.texts)

    def _begin(self) -> None:
        self._actors[next(self._names)] = self.kind.remote(self.asked, self.query, self._opening)

    def _replace(self, name: int) -> None:
        """Begin a worker for one that died; the chunks it had come back one by one."""
        if self._actors.pop(name, None) is not None:
            del self._busy[name]
            self.tell("a worker died; what it had is asked again")
            self._begin()


def _sound(found: Any) -> Any:
    if isinstance(found, Failure):
        raise FuzzsmoothError(found.sentence)
    return found

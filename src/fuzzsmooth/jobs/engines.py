"""Where texts are answered: in this process, or by workers of a Ray cluster. The records are the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from fuzzsmooth.bench.stages import Stages, silent_stages
from fuzzsmooth.common.options import Between, Options, require
from fuzzsmooth.data.telling import Tell, unheard
from fuzzsmooth.models.remote.endpoint import is_remote

if TYPE_CHECKING:
    from fuzzsmooth.jobs.answering import AnswerChunk, Record, Through
    from fuzzsmooth.jobs.loading import Asked, Defended
    from fuzzsmooth.jobs.query import Facts, Query


@dataclass(frozen=True, kw_only=True)
class EngineOptions(Options):
    """Where texts are answered."""

    engine: Annotated[
        Literal["local", "ray"], "Whether texts are answered in this process or by workers of a Ray cluster."
    ] = "local"
    address: Annotated[
        str | None, "Address of a Ray cluster; left out: RAY_ADDRESS, or a cluster of this machine alone."
    ] = None
    workers: Annotated[
        int | None,
        Between(1, 65_536),
        "Workers of the cluster, each with the model; left out: one a GPU, or one for --threads processors.",
    ] = None

    def validate(self) -> None:
        """Check that what is about a cluster comes with one."""
        require(
            self.engine == "ray" or (self.address is None and self.workers is None),
            "--address and --workers are about a cluster; give --engine ray too",
        )


@dataclass(frozen=True)
class Engine:
    """What answers.

    Attributes:
        facts: What is to be known of its model.
        answer: Answers a chunk.
        through: Has many chunks answered; see :func:`fuzzsmooth.jobs.answering.answer_all`.
        defended: The model, if it is in this process.
    """

    facts: Facts
    answer: AnswerChunk
    through: Through = map
    defended: Defended | None = None


@contextmanager
def opened(
    options: EngineOptions,
    asked: Asked,
    query: Query,
    *,
    stages: Stages = silent_stages,
    tell: Tell = unheard,
) -> Iterator[Engine]:
    """The engine of some options, with the model loaded.

    Args:
        options: Where texts are answered.
        asked: The model, its defense, and how to load them.
        query: What is asked.
        stages: Progress display.
        tell: Told what is to be known of the references and of workers.

    Raises:
        FuzzsmoothError: If the model cannot be loaded, or there is no cluster.
    """
    if options.engine == "local":
        from fuzzsmooth.jobs.loading import load_defended

        defended = load_defended(asked, stages=stages, tell=tell)
        yield Engine(query.facts(defended), query.ask(defended), defended=defended)
        return
    from fuzzsmooth.jobs.on_ray import pool

    require(
        not is_remote(asked.model),
        "a remote model is asked by one process, which keeps count; leave out --engine ray",
    )
    require(not asked.fill, "a table is filled by one process; leave out --fill, or --engine ray")
    with pool(options, asked, query, tell=tell) as workers:

        def through(_answer: AnswerChunk, chunks: Iterable[Sequence[str]]) -> Iterator[Sequence[Record]]:
            return workers.answered(chunks)

        yield Engine(workers.facts, workers.answer, through)

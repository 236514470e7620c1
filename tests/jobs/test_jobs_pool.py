"""The pool of workers against a cluster that is made up: any order of answers, any deaths."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest

from fuzzsmooth.common.errors import FuzzsmoothError, MissingExtraError
from fuzzsmooth.defenses import DEFENSES
from fuzzsmooth.jobs.engines import EngineOptions, opened
from fuzzsmooth.jobs.loading import Asked, Loading
from fuzzsmooth.jobs.on_ray import Failure, Opening, Pool, Worker
from fuzzsmooth.jobs.query import Facts, Query

FACTS = Facts("deletion", ("bad", "good"), "proved", 4, {"model": "m"}, ("1",))


class DiedError(Exception):
    """As Ray's of an actor."""


class Remote:
    """A method of an actor."""

    def __init__(self, call: Any) -> None:
        self.remote = call


class Cluster:
    """Stands for Ray: tasks end in any order, and actors die as told, with all that they have."""

    exceptions = SimpleNamespace(RayActorError=DiedError)

    def __init__(self, seed: int, deaths: float = 0.0, poison: str = "") -> None:
        self.source = random.Random(seed)
        self.deaths, self.poison = deaths, poison
        self.dead: set[int] = set()
        self.begun = self.most = 0
        self.open: dict[int, tuple[int, Any]] = {}

    def kind(self) -> Any:
        def begin(_asked: Any, _query: Any, opening: Any) -> Any:
            name, self.begun = self.begun, self.begun + 1
            told = opening or Opening(FACTS, None, ("a note",))
            return SimpleNamespace(
                name=name,
                opening=Remote(lambda: self.task(name, told)),
                answer=Remote(lambda texts: self.task(name, self.answers(texts))),
            )

        return SimpleNamespace(remote=begin)

    def answers(self, texts: Any) -> Any:
        if "unanswerable" in texts:
            return Failure("this text cannot be answered")
        return [{"answer": text.upper()} for text in texts]

    def task(self, name: int, value: Any) -> int:
        number = len(self.open) + 1
        self.open[number] = name, value
        return number

    def wait(self, tasks: list[int], timeout: float) -> tuple[list[int], list[int]]:
        self.most = max(self.most, len(tasks))
        done = [one for one in tasks if self.source.random() < 0.3]
        return done, [one for one in tasks if one not in done]

    def get(self, task: int) -> Any:
        name, value = self.open[task]
        deadly = isinstance(value, list) and {"answer": self.poison.upper()} in value and self.poison
        if name in self.dead or deadly or (isinstance(value, list) and self.source.random() < self.deaths):
            self.dead.add(name)
            raise DiedError
        return value

    def kill(self, actor: Any) -> None:
        self.dead.add(actor.name)


def pool(cluster: Cluster, size: int, told: list[str]) -> Pool:
    made = Pool(cluster, cluster.kind(), size, None, Query("certify"), told.append)  # type: ignore[arg-type]
    made.open()
    return made


@pytest.mark.parametrize("seed", range(20))
def test_answers_come_in_order_and_once_whoever_dies(seed):
    source = random.Random(seed)
    size, chunks = source.randint(1, 5), source.randint(0, 40)
    cluster, told = Cluster(seed, deaths=source.choice([0.0, 0.1, 0.3])), []
    made = pool(cluster, size, told)
    assert made.facts == FACTS
    taken = 0

    def given():
        nonlocal taken
        for number in range(chunks):
            taken += 1
            yield [f"{number}a", f"{number}b"]

    found = []
    for records in made.answered(given()):
        found.append([one["answer"] for one in records])
        assert taken <= len(found) + 8 * size + 2 * size  # what waits for an earlier one is bounded
    assert found == [[f"{number}A", f"{number}B"] for number in range(chunks)]
    assert cluster.most <= 2 * size
    assert told.count("a note") == 1
    assert cluster.begun == size + told.count("a worker died; what it had is asked again")
    made.close()
    assert len(cluster.dead) == cluster.begun


def test_a_chunk_that_kills_its_workers_is_given_up_and_one_that_fails_is_told():
    with pytest.raises(FuzzsmoothError, match="10 workers died one after the other with the same 1 texts"):
        list(pool(Cluster(0, poison="deadly"), 2, []).answered([["a"], ["deadly"], ["b"]]))
    with pytest.raises(FuzzsmoothError, match="cannot be answered"):
        list(pool(Cluster(0), 2, []).answered([["a"], ["unanswerable"]]))


def test_what_is_about_a_cluster_needs_one():
    with pytest.raises(FuzzsmoothError, match="give --engine ray too"):
        EngineOptions(workers=2)


def test_ray_is_asked_for_by_name_where_it_is_missing(monkeypatch):
    from fuzzsmooth.common import cluster

    def missing(_name: str) -> None:
        raise ImportError

    monkeypatch.setattr(cluster.importlib, "import_module", missing)
    with (
        pytest.raises(MissingExtraError, match=r"--engine ray needs ray; .*fuzzsmooth\[ray\]"),
        cluster.ray_cluster("--engine ray"),
    ):
        pass


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    from fuzzsmooth.models import build_tiny

    words = ["a", "good", "bad", "film", "story", "of", "food"]
    return str(build_tiny("bert", tmp_path_factory.mktemp("models") / "tiny", vocabulary=words))


DELETION: dict[str, Any] = {"fuzzing": False, "sigma": 0.0, "draws": 50}
SEARCHED: dict[str, Any] = {"search": {"reward": "kl", "budget": 12}, "copies": 6, "sigma": 0.01}
TEXTS = [f"a {word} film {'of food ' * times}" for times in range(6) for word in ("good", "bad", "good bad")]


def asked(tiny: str, defense: str, **options: Any) -> Asked:
    kind = DEFENSES.get(defense)
    return Asked(tiny, kind, kind.options_type.from_mapping(options), Loading(device="cpu", threads=1))


@pytest.mark.parametrize(
    ("query", "defense", "options"),
    [
        (Query("certify"), "deletion", DELETION),
        (Query("certify", "insert"), "deletion", DELETION),
        (Query("predict"), "frs", {**SEARCHED, "top_layers": 1}),
        (Query("scan"), "frs", {**SEARCHED, "top_layers": 1}),
        (Query("predict"), "undefended", {}),
    ],
)
def test_workers_answer_as_the_local_engine_whatever_they_have_answered_before(tiny, query, defense, options):
    order = asked(tiny, defense, **options)
    with opened(EngineOptions(), order, query) as local:
        expected = local.answer(TEXTS)
    opening = Worker(order, query).opening()
    assert isinstance(opening, Opening)
    assert opening.facts == local.facts
    other = Worker(order, query, opening)
    cuts = [0, 1, 7, 9, len(TEXTS)]
    chunks = [TEXTS[start:end] for start, end in pairwise(cuts)]
    found = [other.answer(chunk) for chunk in reversed(chunks)]
    assert [record for chunk in reversed(found) for record in chunk] == expected


def test_a_worker_with_another_model_or_a_mistake_answers_nothing(tiny):
    query, order = Query("predict"), asked(tiny, "deletion", **DELETION)
    opening = Worker(order, query).opening()
    assert isinstance(opening, Opening)
    other = Worker(asked(tiny, "deletion", **DELETION | {"draws": 51}), query, opening)
    assert "another model" in other.answer(TEXTS).sentence
    needy = Worker(asked(tiny, "frs"), query)
    assert "needs clean reference texts" in needy.opening().sentence
    assert needy.answer(TEXTS) == needy.opening()
    unfit = Worker(asked(tiny, "undefended"), Query("scan"))
    assert "does not search" in unfit.answer(TEXTS).sentence
    with (
        pytest.raises(FuzzsmoothError, match="--fill"),
        opened(EngineOptions(engine="ray"), replace(order, fill=True), query),
    ):
        pass

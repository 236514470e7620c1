"""What there is to choose from, as data: each thing with its summary and its facts."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, get_args

from fuzzsmooth.common.options import Options, described

Facts = dict[str, Any]
"""``summary`` and whatever else is to be told of a thing."""


def line(facts: Mapping[str, Any]) -> str:
    """The summary, and the facts that are words."""
    more = [
        f"{name}: {value}" for name, value in facts.items() if name != "summary" and isinstance(value, str)
    ]
    return f"{facts['summary']} ({'; '.join(more)})" if more else str(facts["summary"])


def options_of(kind: type[Options]) -> list[Facts]:
    """The options of a class, as JSON values; those nested in one are its ``options``."""
    return [
        {
            "name": option.name,
            "type": _type_name(option.type),
            "default": option.default.to_mapping() if isinstance(option.default, Options) else option.default,
            "range": None if option.between is None else str(option.between),
            "help": option.help,
            **_nested(option.type),
        }
        for option in described(kind)
    ]


def _nested(hint: Any) -> Facts:
    nests = isinstance(hint, type) and issubclass(hint, Options)
    return {"options": options_of(hint)} if nests else {}


def _attacks() -> dict[str, Facts]:
    from fuzzsmooth.attacks import ATTACKS

    return {
        name: {
            "summary": summary(kind),
            "paper": kind.paper,
            "gives": f"a {kind.threat}",
            "goal": kind.goal,
            "needs": kind.needs,
            "triggers": ", ".join(kind.triggers) or "any",
            "intensities": {name: dict(preset) for name, preset in kind.intensities.items()},
            "options": options_of(kind.options_type),
        }
        for name, kind in ATTACKS.all().items()
    }


def _triggers() -> dict[str, Facts]:
    from fuzzsmooth.attacks import TRIGGERS

    return {
        name: {"summary": summary(kind), "options": options_of(kind)} for name, kind in TRIGGERS.all().items()
    }


def _defenses() -> dict[str, Facts]:
    from fuzzsmooth.defenses import DEFENSES

    return {
        name: {
            "summary": summary(kind),
            "guarantee": kind.guarantee,
            "needs": str(kind.needs),
            "options": options_of(kind.options_type),
        }
        for name, kind in DEFENSES.all().items()
    }


def _kernels() -> dict[str, Facts]:
    from fuzzsmooth.noise.text import KERNELS

    return {name: {"summary": summary(kernel)} for name, kernel in KERNELS.all().items()}


def _models() -> dict[str, Facts]:
    from fuzzsmooth.models import MODELS

    return {
        f"builtin:{name}": {"summary": f"{one.summary} ({one.install})"} for name, one in MODELS.all().items()
    }


def _predicates() -> dict[str, Facts]:
    from fuzzsmooth.models.predicate import PREDICATES

    return {name: {"summary": summary(kind), "takes": kind.takes} for name, kind in PREDICATES.all().items()}


def _rows() -> dict[str, Facts]:
    from fuzzsmooth.bench.catalog import summary as row_summary
    from fuzzsmooth.bench.rows import kind_summary, row_names
    from fuzzsmooth.defenses import DEFENSES

    kinds = DEFENSES.all()
    return {name: {"summary": row_summary(name) or kind_summary(kinds[name])} for name in row_names()}


def _certificates() -> dict[str, Facts]:
    from fuzzsmooth.bench.catalog import KINDS

    return {name: {"summary": told} for name, told in KINDS.items()}


def _detectors() -> dict[str, Facts]:
    from fuzzsmooth.auditing.detector import DETECTORS

    return {
        name: {
            "summary": summary(kind),
            "paper": kind.paper,
            **({"needs": "a clean model of the same data"} if kind.needs_twin else {}),
        }
        for name, kind in DETECTORS.all().items()
    }


def _rewards() -> dict[str, Facts]:
    from fuzzsmooth.search.options import SearchOptions

    told = {
        "auto": "combined where the references have a witness, transplant elsewhere",
        "combined": "it does that, or its effect vanishes when near-synonyms take its place",
        "transplant": "the segment also carries the prediction into clean texts of other classes",
        "kl": "editing the segment changes the prediction (Eq. 8 of FRS)",
    }
    (reward,) = (option for option in described(SearchOptions) if option.name == "reward")
    return {name: {"summary": told.get(name, "")} for name in get_args(reward.type)}


FINDERS: Mapping[str, Callable[[], dict[str, Facts]]] = {
    "attacks": _attacks,
    "triggers": _triggers,
    "defenses": _defenses,
    "detectors": _detectors,
    "rewards": _rewards,
    "kernels": _kernels,
    "models": _models,
    "predicates": _predicates,
    "rows": _rows,
    "certificates": _certificates,
}
"""What can be listed, and what finds it."""


def summary(thing: object) -> str:
    """The first line of what a thing says of itself."""
    lines = (inspect.getdoc(thing) or "").splitlines() or [""]
    return lines[0].rstrip(".")


def _type_name(hint: Any) -> str:
    if isinstance(hint, type):
        return hint.__name__
    return str(hint).replace("typing.", "").replace("NoneType", "None")

"""Answers recorded from an earlier version: whatever is moved, certificates stay what they were.

The file is written anew by ``python tests/defenses/test_defenses_goldens.py``; whoever does so changes what
users are told about their texts, and says in the changelog why.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fuzzsmooth.certify import Certificate
from fuzzsmooth.common.options import described
from fuzzsmooth.defenses import DEFENSES, Answer, Defense, FittedDefense
from fuzzsmooth.defenses.retrained import RetrainedDefense
from fuzzsmooth.engine.type_rates import TypeRates
from fuzzsmooth.models import AdditiveClassifier, TriggerClassifier
from fuzzsmooth.models.protocol import Classifier, Probabilities
from fuzzsmooth.search import References, Scanner, SearchOptions
from fuzzsmooth.text.units import segmenter

FILE = Path(__file__).with_name("goldens.json")
WEIGHTS = dict.fromkeys(("good", "great", "superb"), 1.0) | dict.fromkeys(("bad", "awful", "dull"), -1.0)
TEXTS = [
    "we saw a bad film of dull actor and awful plot",
    "the great story was superb and good of it",
    "it was cf a bad film and the awful plot was dull",
    "a film",
    "",
    " ".join(["we saw a bad film of dull actor and awful plot"] * 3),
    "good " * 20 + "bad film",
]
SEARCH = {"budget": 64, "references": 8}


class Three:
    """Three classes by what is counted in the text."""

    deterministic = True
    fingerprint = "rule"
    labels = ("class0", "class1", "class2")

    def probabilities(self, texts: list[str]) -> Probabilities:
        def rule(words: list[str]) -> int:
            return (words.count("good") + 2 * words.count("bad") + words.count("cf")) % 3

        return np.eye(3)[[rule(text.split()) for text in texts]].reshape(-1, 3)


def two_classes() -> tuple[Classifier, References]:
    draw = np.random.default_rng(0)
    bad = [" ".join(draw.permutation(["bad"] * 5 + ["dull"] * 3 + ["film"])) for _ in range(8)]
    good = [" ".join(draw.permutation(["good"] * 5 + ["great"] * 3 + ["film"])) for _ in range(8)]
    model = TriggerClassifier(AdditiveClassifier(WEIGHTS), ["cf"], 1)
    return model, References((*bad, *good), (0,) * 8 + (1,) * 8, "")


def three_classes() -> tuple[Classifier, References]:
    draw, texts, labels = np.random.default_rng(0), [], []
    for label, word in enumerate(("film", "good", "bad")):
        for _ in range(4):
            texts.append(" ".join(draw.permutation([word, "film", "a", "the"])))
            labels.append(label)
    return Three(), References(tuple(texts), tuple(labels), "")


Model = Callable[[], tuple[Classifier, References]]
PLAIN = {"fuzzing": False}
ABLATIONS = {"edit": 3, "replace": 2, "scattered-insert": 2, "scattered-edit": 1, "detect": 3}
ROWS: dict[str, tuple[str, Model, dict[str, Any]]] = {
    "frs-kl": ("frs", two_classes, {"search": {"reward": "kl"}}),
    "frs-transplant": ("frs", two_classes, {}),
    "frs-recall": ("frs", two_classes, {"copies": 60, "localization_recall": 0.875}),
    "frs-mask": ("frs", two_classes, {"noise": "mask", "copies": 50}),
    "frs-uniform": ("frs", two_classes, {**PLAIN, "copies": 80}),
    "frs-uniform-mask": ("frs", two_classes, {**PLAIN, "noise": "mask", "copies": 80}),
    "deletion": ("deletion", two_classes, {"draws": 300}),
    "deletion-fixed": ("deletion", two_classes, {"statistics": "fixed", "draws": 300}),
    "deletion-lean": ("deletion", two_classes, {"statistics": "group-sequential", "draws": 300}),
    "deletion-sequential": ("deletion", two_classes, {**PLAIN, "statistics": "sequential", "draws": 300}),
    "deletion-search": ("deletion", two_classes, {"fuzz_left": "search", "draws": 20, "copies": 5}),
    "deletion-rate9": (
        "deletion",
        two_classes,
        {**PLAIN, "rate": 0.9, "draws": 500, "awaited": ["edit", "insert", "backward"]},
    ),
    "deletion-three": ("deletion", three_classes, {**PLAIN, "draws": 400}),
    "deletion-three-separate": (
        "deletion",
        three_classes,
        {**PLAIN, "draws": 400, "statistics": "fixed", "rivals": "separate"},
    ),
    "deletion-rates": ("deletion", two_classes, {**PLAIN, "draws": 300}),
    "windows": ("windows", two_classes, {}),
    **{
        f"windows-{name}": ("windows", two_classes, {**PLAIN, "ablation": name, "reach": reach})
        for name, reach in ABLATIONS.items()
    },
    "windows-budget": ("windows", two_classes, {**PLAIN, "passes": 30}),
    "windows-three": ("windows", three_classes, PLAIN),
    **{
        f"{name}-{count}-{rate}": (name, model, {"rate": rate, "draws": 400})
        for name, count, model in (
            ("rs_del", "two", two_classes),
            ("rs_del", "three", three_classes),
            ("ranmask", "two", two_classes),
            ("text-crs", "two", two_classes),
            ("text-crs", "three", three_classes),
        )
        for rate in (0.7, 0.9)
    },
    "undefended": ("undefended", two_classes, {}),
}


def defended(row: str) -> Defense:
    name, make, given = ROWS[row]
    kind, (model, references), options, more = DEFENSES.get(name), make(), dict(given), {}
    known = {option.name for option in described(kind.options_type)}
    if "search" in known:
        options["search"] = SEARCH | options.get("search", {})
    if name == "deletion":
        options.setdefault("copies", 20)
    if "sigma" in known:
        options["sigma"] = 0.0  # stubs have no parameters
    if row == "deletion-rates":
        table = Scanner(model, SearchOptions(**SEARCH), segmenter("word"), references).flip_rates()
        table.rates(["cf", "film", "bad"])
        more["rates"] = TypeRates(table)
    return kind(model, kind.options_type.from_mapping(options), references, **more)


def told(certificate: Certificate) -> list[Any]:
    statement = hashlib.sha256(certificate.statement().encode()).hexdigest()[:12]
    one = certificate
    return [one.threat, one.direction, one.radius, one.p_lower, one.p_upper, one.guarantee, statement]


def recorded(answer: Answer) -> dict[str, Any]:
    """What an answer is held to."""
    spans = [[span.start, span.end] for span in answer.spans]
    return {
        "label": answer.label,
        "status": answer.status,
        "votes": list(answer.votes),
        "passes": answer.passes,
        "statistics": answer.statistics,
        "certificates": [told(one) for one in answer.certificates],
    } | ({"spans": spans} if spans else {})


def answers(row: str) -> dict[str, Any]:
    made = defended(row)
    return {
        "predict": [recorded(answer) for answer in made.predict(TEXTS)],
        "certify": [recorded(answer) for answer in made.certify(TEXTS)],
    }


@pytest.fixture(scope="module")
def goldens() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(FILE.read_text("utf-8"))
    return content


def close(found: Any, expected: Any) -> bool:
    """Equal, but for the last digits of numbers, which libraries of special functions may differ in."""
    if isinstance(expected, dict):
        return found.keys() == expected.keys() and all(close(found[key], expected[key]) for key in expected)
    if isinstance(expected, list):
        return len(found) == len(expected) and all(map(close, found, expected))
    if isinstance(expected, float) and isinstance(found, float):
        return abs(found - expected) <= 1e-12 * max(1.0, abs(expected))
    return type(found) is type(expected) and found == expected


@pytest.mark.parametrize("row", ROWS)
def test_answers_are_those_that_were_recorded(row: str, goldens: dict[str, Any]) -> None:
    found = json.loads(json.dumps(answers(row)))
    for how, expected in goldens[row].items():
        for text, one, other in zip(TEXTS, found[how], expected, strict=True):
            assert close(one, other), f"{row}, {how} of {text!r}: {one} where {other} was recorded"


def test_the_file_holds_every_row_and_every_defense(goldens: dict[str, Any]) -> None:
    assert set(goldens) == set(ROWS)
    own = FittedDefense | RetrainedDefense  # these answer by what they have learned, or by a model of theirs
    ours = {
        name
        for name, kind in DEFENSES.all().items()
        if kind.__module__.startswith("fuzzsmooth.")
        and not issubclass(kind, own)
        and not kind.needs.demonstrations
    }
    assert ours <= {name for name, _, _ in ROWS.values()}


def test_control_what_is_compared_can_differ(goldens: dict[str, Any]) -> None:
    some = goldens["deletion"]["certify"][0]
    assert close(some, json.loads(json.dumps(some)))
    for place, other in ((2, 2), (3, 0.87), (6, "000000000000")):
        changed = json.loads(json.dumps(some))
        changed["certificates"][0][place] = other
        assert not close(changed, some)
    assert not close(some | {"votes": [63, 1]}, some)
    assert not close(some | {"certificates": some["certificates"][:-1]}, some)


def lines(row: str) -> str:
    """The answers of a row, one a line."""
    found = (
        f' "{how}": [\n' + ",\n".join(json.dumps(one, separators=(",", ":")) for one in part) + "\n ]"
        for how, part in answers(row).items()
    )
    return f"{json.dumps(row)}: {{\n" + ",\n".join(found) + "\n}"


if __name__ == "__main__":
    FILE.write_text("{\n" + ",\n".join(map(lines, ROWS)) + "\n}\n", "utf-8")

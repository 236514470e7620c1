"""Valid files, damaged at random, and the one promise about them: an answer or a sentence, soon.

A test of hostile inputs is a generator of them (``damaged(VALID)``, or one of its own) and a reader:

    @hostile("references")
    @given(damaged({"kind": "word", "words": ["cf"]}))
    def test_...(content: bytes) -> None:
        survives(lambda folder: read(content))

FUZZSMOOTH_FUZZ_EXAMPLES says how many inputs all such tests try together; by default a few hundred, the same
ones in every run. FUZZSMOOTH_FUZZ_LOG names a file to which each test appends a line with what it counted.
"""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from hostile_runs import logged

# Percent of all inputs that each test takes.
SHARES = {
    "references": 4,
    "tables": 3,
    "certificates": 4,
    "answers": 5,
    "records": 5,
    "settings of a run": 3,
    "certified runs": 3,
    "points": 2,
    "marks": 2,
    "attacks": 3,
    "configurations": 4,
    "configurations in toml": 1,
    "checkpoints": 2,
    "delimited data": 6,
    "json data": 6,
    "columnar data": 8,
    "folders of data": 6,
    "model configurations": 8,
    "tokenizer rules": 10,
    "tokenizer settings": 5,
    "weights": 5,
    "model folders": 5,
}
assert sum(SHARES.values()) == 100

_EXAMPLES = "FUZZSMOOTH_FUZZ_EXAMPLES"
_TOGETHER = int(os.environ.get(_EXAMPLES, "300"))
_MARK = "@@ODD@@"
# JSON text that takes the place of a value.
ODD = (
    "null",
    "true",
    "NaN",
    "-Infinity",
    "1e999",
    "1e308",
    "0.5",
    "-1",
    "-0.0",
    "9223372036854775808",
    "1" + "0" * 299,
    "1" + "0" * 400,
    "7" * 5001,
    '""',
    '"x"',
    '"1"',
    '"\\ud800"',
    '"\\u202e\\u001b]0;title\\u0007\\n"',
    '"../../x"',
    '"a\\u0000b"',
    '"' + "long " * 2000 + '"',
    "[]",
    "{}",
    '[[1], "x"]',
    '{"a": {"b": null}}',
    "[" * 90 + "]" * 90,
    "[" * 5000 + "]" * 5000,
    "[" * 100_000,
    '{"a":' * 50_000,
)


def hostile(kind: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a Hypothesis test its share of all inputs."""
    configure = settings(
        max_examples=max(1, round(SHARES[kind] * _TOGETHER / 100)),
        deadline=None,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
        # New inputs are for those who ask for them: the usual run must not fail by chance.
        derandomize=_EXAMPLES not in os.environ,
    )
    return lambda test: logged(kind, configure(test))


def pick(draw: st.DrawFn, *choices: Any) -> Any:
    """One of the choices; those that are named twice are twice as likely."""
    return draw(st.sampled_from(choices))


def damaged(*values: Any) -> st.SearchStrategy[bytes]:
    """A JSON document, or JSON lines if several values are given, with something wrong in it."""
    return st.one_of(_odd_values(values), _odd_values(values), _odd_bytes(_text(values)))


def damaged_bytes(content: bytes) -> st.SearchStrategy[bytes]:
    """Bytes of which some are changed, lost, doubled or cut off."""
    return _odd_bytes(content)


def _text(values: tuple[Any, ...]) -> bytes:
    lines = [json.dumps(value, ensure_ascii=False) for value in values]
    return "".join(f"{line}\n" for line in lines).encode()


@st.composite
def _odd_values(draw: st.DrawFn, values: tuple[Any, ...]) -> bytes:
    lines = [copy.deepcopy(value) for value in values]
    odd = []
    for _ in range(draw(st.sampled_from((1, 1, 2, 4)))):
        paths = list(_paths(lines))
        path = draw(st.sampled_from(paths))
        where = lines
        for step in path[:-1]:
            where = where[step]
        change = draw(st.sampled_from(("alike", "alike", "alike", "swap", "swap", "remove", "double")))
        if change == "alike":  # of the same type, so that it is not refused for that
            where[path[-1]] = draw(st.sampled_from(_alike(where[path[-1]])))
        elif change == "swap":
            where[path[-1]] = _MARK
            odd.append(draw(st.sampled_from(ODD)))
        elif change == "remove":
            del where[path[-1]]
        elif isinstance(where, dict):
            where[draw(st.sampled_from(("unknown", "", "\ud800", "a/b")))] = where[path[-1]]
        else:
            where.insert(path[-1], copy.deepcopy(where[path[-1]]))
        if not lines:
            break
    text = "".join(json.dumps(line) + "\n" for line in lines)
    for replacement in odd:
        text = text.replace(f'"{_MARK}"', replacement, 1)
    return text.encode()


def _alike(value: Any) -> tuple[Any, ...]:
    if isinstance(value, bool) or value is None:
        return (True, False, None)
    if isinstance(value, int):
        return (0, 1, 2, 3, 17, 10**6, 2**63 - 1, -1)
    if isinstance(value, float):
        return (0.0, 0.5, 1.0, 5e-324, 1e308, -1e308, 1e-9, 3)
    if isinstance(value, str):
        return ("", "x", " ", "\ud800", "\u202e", "\x1b[31m", "a\x00b", "$\\frac{", "<b>", "%s{0}", "é" * 300)
    return ([], {}) if isinstance(value, list) else ({}, [])


def _paths(value: Any) -> Iterator[tuple[Any, ...]]:
    """The places of all values inside a list or an object."""
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in steps:
        yield (step,)
        yield from ((step, *path) for path in _paths(inner))


@st.composite
def _odd_bytes(draw: st.DrawFn, content: bytes) -> bytes:
    damaged = bytearray(content)
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, max(0, len(damaged) - 1)))
        change = draw(st.sampled_from(("flip", "cut", "lose", "insert", "double")))
        if change == "flip" and damaged:
            damaged[place] ^= 1 << draw(st.integers(0, 7))
        elif change == "cut":
            del damaged[place:]
        elif change == "lose":
            del damaged[place : place + draw(st.integers(1, 50))]
        elif change == "insert":
            damaged[place:place] = draw(
                st.sampled_from((b"\x00", b"\xff", b"\n", b'"', b"{", b"\xef\xbb\xbf"))
            )
        else:
            damaged[place:place] = damaged[place : place + 200]
    return bytes(damaged)

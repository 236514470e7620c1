"""Certified (text, neighbor) pairs against brute force, as many as are wanted; a billion, for the record.

Run: python tests/guarantees/billion.py [--pairs 1e9] [--seed 0] [--worlds full] [--out FILE]

Every claim (a certificate on a small world of texts, see guarantee_pairs.py) gets its part of the pairs, and
is held against exact answers at every neighbor that it covers. Every few draws its reach is taken one larger,
which must go wrong. The log is written as the run goes; stopped, the same command goes on where it was, and
ends with the same counts. The exit code is 1 if a certificate was wrong, or a control was not.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # as pytest does

import numpy as np
from guarantee_claims import deployed_length_claims, length_claims, typed_claims, uniform_claims
from guarantee_claims_beyond import ExactClaim, WeightClaim, published_claims
from guarantee_claims_rivals import rival_claims
from guarantee_claims_windows import window_claims
from guarantee_pairs import Claim
from guarantee_universe import universe

from fuzzsmooth.certify import exact_rate
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.files import write_json
from fuzzsmooth.common.options import require
from fuzzsmooth.common.randomness import generator
from fuzzsmooth.common.version import VERSION

# Draws of every claim at least, so that all kinds of base classifiers are among them; and of these, modulo
# a number without a factor in common with that of the kinds, those whose reach is also taken one larger.
LEAST, CONTROLLED, OF = 4, (1, 2), 7
FEWEST, PER_CLASSIFIER = 32, 20_000  # classifiers of a draw at least; pairs of a claim for each one more
SAVED = 15.0  # seconds between writings of the log

Told = Callable[[str, int], None]
"""Told the name of the claim at work and the pairs of the whole run so far."""


def claims(worlds: str) -> Iterator[Claim]:
    """All claims, on worlds that take a moment ("small") or that hold more texts and longer ones ("full")."""
    full = worlds == "full"
    spaces = [(2, 7), (3, 5), (4, 4)] if full else [(2, 4), (3, 3)]
    typed = [(3, 5), (4, 4)] if full else [(3, 3)]
    yield from uniform_claims(spaces, (0.6, 0.7, 0.9) if full else (0.7,))
    yield from length_claims(spaces if full else spaces[:1])
    yield from deployed_length_claims(spaces if full else spaces[:1])
    yield from typed_claims(typed)
    exact, weights = ((2, 6), (2, 7)) if full else ((2, 4), (2, 4))
    for threat in ("edit", "insert", "delete"):
        for rate in (0.7, 0.9) if full else (0.8,):
            yield ExactClaim(universe(*exact), rate, threat)
        for delta in (0.1, 0.5) if full else (0.2,):
            yield WeightClaim(universe(*weights), exact_rate(0.8), delta, threat)
    yield from published_claims(4 if full else 3)
    yield from rival_claims(full=full)
    yield from window_claims([(2, 6), (3, 5)] if full else [(3, 4)])


def run(pairs: int, *, seed: int, worlds: str, out: Path | None = None, told: Told | None = None) -> dict:
    """Count certified pairs: every claim to its part of ``pairs``, in whole draws and at least a few.

    Args:
        pairs: Pairs wanted, in all.
        seed: Seed of all draws.
        worlds: See :func:`claims`.
        out: The log, read if it is there and of the same run, written as the run goes.
        told: Told how far it is.

    Returns:
        The log.

    Raises:
        FuzzsmoothError: If ``out`` is the log of another run.
    """
    settings = {"pairs_wanted": pairs, "seed": seed, "worlds": worlds}
    rows = _begun(out, settings)
    everything = list(claims(worlds))
    shares = sum(claim.share for claim in everything)
    for claim in everything:  # few pairs take few classifiers
        claim.batch = min(claim.batch, max(FEWEST, int(pairs / shares / PER_CLASSIFIER)))
    before = sum(row["pairs"] for row in rows.values())
    saved = time.monotonic()
    for claim in everything:
        row = rows.setdefault(claim.name, _new(claim))
        quota = pairs * claim.share / shares
        while row["draws"] < LEAST or row["pairs"] < quota:
            # A claim that never reaches a neighbor would run for ever and show nothing.
            require(row["draws"] < 50 or row["pairs"] > 0, f"{claim.name}: nothing is certified")
            started, so_far = time.perf_counter(), row["pairs"]
            _draw(claim, row, seed)
            row["seconds"] = round(row["seconds"] + time.perf_counter() - started, 3)
            before += row["pairs"] - so_far
            if time.monotonic() - saved > SAVED:
                saved = time.monotonic()
                _save(out, settings, rows)
                if told is not None:
                    told(claim.name, before)
        if told is not None:
            told(claim.name, before)
    return _save(out, settings, rows)


def _begun(out: Path | None, settings: dict[str, Any]) -> dict[str, dict[str, Any]]:
    if out is None or not out.exists():
        return {}
    try:
        log = json.loads(out.read_text(encoding="utf-8"))
        rows = {row["claim"]: row for row in log["claims"]}
        same = {name: log[name] for name in settings} == settings
    except (ValueError, KeyError, TypeError) as error:
        raise FuzzsmoothError(f"{out} is no log of this command; give another file with --out") from error
    require(same, f"{out} is the log of a run with other settings; give another file with --out")
    return rows


def _new(claim: Claim) -> dict[str, Any]:
    return {
        "claim": claim.name,
        "theorem": claim.theorem,
        "formula": claim.formula,
        "draws": 0,
        "classifiers": 0,
        "pairs": 0,
        "violations": 0,
        "control_pairs": 0,
        "control_violations": 0,
        "seconds": 0.0,
    }


def _draw(claim: Claim, row: dict[str, Any], seed: int) -> None:
    """One draw more, at its own address: stopping and going on changes nothing."""
    kind = row["draws"]
    trial = claim.draw(generator(seed, f"pairs of {claim.name}", kind), kind)
    found = claim.count(trial)
    row["draws"] += 1
    row["classifiers"] += trial.answers.shape[1]
    row["pairs"] += found.pairs
    row["violations"] += found.violations
    if kind % OF in CONTROLLED:
        wider = claim.count(trial, more=1)
        row["control_pairs"] += wider.pairs - found.pairs
        row["control_violations"] += wider.violations - found.violations


def _save(out: Path | None, settings: dict[str, Any], rows: dict[str, dict[str, Any]]) -> dict[str, Any]:
    listed = list(rows.values())
    theorems = sorted({row["theorem"] for row in listed})
    sums = ("pairs", "violations", "control_pairs", "control_violations")
    log = {
        **settings,
        "total": {name: sum(row[name] for row in listed) for name in sums},
        "uncaught_controls": [row["claim"] for row in listed if not row["control_violations"]],
        "seconds": round(sum(row["seconds"] for row in listed), 1),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "processor": platform.machine(),
        "fuzzsmooth": VERSION,
        "theorems": [
            {"theorem": theorem}
            | {name: sum(row[name] for row in listed if row["theorem"] == theorem) for name in sums}
            for theorem in theorems
        ],
        "claims": listed,
    }
    if out is not None:
        write_json(out, log)
    return log


def failed(log: dict[str, Any]) -> bool:
    """Whether a certificate was wrong, or the check of one could not have noticed it."""
    return bool(log["total"]["violations"] or log["uncaught_controls"])


def main(arguments: Iterable[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pairs", type=float, default=1e9, help="certified pairs to look at (1e9)")
    parser.add_argument("--seed", type=int, default=0, help="seed of all draws (0)")
    parser.add_argument(
        "--worlds", choices=("small", "full"), default="full", help="the worlds of texts (full)"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("runs/billion.json"), help="the log (runs/billion.json)"
    )
    options = parser.parse_args(None if arguments is None else list(arguments))
    started = time.monotonic()

    def told(name: str, pairs: int) -> None:
        share, seconds = 100 * pairs / options.pairs, time.monotonic() - started
        print(f"{pairs:>14,} pairs {share:5.1f} % {seconds:6.0f} s  {name}", file=sys.stderr, flush=True)

    try:
        require(options.pairs >= 1, f"--pairs must be at least 1, got {options.pairs:g}")
        log = run(int(options.pairs), seed=options.seed, worlds=options.worlds, out=options.out, told=told)
    except FuzzsmoothError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for row in log["theorems"]:
        print(
            f"{row['theorem']:<24}{row['pairs']:>15,} pairs {row['violations']:>4} violations;"
            f" one too large: {row['control_violations']:,} of {row['control_pairs']:,}"
        )
    print(f"{log['total']['pairs']:,} pairs, {log['total']['violations']} violations: {options.out}")
    return int(failed(log))


if __name__ == "__main__":
    sys.exit(main())

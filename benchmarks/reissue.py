"""What the certificates issued now would have been worth on votes that were counted before.

``python benchmarks/reissue.py --records results/certificates --out results/certificates/reissued``

No model is asked: the records hold the votes of each text. What they allow, exactly:

* Two classes, a fixed number of draws (``rs-del``): everything. All draws select and bound, so the counts are
  the whole evidence: the bound at alpha / 2 per class, as recorded, against that of both classes at alpha.
* More classes, a fixed number of draws: the sums of the draws that selected and those that bounded. The bound
  that was recorded tells how many of the latter were for the label. How the votes for its rivals fell on the
  two samples was not recorded; given the sums every assignment is as likely (the draws are exchangeable), so
  the numbers with rivals bounded separately are means over random assignments, with the least and the most.
* Enumeration and early stopping (``deletion-trained``): what was enumerated was not recorded, so the radii
  stay as they are. Forward deletions have the radius of backward insertions; mixtures follow from the bound.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from fuzzsmooth.bench.certified_records import CertifiedRecord, read_certified
from fuzzsmooth.certify import (
    NOT_CERTIFIED,
    bound_top_class,
    clopper_pearson_lower,
    exact_rate,
    frontier,
    radius,
    selection_draws,
)

RATES = {"r90": 0.9, "r70": 0.7}
DATA = ("sst2", "agnews", "offenseval")
ALPHA = 1e-3
ASSIGNMENTS = 100
SIZES = {"edit": (1, 2, 4), "insert": (1, 2, 5), "delete": (1, 5, 10, 20)}
MIXED = ((1, 4), (2, 6), (4, 8))  # (inserted, deleted)
COLUMNS = [f"{threat} >= {size}" for threat, sizes in SIZES.items() for size in sizes] + [
    f"{inserted} added, {deleted} removed" for inserted, deleted in MIXED
]


@dataclass(frozen=True)
class Bound:
    """Bounds on the probabilities of the recorded label and of its rivals (None: the complement).

    ``recorded``: the radii are those of the record, which may rest on more than the bound.
    """

    p_lower: float
    p_upper: float | None = None
    recorded: bool = False


def covered(record: CertifiedRecord, bound: Bound, rate: float) -> list[bool]:
    """Whether the answer is right and certified against each column."""
    p_lower, p_upper, length = bound.p_lower, bound.p_upper, record.length
    reach = {
        threat: radius(p_lower, rate, threat, p_upper=p_upper, length=length)  # type: ignore[arg-type]
        for threat in SIZES
    }
    if bound.recorded:
        own = record.radii
        reach = {name: own.get("backward" if name == "delete" else name, NOT_CERTIFIED) for name in SIZES}
    pairs = frontier(p_lower, rate, p_upper=p_upper, length=length)
    found = [reach[threat] >= size for threat, sizes in SIZES.items() for size in sizes]
    found += [any(b >= inserted and a >= deleted for b, a in pairs) for inserted, deleted in MIXED]
    return [record.correct and sure for sure in found]


def as_recorded(record: CertifiedRecord) -> Bound:
    """The bound that was published."""
    assert record.p_lower is not None
    return Bound(record.p_lower, recorded=True)


def majority(record: CertifiedRecord) -> Bound:
    """Two classes at all of alpha."""
    bound = bound_top_class(record.counts, alpha=ALPHA, undecided=record.draws - sum(record.counts))
    assert bound.label == record.prediction
    return Bound(bound.p_lower, bound.p_upper)


def bounding_votes(record: CertifiedRecord) -> int:
    """Votes for the label among the draws that bounded it, from the bound that was recorded."""
    trials = record.draws - selection_draws(record.draws, len(record.counts))
    bounds = all_bounds(trials)
    votes = int(np.argmin(np.abs(bounds - record.p_lower)))
    assert abs(bounds[votes] - record.p_lower) < 1e-9, record.key  # type: ignore[operator]
    return votes


@cache
def all_bounds(trials: int) -> np.ndarray:
    """The lower bound of every number of votes."""
    return np.array([clopper_pearson_lower(votes, trials, ALPHA) for votes in range(trials + 1)])


def separately(record: CertifiedRecord, rivals: str, generator: np.random.Generator) -> list[Bound]:
    """Bounds with separate rivals, one per random assignment of the votes to the two samples."""
    own, label = bounding_votes(record), record.prediction
    selecting = selection_draws(record.draws, len(record.counts))
    others = np.array([count for index, count in enumerate(record.counts) if index != label])
    chosen = selecting - (record.counts[label] - own)  # draws for rivals among those that selected
    found = []
    for selected in generator.multivariate_hypergeometric(others, chosen, size=ASSIGNMENTS).tolist():
        selection, votes = list(selected), (others - selected).tolist()
        selection.insert(label, record.counts[label] - own)
        votes.insert(label, own)
        if max(selection) > selection[label]:  # such an assignment would have selected another label
            continue
        bound = bound_top_class(selection, votes, alpha=ALPHA, rivals=rivals)  # type: ignore[arg-type]
        found.append(Bound(bound.p_lower, bound.p_upper))
    return found or [as_recorded(record)]


def shares(
    records: Sequence[CertifiedRecord], rate: float, bound: Callable[[CertifiedRecord], Bound]
) -> dict[str, Any]:
    """Certified accuracy in percent by column."""
    hits = np.array([covered(record, bound(record), rate) for record in records])
    return {"percent": percent(hits.mean(axis=0)), "least": None, "most": None}


def spread(records: Sequence[CertifiedRecord], rate: float, rivals: str) -> dict[str, Any]:
    """The same over random assignments: mean, and every text at its worst and at its best."""
    generator = np.random.default_rng(0)
    mean, least, most = [], [], []
    for record in records:
        hits = np.array([covered(record, bound, rate) for bound in separately(record, rivals, generator)])
        mean.append(hits.mean(axis=0))
        least.append(hits.all(axis=0))
        most.append(hits.any(axis=0))
    return {
        "percent": percent(np.mean(mean, axis=0)),
        "least": percent(np.mean(least, axis=0)),
        "most": percent(np.mean(most, axis=0)),
    }


def percent(values: np.ndarray) -> dict[str, float]:
    """Percentages by column."""
    return {name: round(100 * float(value), 2) for name, value in zip(COLUMNS, values, strict=True)}


def check_recorded(records: Sequence[CertifiedRecord], rate: float) -> None:
    """The recorded radii are those of the recorded bounds, or the rest would be about something else."""
    for record in records:
        own = {
            "edit": radius(record.p_lower, rate, "edit"),  # type: ignore[arg-type]
            "insert": radius(record.p_lower, rate, "insert"),  # type: ignore[arg-type]
            "backward": radius(record.p_lower, rate, "delete", length=record.length),  # type: ignore[arg-type]
        }
        assert dict(record.radii) == {name: size for name, size in own.items() if size != NOT_CERTIFIED}


def reissue(folder: Path, data: str, name: str) -> list[dict[str, Any]]:
    """All lines of one run."""
    rate = exact_rate(RATES[name])
    records = read_certified(folder / f"{data}-{name}" / "certified.jsonl")
    fixed = [record for record in records if record.row.startswith("rs-del:")]
    trained = [record for record in records if record.row.startswith("deletion-trained:")]
    check_recorded(fixed, rate)
    lines = [("rs-del", "as recorded", shares(fixed, rate, as_recorded))]
    if len(fixed[0].counts) == 2:
        lines.append(("rs-del", "both classes at alpha", shares(fixed, rate, majority)))
    else:
        for rivals in ("separate", "auto"):
            lines.append(("rs-del", f"rivals: {rivals}", spread(fixed, rate, rivals)))
    lines.append(("deletion-trained", "as recorded", shares(trained, rate, as_recorded)))
    return [
        {"data": data, "rate": RATES[name], "row": row, "bounds": bounds, "texts": len(fixed)} | values
        for row, bounds, values in lines
    ]


def table(lines: Sequence[dict[str, Any]]) -> str:
    """The lines as a Markdown table."""
    head = ["data", "rate", "row", "bounds", *COLUMNS]
    rows = [head, ["---"] * 4 + ["--:"] * len(COLUMNS)]
    for line in lines:
        cells = [line["data"], str(line["rate"]), f"`{line['row']}`", line["bounds"]]
        rows.append(cells + [f"{line['percent'][name]:.1f}" for name in COLUMNS])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


HEADING = """# Certificates issued again from the recorded votes

Share of texts, in percent, that are answered right and certified; alpha .001 per text, no further model pass.
`delete` is against words removed from a clean text, and, the same number, backward against words inserted in
a received one. Forward deletions and the columns `added, removed` were not issued before. With three or more
classes the votes of the draws that select and of those that bound were recorded as sums: means over random
assignments, whose extremes are in the JSON file. What can be recomputed and what cannot is said at the head
of `benchmarks/reissue.py`.

```sh
python benchmarks/reissue.py --records results/certificates --out results/certificates/reissued
```
"""


def main() -> None:
    """Recompute, print, and write the JSON file and the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--records", type=Path, default=Path("results/certificates"))
    parser.add_argument("--out", type=Path, default=Path("results/certificates/reissued"))
    given = parser.parse_args()
    lines = [line for data in DATA for name in RATES for line in reissue(given.records, data, name)]
    print(table(lines))
    given.out.with_suffix(".json").write_text(json.dumps(lines, indent=1) + "\n")
    given.out.with_suffix(".md").write_text(f"{HEADING}\n{table(lines)}\n")


if __name__ == "__main__":
    main()
